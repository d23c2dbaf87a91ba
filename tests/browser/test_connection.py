"""Connection honesty: whatever happens to a page's connection, it says so and ends correct, without a reload (issue 7
point 4; sync §12, §15, §18)."""

import asyncio
import itertools
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from urllib.parse import urlsplit

import asyncpg
import pytest_asyncio
from oa_client.errors import StaleCursor
from oa_client.sync import follow
from playwright.async_api import Page, Route, expect

from ops.stack import secrets
from ops.stack.pids import Pid
from tests.browser.people import Person, sign_in
from tests.browser.visits import Tolerate, Visits
from tests.browser.worker_list import Fleet, WorkerList, fleet_of
from tests.e2e.gate import Gate, gate
from tests.local_stack import Operator
from tests.services import eventually

SUMMARIES = "runtime.codex_worker_summaries"
_NUMBERS = itertools.count(1)
_LOST = "WebSocket|ERR_|502|Failed to load"
"""What browsers complain of when connections end."""


@pytest_asyncio.fixture(loop_scope="session")
async def dave(console_url: str) -> Person:
    return await sign_in(console_url, f"dave-{next(_NUMBERS)}@browser.test")


@pytest_asyncio.fixture(loop_scope="session")
async def fleet(console_url: str, dave: Person) -> AsyncIterator[Fleet]:
    """Two workers that are there from the beginning."""
    async with fleet_of(console_url, dave) as fleet:
        for name in ("laptop:one", "laptop:two"):
            await fleet.start(name)
        yield fleet


@pytest_asyncio.fixture(loop_scope="session")
async def workers(visits: Visits, dave: Person, fleet: Fleet) -> WorkerList:
    workers = WorkerList(await visits.page(dave))
    await workers.stands_still()
    return await workers.open()


class Reach:
    """A way to the edge that can be cut."""

    def __init__(self, gate: Gate, url: str) -> None:
        self.gate = gate
        self.url = url


@pytest_asyncio.fixture(loop_scope="session")
async def reach(console_url: str) -> AsyncIterator[Reach]:
    async with gate(urlsplit(console_url).port or 80) as (way, url):
        yield Reach(way, url)


async def changes(fleet: Fleet, through: WorkerList | None = None) -> None:
    """A worker is busy, one is stopped, one is new; the last of it is waited for."""
    await fleet.beat("laptop:one", "What happened meanwhile")
    await fleet.client.stop_worker("laptop:two", "meanwhile")
    await fleet.start("laptop:three")
    if through is not None:
        await through.says("laptop:three", "No program")


async def agree(one: WorkerList, other: WorkerList) -> None:
    for page in (one, other):
        await page.is_live()
        await page.says("laptop:three", "No program")
        await page.says("laptop:one", "What happened meanwhile")
    assert await one.content() == await other.content()


async def uninterrupted(visits: Visits, person: Person) -> WorkerList:
    other = WorkerList(await visits.page(person))
    await other.stands_still()
    return await other.open()


def edge_of(stack: Operator) -> Pid:
    """The process that is ready; none at all is an error."""
    [edge] = [process.pid for process in stack.state().processes if process.name == "edge" and process.ready]
    assert edge is not None
    return edge


async def is_back(stack: Operator, killed: Pid) -> None:
    """The supervisor has started another edge; on a busy machine that takes its time."""

    def started() -> bool:
        edges = [process for process in stack.state().processes if process.name == "edge"]
        return any(edge.ready and edge.pid != killed for edge in edges)

    await eventually(started, within_s=300)


async def indicator(page: Page) -> str:
    return await page.locator("#connection").inner_text()


async def test_an_edge_that_is_killed_and_comes_back(
    workers: WorkerList, visits: Visits, dave: Person, fleet: Fleet, stack: Operator, tolerate: Tolerate
) -> None:
    tolerate(_LOST)
    edge = edge_of(stack)
    edge.send(signal.SIGKILL)
    await workers.phase("offline")
    assert re.match(r"Offline since \d\d:\d\d\s+reconnecting", await indicator(workers.page))
    await is_back(stack, edge)
    await workers.is_live()
    await changes(fleet)
    await agree(workers, await uninterrupted(visits, dave))
    assert workers.requests == ["GET /workers?limit=200"]


async def test_a_network_that_is_away_and_comes_back(
    visits: Visits, dave: Person, fleet: Fleet, reach: Reach, tolerate: Tolerate
) -> None:
    """Byte for byte what a page shows that was never cut off, without asking for the list again."""
    tolerate(_LOST)
    tolerate(f"third party: .*{urlsplit(reach.url).netloc}")
    other = await uninterrupted(visits, dave)
    cut_off = WorkerList(await visits.page(dave))
    await cut_off.stands_still()
    await cut_off.open(reach.url)
    for _ in range(3):
        reach.gate.close()
        await cut_off.phase("offline")
        await changes(fleet, through=other)
        reach.gate.open()
        await cut_off.is_live()
    await agree(cut_off, other)
    assert cut_off.requests == ["GET /workers?limit=200"]


async def test_a_browser_that_is_told_to_be_offline(
    workers: WorkerList, visits: Visits, dave: Person, fleet: Fleet, tolerate: Tolerate
) -> None:
    tolerate(_LOST)
    other = await uninterrupted(visits, dave)
    await workers.page.context.set_offline(True)
    await changes(fleet, through=other)
    await workers.page.context.set_offline(False)
    await agree(workers, other)


async def test_a_token_that_is_over_when_it_is_used(
    visits: Visits, dave: Person, fleet: Fleet, tolerate: Tolerate
) -> None:
    """Sync §4.1: the handshake says 403 and nothing else; the next attempt has a token of its own."""
    tolerate("WebSocket")
    page = await visits.page(dave)
    minted = []

    async def over(route: Route) -> None:
        answer = await route.fetch()
        document = await answer.json()
        minted.append(document["data"]["token"])
        if len(minted) == 1:
            document["data"]["token"] = minted[0][:-4] + "AAAA"
        await route.fulfill(response=answer, json=document)

    await page.route("**/api/sync/token", over)
    await WorkerList(page).open()
    assert len(set(minted)) == 2


async def test_nobody_signed_in_any_more_goes_to_the_sign_in_page_and_comes_back(
    workers: WorkerList, reach: Reach, tolerate: Tolerate
) -> None:
    tolerate(_LOST)
    tolerate("401|third party")
    page = workers.page
    await workers.open(reach.url + "/?status=running")
    await page.context.clear_cookies()
    reach.gate.close()
    await workers.phase("offline")
    reach.gate.open()
    await page.wait_for_url("**/login?then=%2F%3Fstatus%3Drunning")


async def test_a_cursor_that_is_no_longer_kept_costs_a_snapshot(
    workers: WorkerList, visits: Visits, dave: Person, fleet: Fleet, reach: Reach, stack: Operator, tolerate: Tolerate
) -> None:
    """Sync §15: what was missed is older than what is kept when the connection is there again."""
    tolerate(_LOST)
    tolerate("third party")
    await workers.open(reach.url)
    reach.gate.close()
    await workers.phase("offline")
    other = await uninterrupted(visits, dave)
    await changes(fleet, through=other)
    await forget_rows(stack, dave, fleet)
    asked = len(workers.requests)
    reach.gate.open()
    await agree(workers, other)
    assert workers.requests[asked:] == ["GET /workers?limit=200"]


async def forget_rows(stack: Operator, person: Person, fleet: Fleet) -> None:
    """As if all this person's rows had been written two days ago, and the edge had seen that."""
    connection = await asyncpg.connect(secrets.read(stack.data)["OA_DATABASE_URL"])
    try:
        await connection.execute(
            "update journal set inserted_at = inserted_at - interval '2 days' where owner = $1 and topic = $2",
            f"user:{person.user_id}",
            SUMMARIES,
        )
    finally:
        await connection.close()
    async with asyncio.timeout(30):
        while not await _is_too_old(fleet):  # noqa: ASYNC110 what is waited for is elsewhere
            await asyncio.sleep(0.5)


async def _is_too_old(fleet: Fleet) -> bool:
    try:
        async with aclosing(follow(fleet.client, [SUMMARIES], {SUMMARIES: 1})) as updates:
            await anext(updates)
    except StaleCursor:
        return True
    return False


async def test_a_page_that_slept(workers: WorkerList, visits: Visits, dave: Person, fleet: Fleet) -> None:
    """The browser freezes the page, as it does with tabs of a laptop that is closed; nothing is told meanwhile."""
    session = await workers.page.context.new_cdp_session(workers.page)
    other = await uninterrupted(visits, dave)
    await session.send("Page.setWebLifecycleState", {"state": "frozen"})
    await changes(fleet, through=other)
    await session.send("Page.setWebLifecycleState", {"state": "active"})
    await agree(workers, other)


async def test_two_tabs_of_one_browser_share_a_cursor_and_show_the_same(
    workers: WorkerList, visits: Visits, fleet: Fleet
) -> None:
    await changes(fleet, through=workers)
    beside = WorkerList(await visits.page(beside=workers.page))
    await beside.stands_still()
    await beside.open()
    await agree(workers, beside)
    kept = "(topic) => JSON.parse(localStorage.getItem(`sync:${document.body.dataset.user}:${topic}`)).watermark"
    watermarks = [await tab.page.evaluate(kept, SUMMARIES) for tab in (workers, beside)]
    assert watermarks[0] == watermarks[1] > 0


async def test_a_page_whose_edge_says_nothing_any_more_notices_when_it_is_woken(
    workers: WorkerList, stack: Operator, tolerate: Tolerate
) -> None:
    """A connection may be dead without having ended: nothing comes, and nobody says so."""
    tolerate(_LOST)
    edge = edge_of(stack)
    edge.send(signal.SIGSTOP)
    try:
        await workers.page.evaluate("() => dispatchEvent(new Event('online'))")
        await workers.phase("offline")
        await expect(workers.page.get_by_role("status").filter(has_text="Offline since")).to_be_visible()
    finally:
        edge.send(signal.SIGCONT)
    await workers.is_live()


async def test_ten_disconnects_while_things_happen(
    visits: Visits, dave: Person, fleet: Fleet, reach: Reach, tolerate: Tolerate
) -> None:
    tolerate(_LOST)
    tolerate("third party")
    other = await uninterrupted(visits, dave)
    cut_off = WorkerList(await visits.page(dave))
    await cut_off.stands_still()
    await cut_off.open(reach.url)

    async def happening() -> None:
        for number in range(40):
            await fleet.beat("laptop:two", f"Step {number}")

    steps = asyncio.create_task(happening())
    for _ in range(10):
        reach.gate.close()
        await cut_off.phase("offline")
        reach.gate.open()
        await cut_off.is_live()
    await steps
    await changes(fleet)
    await agree(cut_off, other)
    assert json.dumps(cut_off.requests).count("limit=200") == 1
