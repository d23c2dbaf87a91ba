"""Issue 7 point 6: operators see what stands still, and release what is parked.

An edge of its own without relay and processors: what stands still there is known, and harms nobody.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import asyncpg
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from ops.database import open_pool
from processors.log_source import LogSource
from processors.projector import Projector
from producers.eventlog.reader import LogReader
from readmodels.engine import skips
from readmodels.workers import SUMMARIES
from tests.account_app import Unlimited
from tests.browser.people import sign_in
from tests.browser.visits import Tolerate, Visits
from tests.nodes import SETTINGS, Node, node
from tests.quarantined import FAULTY, POISON
from tests.worker_events import STARTED, Log, commit, delivered, heartbeat

Pool = asyncpg.Pool
OPERATOR = "ada@lane.test"
PARTITIONS = 6


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator["Pool[Any]"]:
    async with open_pool(database) as pool:
        yield pool


@pytest_asyncio.fixture(loop_scope="session")
async def edge(pool: "Pool[Any]") -> AsyncIterator[Node]:
    """Of one module's log, whose three processes are said to run."""
    await pool.execute("truncate quarantine, skips, parked_reactions, processes")
    for kind in ("edge", "relay", "processors"):
        await pool.execute(RUNS, kind)
    async with node(pool, replace(SETTINGS, admin_emails=(OPERATOR,)), Unlimited()) as running:
        yield running


RUNS = "insert into processes values ($1, $1, 'desk', 7, true, 'ready', 0, 0, now(), now() + interval '1 hour')"


@pytest_asyncio.fixture(loop_scope="session")
async def visits(browser: Browser, edge: Node) -> AsyncIterator[Visits]:
    async with AsyncExitStack() as closing:
        visits = Visits(browser, edge.url, closing)
        yield visits
    assert visits.watch.complaints() == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(visits: Visits, edge: Node) -> Page:
    page = await visits.page(await sign_in(edge.url, OPERATOR))
    await page.goto("/")
    await page.get_by_role("link", name="System").click()
    await expect(page.get_by_role("heading", name="Processes")).to_be_visible()
    return page


def hop(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="From the log").get_by_role("listitem").filter(has_text=name)


async def parked(pool: "Pool[Any]") -> None:
    """The second of three events is poison for a view's code, which is mended afterwards."""
    head = await pool.fetchval("select position from log_head")
    log, worker_id = Log(head + 1), f"desk-{head}"
    for event in (STARTED, POISON, heartbeat()):
        log.append(worker_id, event)
    await commit(pool, log.events)
    rows = [(SUMMARIES.topic, partition) for partition in range(PARTITIONS)]
    await pool.executemany("insert into relay_progress values ($1, $2, 0, 0, 1) on conflict do nothing", rows)
    source = LogSource(LogReader(pool), SUMMARIES.topic, PARTITIONS)
    await Projector(pool, FAULTY, 1, source).apply(delivered(log.events))


async def test_nobody_else_sees_it(visits: Visits, edge: Node, tolerate: Tolerate) -> None:
    """edge §0: nor that there is such a page"""
    tolerate("status of 403")
    page = await visits.page(await sign_in(edge.url, "bob@lane.test"))
    await page.goto("/")
    await expect(page.get_by_role("link", name="Workers").first).to_be_visible()
    await expect(page.get_by_role("link", name="System")).to_have_count(0)
    answer = await page.goto("/system")
    assert answer
    assert answer.status == 403
    await expect(page.get_by_role("heading", name="Processes")).to_have_count(0)


async def test_while_all_goes_well_it_says_so(page: Page) -> None:
    await expect(page.get_by_role("status").filter(has_text="Nothing needs you.")).to_be_visible()
    await expect(hop(page, "Kafka")).to_contain_text("caught up")
    await expect(page.get_by_role("row", name=re.compile("relay.*desk · 7.*ready"))).to_be_visible()


async def test_who_is_gone_is_seen_without_a_reload(page: Page, pool: "Pool[Any]") -> None:
    await pool.execute("update processes set seen_at = now() - interval '12 s' where kind = 'relay'")
    await expect(page.get_by_text("No process says that it is the relay and runs.")).to_be_visible()
    await expect(hop(page, "Kafka")).to_have_class(re.compile(r"\bbad\b"))
    await expect(page.get_by_role("row", name=re.compile("relay.*gone"))).to_be_visible()
    await pool.execute("update processes set seen_at = now() + interval '1 hour'")
    await expect(page.get_by_text("Nothing needs you.")).to_be_visible()


async def test_a_parked_document_is_retried_by_keyboard(page: Page, pool: "Pool[Any]") -> None:
    await parked(pool)
    row = page.get_by_role("list").filter(has=page.get_by_text("ValueError('poison')")).get_by_role("listitem")
    await expect(row).to_contain_text("1 event waits behind it")
    await expect(page.get_by_text("QuarantineNotEmpty")).to_be_visible()
    await expect(hop(page, "Views")).to_have_class(re.compile(r"\bbad\b"))
    await expect(hop(page, "Views")).to_contain_text("1 parked")
    await row.get_by_text("The event").press("Enter")
    await expect(row.get_by_text("worker.event v0")).to_be_visible()
    seen = await page.locator("#as-of").inner_text()
    await expect(page.locator("#as-of")).not_to_have_text(seen)
    await expect(row.get_by_text("worker.event v0")).to_be_visible()  # an open row stays open
    await row.get_by_role("button", name="Retry").press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("tries")
    await page.keyboard.press("Escape")
    await expect(row).to_be_visible()
    await row.get_by_role("button", name="Retry").press("Enter")
    await page.get_by_role("dialog").get_by_role("button", name="Retry").press("Enter")
    await expect(page.locator("#toasts")).to_contain_text("goes on.")
    await expect(page.get_by_role("heading", name="Parked")).to_be_hidden()
    assert await pool.fetchval("select count(*) from quarantine") == 0


async def test_an_event_is_dropped_with_a_reason(visits: Visits, edge: Node, pool: "Pool[Any]") -> None:
    """on a phone"""
    await parked(pool)
    page = await visits.page(await sign_in(edge.url, OPERATOR), width=360)
    await page.goto("/system")
    await page.get_by_role("button", name="Drop").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Drop the event").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Say why")
    assert await skips.every(pool) == []
    await dialog.get_by_label("Why").fill("a client's mistake")
    await page.keyboard.press("Enter")
    await expect(page.locator("#toasts")).to_contain_text("goes on.")
    (skip,) = await skips.every(pool)
    assert (skip.skipped_by, skip.reason) == (OPERATOR, "a client's mistake")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_what_was_seen_stays_with_its_age_while_nobody_answers(page: Page, tolerate: Tolerate) -> None:
    tolerate("ERR_FAILED")
    await page.route("**/api/system", lambda route: route.abort())
    await expect(page.get_by_role("alert").filter(has_text="old: The server cannot be reached.")).to_be_visible()
    await expect(page.get_by_role("heading", name="Processes")).to_be_visible()
    await page.unroute("**/api/system")
    await expect(page.get_by_role("alert").filter(has_text="old")).to_have_count(0)
