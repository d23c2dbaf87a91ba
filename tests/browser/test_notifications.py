"""What waits, devices and webhooks in a real browser: an edge and the outlets' loop, notifications as if projected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from edge.outlets import OutletSettings
from ops.database import open_pool
from ops.serving.edge import push_key
from producers.eventlog.log import EventLog
from tests import services
from tests.account_app import Unlimited
from tests.browser.audit import AXE, Walk, overflow, violations
from tests.browser.pages import looked
from tests.browser.people import Person, sign_in
from tests.browser.visits import Theme, Visits, Width
from tests.nodes import SETTINGS, Node, node
from tests.push_service import VAPID_PRIVATE_KEY
from tests.questions import asked
from tests.told import LINKS, QUICK, Owner, delivering
from tests.webhook_receiver import Receiver, receiving

Pool = asyncpg.Pool
WITHIN_MS = 20_000
LOOKS: list[tuple[Width, Theme]] = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]
OUTLETS = OutletSettings(push_key(VAPID_PRIVATE_KEY), LINKS.key, private_addresses=True)


@dataclass(frozen=True)
class Place:
    """Where ada is told things, and her browser."""

    node: Node
    owner: Owner
    person: Person
    visits: Visits
    receiver: Receiver

    async def open(self, path: str = "/notifications", **options: Any) -> Page:
        page = await self.visits.page(self.person, **options)
        await page.goto(path)
        return page


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest_asyncio.fixture(loop_scope="session")
async def place(database: str, browser: Browser) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(database))
        here = await stack.enter_async_context(node(pool, replace(SETTINGS, outlets=OUTLETS), Unlimited()))
        log = EventLog(pool)
        stack.push_async_callback(log.close)
        await stack.enter_async_context(delivering(pool, log, QUICK))
        receiver = await stack.enter_async_context(receiving())
        visits = Visits(browser, here.url, stack)
        person = await sign_in(here.url, "ada@lane.test")
        yield Place(here, Owner(pool, here.ada.user_id, log), person, visits, receiver)
    assert visits.watch.complaints() == []


async def test_whoever_signs_out_is_told_nothing_more_in_this_browser(place: Place) -> None:
    """Chromium cannot reach a push service here: this browser's subscription is known to the server only."""
    outlets, user_id, keys = place.owner.outlets, place.owner.user_id, {"p256dh": "", "auth": ""}
    phone, here = [await outlets.allow(user_id, f"https://push.test/{name}", keys, name) for name in ("phone", "here")]
    page = await place.open()
    await page.evaluate("id => localStorage.setItem('oa.push-subscription', id)", str(here))
    await page.get_by_role("button", name="Account of").click()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await page.wait_for_url("**/login")
    assert [browser.id for browser in await outlets.list(user_id, "push")] == [phone]


async def test_what_waits_comes_and_goes_without_a_reload(place: Place) -> None:
    await place.owner.tell("budget/a", cause="budget_nearly_spent", authorization_id="a")
    page = await place.open()
    await expect(page.get_by_role("link", name="budget/a")).to_be_visible(timeout=WITHIN_MS)
    await place.owner.ask("ap-1")
    link = page.get_by_role("link", name="approval/wk1/ap-1")
    await expect(link).to_have_attribute("href", "/workers/wk1", timeout=WITHIN_MS)
    await place.owner.tell("approval/wk1/ap-1", status="cleared", cause="approval_waiting")
    await expect(link).to_have_count(0, timeout=WITHIN_MS)


async def test_a_webhook_is_made_tried_and_its_deliveries_seen(place: Place) -> None:
    """The secret is shown once, and it verifies what arrives; pressed twice, one is made."""
    place.visits.watch.tolerate("422")
    page = await place.open()
    await page.get_by_role("button", name="New webhook").click()
    await page.get_by_label("Address").fill("nonsense")
    await page.get_by_role("button", name="Create webhook").click()
    await expect(page.locator("#url-error")).to_contain_text("http")
    await page.get_by_label("Address").fill(place.receiver.url)
    await page.get_by_label("Name").fill("bot")
    await page.get_by_role("button", name="Create webhook").dblclick()
    secret = await page.locator("#secret").inner_text()
    assert secret.startswith("whsec_")
    place.receiver.secret = secret
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator(".hook")).to_have_count(1)
    await page.get_by_role("button", name="Test bot").click()
    await expect(page.locator("#toasts")).to_contain_text("The test was taken: 200", timeout=WITHIN_MS)
    assert [message["topic"] for message in place.receiver.taken] == ["test"]
    await page.get_by_text("Last deliveries").click()
    await expect(page.locator(".deliveries li")).to_have_count(1, timeout=WITHIN_MS)
    await page.reload()
    assert secret not in await page.content()


async def test_a_webhook_that_is_paused_says_so_and_is_resumed(place: Place) -> None:
    _, place.receiver.secret = await place.owner.webhook(place.receiver.url)
    place.receiver.statuses = [410]
    await place.owner.tell("one")
    await services.eventually(lambda: bool(place.receiver.seen))
    page = await place.open()
    await expect(page.get_by_text("paused", exact=True).first).to_be_visible()
    await page.get_by_role("button", name="Resume").first.click()
    await services.eventually(lambda: place.receiver.names()[:1] == ["one"])


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core: run `make chromium`")
async def test_both_pages_with_all_they_can_show_are_for_everybody(place: Place) -> None:
    """By keyboard, on a phone, in both themes, and for programs that read them aloud."""
    question = await asked(place.node)
    await place.owner.ask("ap-1", question.worker_id)
    await place.owner.webhook(place.receiver.url)
    await place.owner.outlets.allow(place.owner.user_id, "https://push.test/x", {"p256dh": "", "auth": ""}, "phone")
    page = await place.open(width=360, reduced_motion="reduce")
    for path in ("/notifications", question.link(), question.link("deny")):
        await page.goto(path, wait_until="networkidle")
        for width, theme in LOOKS:
            await looked(page, width, theme)
            assert await violations(page) + await overflow(page) == [], (path, width, theme)
        walk = Walk(page)
        assert (await walk.unreached(), walk.unseen) == ([], [])
        assert walk.reached


async def pushed(page: Page, origin: str, message: dict[str, Any]) -> None:
    """As the push service would hand it to the service worker: again, until it has been shown."""
    session = await page.context.new_cdp_session(page)
    registrations: asyncio.Queue[str] = asyncio.Queue()

    def updated(event: dict[str, Any]) -> None:
        for one in event["registrations"]:
            registrations.put_nowait(one["registrationId"])

    session.on("ServiceWorker.workerRegistrationUpdated", updated)
    await session.send("ServiceWorker.enable")
    async with asyncio.timeout(60):
        registration = await registrations.get()
    told = {"origin": origin, "registrationId": registration, "data": msgspec.json.encode(message).decode()}
    async with asyncio.timeout(60):
        while not await page.evaluate(SHOWN):
            await session.send("ServiceWorker.deliverPushMessage", told)
            await asyncio.sleep(0.5)


SHOWN = """async () => (await (await navigator.serviceWorker.getRegistration("/")).getNotifications())
    .map(({title, body, actions, data}) => ({title, body, actions: actions.map(one => one.action), page: data.page}))"""
NOT_THROUGH = "The answer did not get through"
REGISTER = """async () => {
    await navigator.serviceWorker.register("/sw.js", {scope: "/"});
    await navigator.serviceWorker.ready;
}"""
CLICK = """async action => {
    const [notification] = await self.registration.getNotifications();
    self.dispatchEvent(new NotificationEvent("notificationclick", {notification, action}));
}"""


async def test_a_button_of_what_is_pushed_answers_the_question(place: Place) -> None:
    """Chromium cannot reach a push service here: the message is handed to the service worker as the browser would."""
    _, place.receiver.secret = await place.owner.webhook(place.receiver.url)
    question = await asked(place.node)
    await place.owner.ask("ap-1", question.worker_id)
    await services.eventually(lambda: bool(place.receiver.taken))
    page = await place.open(permissions=["notifications"])
    await page.evaluate(REGISTER)
    await pushed(page, f"{place.node.url}/", place.receiver.taken[-1])
    await expect_shown(page, 1)
    [shown] = await page.evaluate(SHOWN)
    assert (shown["title"], shown["actions"]) == ("Run this command?", ["approve", "deny"])
    assert shown["body"] == "make deploy <now>\n/home/ada/site\nit is asked for"
    assert shown["page"].startswith("/workers/w%3A")
    async with question.daemon():
        await page.context.service_workers[0].evaluate(CLICK, "approve")
        await expect_shown(page, 0)
        async with asyncio.timeout(60):
            while (state := await standing(place, question.link()))["standing"] == "open":  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
    assert (state["standing"], state["decision"], state["client"]) == ("answered", "accept", "answer-link")
    assert question.answers == 1


async def test_an_answer_that_does_not_get_through_is_told_with_a_page_to_try_again(place: Place) -> None:
    place.visits.watch.tolerate("410")
    _, place.receiver.secret = await place.owner.webhook(place.receiver.url)
    await place.owner.ask("withdrawn")
    await services.eventually(lambda: bool(place.receiver.taken))
    page = await place.open(permissions=["notifications"])
    await page.evaluate(REGISTER)
    await pushed(page, f"{place.node.url}/", place.receiver.taken[-1])
    await expect_shown(page, 1)
    await page.context.service_workers[0].evaluate(CLICK, "deny")
    async with asyncio.timeout(60):
        while [one["title"] for one in await page.evaluate(SHOWN)] != [NOT_THROUGH]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    [shown] = await page.evaluate(SHOWN)
    await page.goto(shown["page"])
    await expect(page.get_by_role("heading", name="Not asked any more")).to_be_visible()


async def test_a_link_is_answered_by_its_one_button_without_an_account(place: Place) -> None:
    question = await asked(place.node)
    page = await place.visits.page()
    await page.goto(question.link())
    await expect(page.locator("pre.code")).to_have_text("make deploy <now>")
    async with question.daemon():
        await page.get_by_role("button", name="Approve once").click()
        await expect(page.get_by_role("heading", name="Approved")).to_be_visible(timeout=WITHIN_MS)
    assert question.answers == 1


async def standing(place: Place, link: str) -> dict[str, Any]:
    answer = await place.node.http.get(link, headers={"accept": "application/json"})
    told: dict[str, Any] = answer.json()["data"]
    return told


async def expect_shown(page: Page, count: int) -> None:
    async with asyncio.timeout(60):
        while len(await page.evaluate(SHOWN)) != count:  # noqa: ASYNC110 - the page tells no event
            await asyncio.sleep(0.05)
