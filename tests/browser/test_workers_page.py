"""The list of workers: what it says, live, and what can be done there (issue 7 point 2)."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.people import Person, sign_in
from tests.browser.visits import Tolerate, Visits
from tests.browser.worker_list import Fleet, WorkerList, fleet_of

LISTED = "**/codex/workers?*"
_NUMBERS = itertools.count(1)


@pytest_asyncio.fixture(loop_scope="session")
async def carol(console_url: str) -> Person:
    """Somebody new for each test, whose list is empty."""
    return await sign_in(console_url, f"carol-{next(_NUMBERS)}@browser.test")


@pytest_asyncio.fixture(loop_scope="session")
async def fleet(console_url: str, carol: Person) -> AsyncIterator[Fleet]:
    async with fleet_of(console_url, carol) as fleet:
        yield fleet


@pytest_asyncio.fixture(loop_scope="session")
async def workers(visits: Visits, carol: Person) -> WorkerList:
    return WorkerList(await visits.page(carol))


async def test_who_has_no_worker_is_told_how_to_start_one(workers: WorkerList) -> None:
    await workers.open()
    await expect(workers.page.get_by_role("heading", name="No workers yet")).to_be_visible()
    await expect(workers.page.get_by_label("Commands")).to_have_text("oa login\noa worker")
    await expect(workers.page.get_by_role("search")).to_be_hidden()


async def test_what_happens_is_shown_as_it_happens_without_asking_again(workers: WorkerList, fleet: Fleet) -> None:
    await workers.open()
    await fleet.start("laptop:one", "~/src/one")
    await workers.says("laptop:one", "No program has connected yet · ~/src/one")
    await fleet.beat("laptop:one")
    await workers.says("laptop:one", "Ready")
    await fleet.beat("laptop:one", "Fix the flaky test")
    await workers.says("laptop:one", "Codex working on “Fix the flaky test” for 6")
    await fleet.say("laptop:one", "All tests\npass now.")
    await workers.says("laptop:one", "All tests pass now.")
    await fleet.client.stop_worker("laptop:one", "enough")
    await workers.says("laptop:one", "Stopped")
    assert await workers.names("stopped") == ["laptop:one"]
    assert workers.requests == ["GET /workers?limit=200"]


async def test_who_asks_comes_first_and_cannot_be_missed(workers: WorkerList, fleet: Fleet) -> None:
    for name in ("laptop:quiet", "laptop:asks", "laptop:newest"):
        await fleet.start(name)
    await workers.open()
    assert await workers.names("running") == ["laptop:newest", "laptop:asks", "laptop:quiet"]
    await fleet.ask("laptop:asks", "ap-1")
    await workers.says("laptop:asks", "Asks for your approval")
    await expect(workers.page.get_by_role("heading", name="Waiting for you")).to_be_visible()
    assert await workers.page.title() == "(1) Workers · OpenAgents"
    assert await workers.page.locator(".worker .row-title > span:first-child").all_inner_texts() == [
        *("laptop:asks", "laptop:newest", "laptop:quiet")
    ]
    await fleet.ask("laptop:asks", "ap-2")
    await workers.says("laptop:asks", "2 approvals")


async def test_search_and_status_narrow_the_list_and_stay_with_the_address(workers: WorkerList, fleet: Fleet) -> None:
    for name, folder in (
        ("laptop:one", "~/src/billing"),
        ("laptop:two", "~/src/website"),
        ("ci:three", "/srv/billing"),
    ):
        await fleet.start(name, folder)
    await fleet.client.stop_worker("ci:three", "over")
    page = (await workers.open()).page
    await page.keyboard.press("/")
    await page.keyboard.type("billing")
    await workers.has(2)
    await page.get_by_role("radio", name="Stopped").check()
    await workers.has(1)
    assert page.url.endswith("/?text=billing&status=stopped")
    await page.reload()
    await workers.is_live()
    await expect(page.get_by_role("searchbox")).to_have_value("billing")
    assert await workers.names("stopped") == ["ci:three"]
    await page.get_by_role("searchbox").fill("nothing like it")
    await page.get_by_role("button", name="Show all workers").click()
    await workers.has(3)
    assert page.url.endswith("/")


async def test_the_keyboard_goes_from_worker_to_worker(workers: WorkerList, fleet: Fleet) -> None:
    for name in ("laptop:c", "laptop:b", "laptop:a"):
        await fleet.start(name)
    page = (await workers.open()).page
    for key, name in (("j", "a"), ("j", "b"), ("j", "c"), ("j", "c"), ("k", "b")):
        await page.keyboard.press(key)
        await expect(workers.row(f"laptop:{name}").locator("a")).to_be_focused()
    await fleet.beat("laptop:b", "Something")
    await workers.says("laptop:b", "Something")
    await expect(workers.row("laptop:b").locator("a")).to_be_focused()
    await page.keyboard.press("s")
    await expect(page.get_by_role("dialog", name="Stop laptop:b?")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.route("**/workers/laptop%3Ab", lambda route: route.fulfill(body=""))
    async with page.expect_request("**/workers/laptop%3Ab"):
        await workers.row("laptop:b").locator("a").press("Enter")


async def test_a_worker_is_stopped_when_that_is_confirmed_and_started_again(workers: WorkerList, fleet: Fleet) -> None:
    await fleet.client.create_worker(
        "laptop:one", adapter="desktop_bridge", workspace_ref="~/one", metadata={"source": "desk"}
    )
    page = (await workers.open()).page
    for answer in ("Cancel", "Stop worker"):
        await page.get_by_role("button", name="Stop: laptop:one").click()
        await page.get_by_role("button", name=answer).click()
    await workers.says("laptop:one", "Stopped")
    await page.get_by_role("button", name="Start again: laptop:one").click()
    await workers.says("laptop:one", "No program has connected yet · ~/one")
    worker = await fleet.client.worker("laptop:one")
    assert (worker.status, worker.metadata) == ("running", {"source": "desk"})
    assert [request for request in workers.requests if request.endswith("/stop")] == ["POST /workers/laptop%3Aone/stop"]


async def test_a_new_worker_is_named_and_its_program_told_how_to_start(
    workers: WorkerList, fleet: Fleet, tolerate: Tolerate
) -> None:
    tolerate("400")
    page = (await workers.open()).page
    await page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("laptop:\tone")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_role("alert").first).not_to_be_empty()
    await dialog.get_by_label("Name").fill("laptop:new")
    await dialog.get_by_label("Folder").fill("~/src/new")
    await dialog.get_by_label("Folder").press("Enter")
    await expect(dialog.get_by_label("Command")).to_have_text("oa worker --id laptop:new")
    await expect(dialog.get_by_role("link", name="Open worker")).to_have_attribute("href", "/workers/laptop%3Anew")
    await page.keyboard.press("Escape")
    await workers.says("laptop:new", "~/src/new")
    assert (await fleet.client.worker("laptop:new")).adapter == "desktop_bridge"


async def test_a_list_that_cannot_be_loaded_says_so_until_it_can(
    workers: WorkerList, fleet: Fleet, tolerate: Tolerate
) -> None:
    tolerate("502")
    await fleet.start("laptop:one")
    page = workers.page
    await page.route(
        "**/codex/workers?*", lambda route: route.fulfill(status=502, json={"message": "The log is away."})
    )
    await page.goto("/")
    await expect(page.get_by_role("alert")).to_contain_text("The log is away. Trying again.")
    await page.unroute("**/codex/workers?*")
    await workers.says("laptop:one", "No program")
    await expect(page.locator("#problem")).to_be_hidden()
    await workers.is_live()


async def test_a_thousand_workers_are_listed_found_and_followed(workers: WorkerList, fleet: Fleet) -> None:
    async def start(numbers: range) -> None:
        for number in numbers:
            await fleet.start(f"fleet:{number:04}", f"/srv/{number:04}")

    await asyncio.gather(*(start(range(first, 1000, 20)) for first in range(20)))
    page = (await workers.open()).page
    await workers.has(1000)
    await fleet.beat("fleet:0500", "Needle")
    await workers.says("fleet:0500", "Needle")
    await page.keyboard.press("/")
    await page.keyboard.type("needle")
    await workers.has(1)
    assert len([request for request in workers.requests if request.startswith("GET")]) == 6


@pytest.mark.parametrize("width", [360, 1280])
async def test_nothing_is_wider_than_the_screen(visits: Visits, carol: Person, fleet: Fleet, width: int) -> None:
    await fleet.start("a-name-that-is-longer-than-any-phone-is-wide:" + "w" * 100, "~/" + "f" * 200)
    await fleet.ask("a-name-that-is-longer-than-any-phone-is-wide:" + "w" * 100, "ap-1")
    page: Page = await visits.page(carol, width=360 if width == 360 else 1280)
    await WorkerList(page).open()
    assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
