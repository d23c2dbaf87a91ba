"""Two people at two browsers: neither is told anything of the other, byte by byte."""

import uuid
from typing import Final

import pytest_asyncio
from oa_client.client import Client
from playwright.async_api import Page as Tab
from playwright.async_api import Route, WebSocket

from edge.console.pages import PAGES
from tests.browser.content import Content
from tests.browser.pages import address, visit
from tests.browser.people import Person
from tests.browser.visits import Tolerate, Visits
from tests.services import eventually

BOBS: Final = "lighthouse"
_LISTS: Final = [page for page in PAGES if "{" not in page.path and not page.for_admins]
_ITEMS: Final = [page for page in PAGES if "{" in page.path]


class Overheard:
    """Every byte that a browser was sent: answers with their headers, and frames."""

    def __init__(self) -> None:
        self._told: list[bytes] = []

    async def of(self, tab: Tab) -> None:
        await tab.context.route("**/*", self._answer)
        tab.on("websocket", self._socket)

    def having(self, *words: str) -> list[bytes]:
        return [told for told in self._told if any(word.encode() in told for word in words)]

    async def _answer(self, route: Route) -> None:
        answer = await route.fetch(max_redirects=0)
        self._told += [str(answer.headers).encode(), await answer.body()]
        await route.fulfill(response=answer)

    def _socket(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda told: self._told.append(told if isinstance(told, bytes) else told.encode()))


async def overheard(visits: Visits, person: Person, heard: Overheard) -> Tab:
    """A page whose answers come through us is not known to be local, and asks whether it may speak to what is."""
    tab = await visits.page(person, service_workers="block", permissions=["local-network-access"])
    await heard.of(tab)
    return tab


@pytest_asyncio.fixture(loop_scope="session")
async def bobs_worker(bob: Person, console_url: str) -> str:
    """With a message of his."""
    worker_id = f"desktopw:{BOBS}-{uuid.uuid4().hex[:6]}"
    async with Client(console_url, bob.token) as client:
        await client.create_worker(worker_id, adapter="desktop_bridge")
        await client.workers[worker_id].send(f"the {BOBS} of bob")
    return worker_id


async def test_no_frame_and_no_answer_has_anything_of_somebody_else(
    visits: Visits, ada: Person, bob: Person, bobs_worker: str, content: Content, console_url: str
) -> None:
    """Both look at every list and at a worker of theirs, at last at their workers while both write."""
    heard = {ada: Overheard(), bob: Overheard()}
    for person in heard:
        tab = await overheard(visits, person, heard[person])
        for page in (*_ITEMS, *reversed(_LISTS)):
            if person is ada or page.name == "worker" or page in _LISTS:
                await visit(tab, page, content.ids if person is ada else {"worker": bobs_worker})
    before = {ada: len(heard[ada].having(content.mark)), bob: len(heard[bob].having(BOBS))}
    for person, worker_id in ((ada, f"desktopw:docs-{content.mark}"), (bob, bobs_worker)):
        async with Client(console_url, person.token) as client:
            await client.workers[worker_id].send(f"{content.word if person is ada else BOBS} again")
    await eventually(lambda: len(heard[ada].having(content.mark)) > before[ada], 30)
    await eventually(lambda: len(heard[bob].having(BOBS)) > before[bob], 30)
    assert heard[bob].having(content.mark, content.word, ada.email) == []
    assert heard[ada].having(BOBS, bob.email) == []


async def test_at_the_address_of_what_is_somebody_elses_there_is_nothing(
    visits: Visits, bob: Person, content: Content, ada: Person, tolerate: Tolerate
) -> None:
    tolerate("40[34]")
    heard = Overheard()
    tab = await overheard(visits, bob, heard)
    for page in _ITEMS:
        await visit(tab, page, content.ids)
        assert tab.url.endswith(address(page, content.ids))
    assert heard.having(bob.email)
    assert heard.having(content.word, ada.email) == []
