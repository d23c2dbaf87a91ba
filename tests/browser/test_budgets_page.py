"""Budgets in the console: what is granted, held, spent and free, and why something was refused (issue 7, point 5)."""

import secrets
from collections.abc import AsyncIterator

import pytest_asyncio
from oa_client.client import Client
from playwright.async_api import Locator, Page, expect

from tests.browser.people import Person
from tests.browser.spending import asks, service_of
from tests.browser.visits import Tolerate
from tests.local_stack import Operator

THIN = "\u202f"


@pytest_asyncio.fixture(loop_scope="session")
async def service(stack: Operator, ada: Person) -> AsyncIterator[Client]:
    async with service_of(stack, ada) as client:
        yield client


def new_name() -> str:
    return f"auth_{secrets.token_hex(3)}"


def figures(within: Page | Locator) -> Locator:
    return within.locator(".figure dd")


async def test_a_budget_is_made_below_another(ada_page: Page, service: Client, tolerate: Tolerate) -> None:
    tolerate("422")
    root = await service.budgets.authorize(authorization_id=new_name(), max_total_sats=120_000)
    name = new_name()
    await ada_page.goto("/budgets")
    await expect(ada_page.get_by_role("link", name=root.authorization_id)).to_be_visible()
    await ada_page.keyboard.press("n")
    dialog = ada_page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill(name)
    await dialog.get_by_label("Below").select_option(root.authorization_id)
    await dialog.get_by_label("In total").fill("5 000")
    await dialog.get_by_label("Each call").select_option("asks above a threshold")
    await dialog.get_by_label("Threshold").fill("many")
    await dialog.get_by_role("button", name="Create budget").click()
    await expect(dialog.get_by_label("Threshold")).to_have_attribute("aria-invalid", "true")
    await dialog.get_by_label("Threshold").fill("200")
    await dialog.get_by_role("button", name="Create budget").click()
    card = ada_page.locator(".budget").filter(has=ada_page.get_by_role("link", name=name))
    await expect(figures(card)).to_have_text([f"5{THIN}000{THIN}sats", "0", "0", f"5{THIN}000{THIN}sats"])
    await expect(card).to_contain_text(f"Asks above 200{THIN}sats")
    await card.get_by_role("link", name=name).click()
    await expect(ada_page.locator(".path")).to_contain_text(root.authorization_id)


async def test_the_meter_follows_what_agents_spend(ada_page: Page, service: Client) -> None:
    """Runtime §3.3, §3.5: held while it is open, then spent."""
    budget = await service.budgets.authorize(authorization_id=new_name(), max_total_sats=1_000)
    run = service.runs["thread_budgets", f"run_{secrets.token_hex(3)}"]
    await run.start()
    await ada_page.goto(f"/budgets/{budget.authorization_id}")
    await expect(ada_page.get_by_text("Nothing is held.")).to_be_visible()
    await asks(run, "reserve", "tc_1", budget.authorization_id, amount_sats=400, metadata={"tool": "data.buy"})
    held = ada_page.locator("#holds li")
    await expect(held).to_contain_text(f"400{THIN}sats")
    await expect(held).to_contain_text(f"data.buy call tc_1 of {run.run_id}")
    whole = f"1{THIN}000{THIN}sats"
    await expect(figures(ada_page)).to_have_text([whole, "0", "400", f"600{THIN}sats"])
    await asks(run, "commit", "tc_1", budget.authorization_id, amount_sats=320)
    await expect(ada_page.locator("#settled li")).to_contain_text(f"320{THIN}sats")
    await expect(figures(ada_page)).to_have_text([whole, "320", "0", f"680{THIN}sats"])


async def test_a_denial_tells_reason_rule_and_inputs_on_every_budget_concerned(ada_page: Page, service: Client) -> None:
    """Runtime §3.6."""
    root = await service.budgets.authorize(authorization_id=new_name(), max_per_day_sats=100)
    leaf = await service.budgets.authorize(
        authorization_id=new_name(), parent_authorization_id=root.authorization_id, max_total_sats=900
    )
    run = service.runs["thread_budgets", f"run_{secrets.token_hex(3)}"]
    await run.start()
    await asks(run, "reserve", "tc_1", leaf.authorization_id, amount_sats=101)
    denial = ada_page.locator(".denial")
    await ada_page.goto(f"/budgets/{leaf.authorization_id}")
    await expect(denial).to_contain_text(f"More than the budget {root.authorization_id} above it allows in one day")
    await ada_page.goto(f"/budgets/{root.authorization_id}")
    await expect(denial).to_contain_text("More than this budget allows in one day (UTC).")
    await expect(denial).to_contain_text(f"101{THIN}sats for tool call tc_1 · ledger › max_per_day_sats")
    await denial.locator("summary").click()
    await expect(denial.get_by_text("policy_denied.budget_exhausted", exact=True)).to_be_visible()
    await expect(denial.locator("pre")).to_contain_text('"refused_by"')
    await denial.get_by_role("link", name=run.run_id).click()
    await expect(ada_page.locator(".block.wanted")).to_contain_text("Refused:")


async def test_a_budget_is_revoked_after_a_question_and_with_it_what_is_below(ada_page: Page, service: Client) -> None:
    """DEC-29."""
    root = await service.budgets.authorize(authorization_id=new_name())
    leaf = await service.budgets.authorize(authorization_id=new_name(), parent_authorization_id=root.authorization_id)
    await ada_page.goto(f"/budgets/{root.authorization_id}")
    await ada_page.get_by_role("button", name="Revoke").click()
    await ada_page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await expect(ada_page.locator("#status")).to_have_text("active")
    await ada_page.get_by_role("button", name="Revoke").click()
    await ada_page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(ada_page.locator("#status")).to_have_text("revoked")
    await expect(ada_page.get_by_role("button", name="Revoke")).to_be_hidden()
    await ada_page.get_by_role("link", name=leaf.authorization_id).click()
    await expect(ada_page.locator("#status")).to_have_text("revoked above")


async def test_nobody_sees_somebody_elses_budget(bob_page: Page, service: Client, tolerate: Tolerate) -> None:
    tolerate("40[34]")
    budget = await service.budgets.authorize(authorization_id=new_name())
    await bob_page.goto(f"/budgets/{budget.authorization_id}")
    await expect(bob_page.get_by_text("This budget belongs to somebody else.")).to_be_visible()
    await bob_page.goto("/budgets/nobodys")
    await expect(bob_page.get_by_text("There is no such budget.")).to_be_visible()
    await bob_page.goto("/budgets")
    await expect(bob_page.get_by_role("heading", name="No budgets")).to_be_visible()
