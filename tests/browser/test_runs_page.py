"""Runs in the console: the list, a run's transcript as it is written, messages and cancels (issue 7, point 5)."""

import re
import secrets
from collections.abc import AsyncIterator

import pytest_asyncio
from oa_client.client import Client
from oa_client.runs import Run
from playwright.async_api import Page, expect

from tests.browser.people import Person
from tests.browser.spending import asks, service_of
from tests.browser.visits import Tolerate, Visits
from tests.local_stack import Operator

EVENTS = 260
"""More than a page of them."""


@pytest_asyncio.fixture(loop_scope="session")
async def service(stack: Operator, ada: Person) -> AsyncIterator[Client]:
    async with service_of(stack, ada) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def run(service: Client) -> Run:
    """One that was just made."""
    run = service.runs[f"thread_{secrets.token_hex(3)}", f"run_{secrets.token_hex(3)}"]
    await run.start()
    return run


async def test_a_run_is_started_fed_and_canceled(ada_page: Page) -> None:
    await ada_page.goto("/runs")
    await ada_page.keyboard.press("n")
    await ada_page.get_by_role("button", name="Start", exact=True).click()
    await expect(ada_page.get_by_text("Say what the run is to begin with.")).to_be_visible()
    await ada_page.get_by_label("First message").fill("Bonjour")
    await ada_page.get_by_role("button", name="Start", exact=True).click()
    await expect(ada_page).to_have_url(re.compile("/runs/run_[0-9a-f]{32}$"))
    await expect(ada_page.get_by_text("Bonjour")).to_be_visible()
    await ada_page.get_by_label("Message").fill("Encore")
    await ada_page.keyboard.press("Control+Enter")
    await expect(ada_page.locator(".block.said")).to_have_text([re.compile("Bonjour"), re.compile("Encore")])
    await expect(ada_page.get_by_label("Message")).to_have_value("")
    await ada_page.get_by_role("button", name="Cancel run").click()
    await ada_page.get_by_role("dialog").get_by_role("button", name="Cancel run").click()
    await expect(ada_page.locator("#status")).to_have_text("canceled")
    await expect(ada_page.get_by_text("The run was canceled: by hand, in the console")).to_be_visible()
    await expect(ada_page.get_by_label("Message")).to_be_hidden()


async def test_words_are_joined_as_they_are_written(ada_page: Page, run: Run) -> None:
    await ada_page.goto(f"/runs/{run.run_id}")
    await expect(ada_page.get_by_text("Nothing has happened yet.")).to_be_visible()
    for word in ("It takes ", "nine ", "seconds."):
        await run.say(word)
    await expect(ada_page.locator(".block.words p")).to_have_text(["It takes nine seconds."])
    await run.frame("finish", {"reason": "said all"})
    await expect(ada_page.locator("#status")).to_have_text("succeeded")


async def test_the_list_follows_status_and_last_words(ada_page: Page, run: Run) -> None:
    await ada_page.goto("/runs")
    row = ada_page.locator("#runs li").filter(has_text=run.thread_id)
    await expect(row).to_contain_text("waiting")
    await run.say("Nine seconds.")
    await expect(row).to_contain_text("Nine seconds.")
    await expect(row).to_contain_text("running")
    await ada_page.get_by_label("Status").select_option("Failed")
    await expect(row).to_have_count(0)
    await run.frame("fail", {"reason": "no route"})
    await expect(row).to_contain_text("failed")
    await ada_page.get_by_label("Search runs").fill("nobody said this")
    await expect(ada_page.get_by_text("No run matches.")).to_be_visible()
    await ada_page.get_by_label("Search runs").fill(run.run_id)
    await row.get_by_role("link").click()
    await expect(ada_page.get_by_role("heading", name=run.run_id)).to_be_visible()


async def test_what_was_written_while_the_page_was_offline_is_all_there(
    ada_page: Page, run: Run, tolerate: Tolerate
) -> None:
    tolerate("ERR_INTERNET_DISCONNECTED|WebSocket|could not be shown")
    await run.say("one ")
    await ada_page.goto(f"/runs/{run.run_id}")
    words = ada_page.locator(".block.words p")
    await expect(words).to_have_text("one")
    await ada_page.context.set_offline(True)
    for word in ("two ", "three ", "four"):
        await run.say(word)
    await ada_page.context.set_offline(False)
    await expect(words).to_have_text("one two three four")
    await run.say(" five")
    await expect(words).to_have_text("one two three four five")


async def expect_latest(page: Page, run: Run, seq: int) -> None:
    await page.goto(f"/runs/{run.run_id}")
    await expect(page.locator(".tile").filter(has_text="Events")).to_contain_text(str(seq))


async def test_older_events_come_on_scrolling_up_each_once_and_an_address_shows_one(ada_page: Page, run: Run) -> None:
    for number in range(EVENTS):
        await run.frame("note", {"n": number})
    await expect_latest(ada_page, run, EVENTS + 1)
    await ada_page.get_by_role("button", name="Raw events").click()
    seqs = ada_page.locator("#transcript li > .block-body .num")
    await expect(seqs).to_have_count(200)
    await ada_page.locator("#earlier").scroll_into_view_if_needed()
    await expect(seqs).to_have_text([f"#{seq}" for seq in range(1, EVENTS + 2)])
    await ada_page.goto(f"/runs/{run.run_id}?at=7")
    await expect(ada_page.locator("#at-7")).to_be_in_viewport()
    await expect(ada_page.locator("#at-7 pre")).to_contain_text('"n": 5')


async def test_spend_requests_have_their_answers_and_refusals_their_rule(
    ada_page: Page, service: Client, run: Run
) -> None:
    budget = await service.budgets.authorize(max_total_sats=9_000, max_per_call_sats=500)
    await ada_page.goto(f"/runs/{run.run_id}")
    await asks(run, "reserve", "tc_1", budget.authorization_id, amount_sats=400)
    await asks(run, "commit", "tc_1", budget.authorization_id, amount_sats=320)
    await asks(run, "reserve", "tc_2", budget.authorization_id, amount_sats=900)
    spent = ada_page.locator(".block.spend summary")
    await expect(spent).to_have_count(3)
    await expect(spent.nth(0)).to_contain_text("held")
    await expect(spent.nth(1)).to_contain_text("Pay 320\u202fsats for tc_1 paid")
    await expect(spent.nth(2)).to_contain_text("Refused: More than the budget allows in one call.")
    await spent.nth(2).click()
    await expect(ada_page.locator(".block.spend").nth(2)).to_contain_text("ledger › max_per_call_sats")
    await expect(ada_page.locator(".tile").filter(has_text="Cost")).to_contain_text("320\u202fsats")


async def test_the_hash_chain_is_verified(ada_page: Page, run: Run) -> None:
    """Runtime §1.4."""
    await run.say("one")
    await ada_page.goto(f"/runs/{run.run_id}")
    await expect(ada_page.locator(".block")).to_have_count(2)
    await ada_page.get_by_role("button", name="Verify").click()
    await expect(ada_page.get_by_text("intact to #2")).to_be_visible()


async def test_a_draft_survives_a_reload(ada_page: Page, run: Run) -> None:
    await ada_page.goto(f"/runs/{run.run_id}")
    await ada_page.get_by_label("Message").fill("half a thou")
    await ada_page.reload()
    await expect(ada_page.get_by_label("Message")).to_have_value("half a thou")


async def test_nobody_sees_somebody_elses_run(bob_page: Page, run: Run, tolerate: Tolerate) -> None:
    tolerate("40[34]")
    await run.say("for ada alone")
    await bob_page.goto(f"/runs/{run.run_id}")
    await expect(bob_page.get_by_text("This run belongs to somebody else.")).to_be_visible()
    await bob_page.goto("/runs/nobodys")
    await expect(bob_page.get_by_text("There is no such run.")).to_be_visible()
    await bob_page.goto("/runs")
    await expect(bob_page.get_by_role("heading", name="No runs")).to_be_visible()


async def test_a_phone_reads_to_the_end_and_writes(visits: Visits, ada: Person, run: Run) -> None:
    for number in range(40):
        await run.say(f"{number} seconds. ")
        await run.frame("note", {"n": number})
    page = await visits.page(ada, width=360, theme="dark")
    await expect_latest(page, run, 81)
    await expect(page.get_by_text("39 seconds.")).to_be_in_viewport()
    await page.get_by_label("Message").fill("thanks")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("thanks")).to_be_in_viewport()
