"""One Chromium for all tests of the console, and pages of people who signed in to the session's real stack.

All tests and async fixtures here share one event loop, the session's, because Playwright's objects belong to a loop:
tests do by themselves, a fixture says `@pytest_asyncio.fixture(loop_scope="session")`.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import Chromium, chromium, launched
from tests.browser.content import Content, seeded
from tests.browser.people import Person, sign_in
from tests.browser.visits import WITHIN_MS, Tolerate, Visits
from tests.debian import Missing
from tests.e2e.worker_desk import Desk, at_a_desk
from tests.local_stack import Operator
from tests.services import run

expect.set_options(timeout=WITHIN_MS)

HERE = Path(__file__).parent
LOCAL = "you@example.test"
"""The local account (OA_LOCAL_EMAIL): it has the stack's worker."""


@pytest.fixture(scope="session")
def console_url(url: str) -> str:
    return url


@pytest.fixture(scope="session")
def ada(console_url: str) -> Person:
    """Owns the stack's local worker."""
    return run(sign_in(console_url, LOCAL))


@pytest.fixture(scope="session")
def bob(console_url: str) -> Person:
    """Has nothing yet."""
    return run(sign_in(console_url, "bob@browser.test"))


@pytest.fixture(scope="session")
def installed() -> Chromium:
    """Tests that ask for a browser are left out, by name, when none can be had."""
    try:
        return chromium()
    except Missing as missing:
        pytest.skip(f"no Chromium: {missing}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(installed: Chromium) -> AsyncIterator[Browser]:
    async with launched(installed) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def visits(browser: Browser, console_url: str) -> AsyncIterator[Visits]:
    """Opens further pages: other widths, themes, people. Fails the test when any page of it complained."""
    async with AsyncExitStack() as closing:
        visits = Visits(browser, console_url, closing)
        yield visits
    assert visits.watch.complaints() == []


@pytest.fixture
def tolerate(visits: Visits) -> Tolerate:
    """`tolerate("ERR_CONNECTION_REFUSED")`: complaints that the test brings about by itself."""
    return visits.watch.tolerate


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(visits: Visits) -> Page:
    """Nobody is signed in."""
    return await visits.page()


@pytest_asyncio.fixture(loop_scope="session")
async def ada_page(visits: Visits, ada: Person) -> Page:
    return await visits.page(ada)


@pytest_asyncio.fixture(loop_scope="session")
async def bob_page(visits: Visits, bob: Person) -> Page:
    return await visits.page(bob)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def content(stack: Operator, ada: Person, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Content]:
    """Something of each kind that ada has, and a daemon that waits for her answer."""
    mark, word = secrets.token_hex(3), f"harbour{secrets.token_hex(3)}"
    async with seeded(stack, ada, tmp_path_factory.mktemp("content"), mark, word) as content:
        yield content


@pytest_asyncio.fixture(loop_scope="session")
async def desk(stack: Operator, ada: Person, tmp_path: Path) -> AsyncIterator[Desk]:
    """A new worker of ada's, whose log is followed, and daemons with the real Codex for it."""
    async with at_a_desk(stack, ada.token, tmp_path) as desk:
        await desk.client.create_worker(desk.worker_id, adapter="desktop_bridge")
        async with desk.followed():
            yield desk


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
