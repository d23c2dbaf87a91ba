"""Issue 7 point 1: personal tokens are made, shown once, used and revoked."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.account_app import bearer
from tests.browser.people import TOKEN, Person, sign_in
from tests.browser.visits import Tolerate, Visits


@pytest_asyncio.fixture(loop_scope="session")
async def person(console_url: str) -> Person:
    return await sign_in(console_url, f"{uuid4().hex[:12]}@browser.test")


@pytest_asyncio.fixture(loop_scope="session")
async def page(visits: Visits, person: Person) -> Page:
    page = await visits.page(person, permissions=["clipboard-read", "clipboard-write"])
    await page.goto("/tokens")
    return page


@pytest_asyncio.fixture(loop_scope="session")
async def http(console_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=console_url) as http:
        yield http


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_text(name, exact=True))


async def made(page: Page, name: str) -> str:
    """By keyboard alone: what the page shows, and copies."""
    await expect(row(page, TOKEN)).to_be_visible()
    await page.keyboard.press("n")
    await page.keyboard.type(name)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name=f"“{name}” is ready")).to_be_focused()
    shown = await page.locator("#secret").inner_text()
    await page.get_by_role("button", name="Copy").press("Enter")
    await expect(page.get_by_text("Copied.")).to_be_visible()
    assert await page.evaluate("() => navigator.clipboard.readText()") == shown
    return shown


async def test_a_token_is_shown_once_works_and_ends_when_it_is_revoked(
    page: Page, person: Person, http: httpx.AsyncClient
) -> None:
    token = await made(page, "build server")
    me = await http.get("/api/me", headers=bearer(token))
    assert me.json()["data"]["user"]["email"] == person.email
    await expect(row(page, "build server").get_by_text("expires in 30 d")).to_be_visible()

    await page.reload()
    await expect(row(page, "build server")).to_contain_text("used")
    assert token.partition("|")[2] not in await page.content()

    await page.get_by_role("button", name="Revoke build server").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert (await http.get("/api/me", headers=bearer(token))).status_code == 200
    await page.get_by_role("button", name="Revoke build server").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(row(page, "build server")).to_have_count(0)
    await expect(row(page, TOKEN)).to_be_visible()
    assert (await http.get("/api/me", headers=bearer(token))).status_code == 401


async def test_all_are_revoked_at_once(page: Page, person: Person, http: httpx.AsyncClient) -> None:
    token = await made(page, "second")
    await page.get_by_role("button", name="Revoke all").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke all").click()
    await expect(page.get_by_role("heading", name="No tokens")).to_be_visible()
    statuses = [(await http.get("/api/me", headers=bearer(one))).status_code for one in (token, person.token)]
    assert statuses == [401, 401]


async def test_one_without_a_name_is_not_made(page: Page, tolerate: Tolerate) -> None:
    tolerate("status of 422")
    await page.get_by_role("button", name="New token").click()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="name field")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_when_they_cannot_be_read_it_says_so_and_tries_again(page: Page, tolerate: Tolerate) -> None:
    tolerate("ERR_FAILED")
    await page.route("**/api/tokens", lambda route: route.abort())
    await page.reload()
    await expect(page.get_by_role("heading", name="The tokens cannot be read")).to_be_visible()
    await page.unroute("**/api/tokens")
    await page.get_by_role("button", name="Try again").click()
    await expect(row(page, TOKEN)).to_be_visible()
