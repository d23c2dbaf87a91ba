"""Issue 7 point 1: signing in by a code from an e-mail, by the printed link, and out, here and everywhere.

An edge of its own: the session's stack counts everybody's attempts, and here they are counted closely.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from edge.auth.rate_limits import MemoryCounter
from ops.database import open_pool
from ops.stack import secrets
from tests.account_app import Unlimited
from tests.browser.visits import Tolerate, Visits, held_back
from tests.local_stack import Operator
from tests.nodes import Node, node

EMAIL = "grace@lane.test"
CLIPBOARD = ["clipboard-read", "clipboard-write"]


@pytest_asyncio.fixture(loop_scope="session")
async def edge(database: str) -> AsyncIterator[Node]:
    async with open_pool(database) as pool, node(pool, counter=Unlimited()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visits(browser: Browser, edge: Node) -> AsyncIterator[Visits]:
    async with AsyncExitStack() as closing:
        visits = Visits(browser, edge.url, closing)
        yield visits
    assert visits.watch.complaints() == []


async def codes_of(edge: Node, email: str) -> list[str]:
    """Newest first."""
    mails = await edge.http.get("/dev/mailbox", params={"to": email}, headers={"accept": "application/json"})
    return [mail["code"] for mail in mails.json()["data"]]


async def code_of(edge: Node, email: str = EMAIL) -> str:
    return (await codes_of(edge, email))[0]


async def asked(page: Page, email: str = EMAIL) -> Locator:
    """The code's field, after an address was given by keyboard alone."""
    await expect(page.get_by_label("E-mail address")).to_be_focused()
    await page.keyboard.type(email)
    await expect(page.get_by_role("button", name="Send code")).to_be_enabled()
    await page.keyboard.press("Enter")
    field = page.get_by_label("Six digits")
    await expect(field).to_be_focused()
    return field


async def signed_in(visits: Visits, edge: Node, email: str = EMAIL) -> Page:
    page = await visits.page()
    await page.goto("/login?then=/tokens")
    await asked(page, email)
    await page.keyboard.type(await code_of(edge, email))
    await page.wait_for_url(f"{edge.url}/tokens")
    return page


async def test_the_last_digit_signs_in_and_leads_back_to_what_was_asked_for(visits: Visits, edge: Node) -> None:
    page = await visits.page(width=360)
    await page.goto("/tokens?from=a#b")
    assert page.url.startswith(f"{edge.url}/login?then=")
    field = await asked(page)
    assert [await field.get_attribute(name) for name in ("autocomplete", "inputmode")] == ["one-time-code", "numeric"]
    await expect(page.get_by_text(EMAIL)).to_be_visible()
    await page.keyboard.type(await code_of(edge))
    await page.wait_for_url(f"{edge.url}/tokens?from=a#b")
    await page.goto("/login?then=/tokens")
    assert page.url == f"{edge.url}/tokens"


async def test_an_address_that_is_typed_before_the_page_is_ready_is_kept(visits: Visits, edge: Node) -> None:
    page = await visits.page()
    async with held_back(page, "login.js"):
        await page.goto("/login?then=/tokens", wait_until="commit")
        await page.get_by_label("E-mail address").fill(EMAIL)
        await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Send code").click()
    await expect(page.get_by_text(EMAIL)).to_be_visible()
    assert page.url == f"{edge.url}/login?then=/tokens"


async def test_a_code_may_be_pasted_anywhere_with_words_around_it(visits: Visits, edge: Node) -> None:
    page = await visits.page(permissions=CLIPBOARD)
    await page.goto("/login?then=/tokens")
    await asked(page)
    code = await code_of(edge)
    await page.evaluate("text => navigator.clipboard.writeText(text)", f"Your code is {code[:3]} {code[3:]}. It works")
    await page.get_by_role("button", name="Other address").focus()
    await page.keyboard.press("ControlOrMeta+V")
    await page.wait_for_url(f"{edge.url}/tokens")


async def test_a_wrong_code_is_told_where_it_was_typed_and_may_be_corrected(
    visits: Visits, edge: Node, tolerate: Tolerate
) -> None:
    tolerate("status of 422")
    page = await visits.page()
    await page.goto("/login?then=/tokens")
    field = await asked(page)
    code = await code_of(edge)
    await page.keyboard.type(f"{(int(code) + 1) % 10**6:06d}")
    await expect(page.get_by_role("alert").filter(has_text="wrong or has expired")).to_be_visible()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await page.keyboard.type(code)
    await page.wait_for_url(f"{edge.url}/tokens")


async def test_an_address_that_is_none_is_told_beside_it(visits: Visits, tolerate: Tolerate) -> None:
    tolerate("status of 422")
    page = await visits.page()
    await page.goto("/login")
    await page.keyboard.type("nobody")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="valid e-mail address")).to_be_visible()
    await expect(page.get_by_label("E-mail address")).to_be_focused()


async def test_a_new_code_may_be_asked_for_after_thirty_seconds(visits: Visits, edge: Node) -> None:
    page = await visits.page()
    await page.clock.install()
    await page.goto("/login?then=/tokens")
    await asked(page)
    codes = await codes_of(edge, EMAIL)
    again = page.get_by_role("button", name="Send again")
    await expect(again).to_be_disabled()
    await expect(again).to_have_text(re.compile(r"in (30|2\d) s"))
    await page.clock.fast_forward(31_000)
    await expect(again).to_have_text("Send again")
    async with page.expect_response("**/api/auth/email"):
        await again.click()
    await expect(again).to_be_disabled()
    newest, *earlier = await codes_of(edge, EMAIL)
    assert earlier == codes
    await page.get_by_label("Six digits").fill(newest)
    await page.wait_for_url(f"{edge.url}/tokens")


async def test_too_many_attempts_are_told_with_the_seconds_to_wait(browser: Browser, database: str) -> None:
    """Edge §1.7."""
    async with open_pool(database) as pool, node(pool, counter=MemoryCounter()) as edge, AsyncExitStack() as closing:
        page = await Visits(browser, edge.url, closing).page()
        await page.goto("/login")
        for number in range(6):
            await edge.http.post("/api/auth/email", json={"email": f"{number}@lane.test"})
        await page.keyboard.type(EMAIL)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert").filter(has_text=re.compile(r"Try again in \d+ s"))).to_be_visible()


async def test_when_nobody_answers_it_says_so(visits: Visits, tolerate: Tolerate) -> None:
    tolerate("ERR_FAILED")
    page = await visits.page()
    await page.goto("/login")
    await page.route("**/api/auth/email", lambda route: route.abort())
    await page.keyboard.type(EMAIL)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="cannot be reached")).to_be_visible()


async def test_signing_out_ends_this_browser_only(visits: Visits, edge: Node) -> None:
    page, other = await signed_in(visits, edge), await signed_in(visits, edge)
    await page.get_by_role("button", name="Account of").click()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await page.wait_for_url(f"{edge.url}/login")
    await page.go_back()
    await page.wait_for_url("**/login**")
    await other.reload()
    assert other.url.endswith("/tokens")


async def test_signing_out_everywhere_asks_first_and_ends_every_browser(visits: Visits, edge: Node) -> None:
    page, other = await signed_in(visits, edge), await signed_in(visits, edge)
    somebody = await signed_in(visits, edge, "somebody@lane.test")
    await page.get_by_role("button", name="Account of").click()
    await page.get_by_role("button", name="Sign out everywhere").click()
    dialog = page.get_by_role("dialog", name="Sign out everywhere?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_have_count(0)
    await page.get_by_role("button", name="Account of").click()
    await page.get_by_role("button", name="Sign out everywhere").click()
    await dialog.get_by_role("button", name="Sign out everywhere").click()
    await page.wait_for_url(f"{edge.url}/login")
    await other.reload()
    assert "/login?then=" in other.url
    await somebody.reload()
    assert somebody.url.endswith("/tokens")


async def test_in_the_local_profile_mail_is_one_click_away(visits: Visits) -> None:
    page = await visits.page()
    await page.goto("/login")
    async with page.expect_popup() as mailbox:
        await page.get_by_role("link", name="its mailbox").click()
    await expect((await mailbox.value).get_by_role("heading", name="Mailbox")).to_be_visible()


async def test_the_link_that_the_stack_printed_signs_in(browser: Browser, stack: Operator) -> None:
    address = f"http://127.0.0.1:{stack.port}"
    printed = re.findall(r"http\S+/dev/sign-in\S+", stack.oa("up").stdout)
    assert printed == [f"{address}/dev/sign-in?key={secrets.read(stack.data)['OA_LOCAL_SIGN_IN_KEY']}"]
    async with AsyncExitStack() as closing:
        page = await Visits(browser, address, closing).page()
        await page.goto(printed[0])
        assert page.url == f"{address}/"
        await expect(page.get_by_role("button", name="Account of you@example.test")).to_be_visible()
