"""Web Push: only the browser can read it, the push service knows who sends it, and the gone are forgotten (ADR 15)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import http_ece
import pytest
from cryptography.exceptions import InvalidTag
from http_ece import ECEException

from ops.serving.edge import push_key
from producers.eventlog.log import EventLog
from schemas import compact
from schemas.answer_links import opened
from tests.push_service import VAPID_PRIVATE_KEY, Browser, pushed_to, sender
from tests.services import eventually
from tests.told import LINKS, QUICK, Owner, delivering, now, owner_of

Pool = asyncpg.Pool
PUSHING = replace(QUICK, vapid_private_key=VAPID_PRIVATE_KEY, vapid_subject="mailto:operator@lane.test")


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
async def ada(pool: "Pool[Any]", log: EventLog) -> Owner:
    return await owner_of(pool, log, "ada@lane.test")


@pytest.fixture
async def browser(ada: Owner) -> AsyncIterator[Browser]:
    """Ada's phone."""
    async with pushed_to() as browser:
        await ada.outlets.allow(ada.user_id, browser.url, browser.keys, "phone")
        yield browser


async def test_a_question_arrives_with_its_answers_and_only_the_browser_can_read_it(
    pool: "Pool[Any]", log: EventLog, ada: Owner, browser: Browser
) -> None:
    await ada.ask("ap-1")
    async with delivering(pool, log, PUSHING):
        await eventually(lambda: bool(browser.read))
    [message], [headers] = browser.read, browser.requests
    assert message["notification"]["notification_id"] == "approval/wk1/ap-1"
    link = opened(LINKS.key, message["answers"]["deny"].removeprefix(f"{LINKS.origin}/answer/"))
    assert (link.approval_id, link.decision) == ("ap-1", "deny")
    assert (headers["content-encoding"], headers["urgency"]) == ("aes128gcm", "high")
    assert 0 < int(headers["ttl"]) <= 300
    assert len(headers["topic"]) == 32


async def test_another_browsers_keys_read_nothing() -> None:
    """What the tests' own decryption would accept says something only if it refuses what is not for it."""
    one, other = Browser(), Browser()
    body = http_ece.encrypt(
        b"{}",
        private_key=other.private,
        dh=compact.decode(one.keys["p256dh"]),
        auth_secret=one.secret,
        version="aes128gcm",
    )
    assert one.decrypted(body) == b"{}"
    with pytest.raises((ECEException, InvalidTag)):
        other.decrypted(body)


async def test_the_push_service_is_told_who_sends(
    pool: "Pool[Any]", log: EventLog, ada: Owner, browser: Browser
) -> None:
    """RFC 8292: the key that browsers were given, for this service, for less than a day."""
    await ada.tell("worker/wk1")
    async with delivering(pool, log, PUSHING):
        await eventually(lambda: bool(browser.read))
    key, claims = sender(browser.requests[0]["authorization"])
    assert key == push_key(VAPID_PRIVATE_KEY)
    assert claims["aud"] == browser.url.removesuffix("/push/a")
    assert claims["sub"] == "mailto:operator@lane.test"
    assert 0 < claims["exp"] - now().timestamp() < 24 * 3600
    assert (browser.requests[0]["urgency"], browser.requests[0]["ttl"]) == ("normal", "86400")


async def test_nobody_is_woken_by_what_is_over(pool: "Pool[Any]", log: EventLog, ada: Owner, browser: Browser) -> None:
    """Cleared, cleared meanwhile, too late to answer; what is still so comes."""
    await ada.tell("worker/a")
    await ada.tell("worker/a", status="cleared")
    await ada.ask("late", within=timedelta(seconds=-1))
    await ada.tell("worker/b")
    async with delivering(pool, log, PUSHING):
        await eventually(lambda: bool(browser.read))
        await until_read(ada, 4)
    assert [message["notification"]["notification_id"] for message in browser.read] == ["worker/b"]


async def until_read(owner: Owner, cursor: int) -> None:
    async with asyncio.timeout(10):
        while (await owner.stands())["cursor"] != cursor:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(
    pool: "Pool[Any]", log: EventLog, ada: Owner, browser: Browser, status: int
) -> None:
    browser.statuses = [status]
    await ada.tell("worker/a")
    async with delivering(pool, log, PUSHING), asyncio.timeout(10):
        while await ada.stands():  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.02)
    assert browser.read == []


async def test_a_push_service_that_is_busy_is_asked_again(
    pool: "Pool[Any]", log: EventLog, ada: Owner, browser: Browser
) -> None:
    browser.statuses = [429, 503, 201]
    await ada.tell("worker/a")
    async with delivering(pool, log, PUSHING):
        await eventually(lambda: bool(browser.read))
        await until_read(ada, 1)
    assert len(browser.requests) == 3


async def test_keys_that_no_browser_has_are_a_failure_like_another(
    pool: "Pool[Any]", log: EventLog, ada: Owner
) -> None:
    await ada.outlets.allow(ada.user_id, "http://127.0.0.1:9/", {"p256dh": "B" + "A" * 86, "auth": "A" * 22}, "")
    await ada.tell("worker/a")
    async with delivering(pool, log, PUSHING, first_pause=timedelta(hours=1)), asyncio.timeout(10):
        while not (await ada.stands())["failures"]:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.02)
    assert (await ada.stands())["last_error"] == "its keys are no keys of a browser"


async def test_without_a_key_nothing_is_pushed_and_nothing_is_lost(
    pool: "Pool[Any]", log: EventLog, ada: Owner, browser: Browser
) -> None:
    await ada.tell("worker/a")
    async with delivering(pool, log):
        _, secret = await ada.webhook(browser.url)  # something else that is delivered tells that the loop runs
        await ada.tell("worker/b")
        async with asyncio.timeout(10):
            while not await pool.fetchval("select count(*) from outlet_attempts"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert secret
    assert browser.read == []
    async with delivering(pool, log, PUSHING):
        await eventually(lambda: len(browser.read) == 2)


async def test_a_browser_belongs_to_whoever_allowed_it_last(
    pool: "Pool[Any]", log: EventLog, ada: Owner, browser: Browser
) -> None:
    """On a shared computer nobody sees what is told to whoever was there before."""
    bob = await owner_of(pool, log, "bob@lane.test")
    await ada.tell("hers")
    await bob.outlets.allow(bob.user_id, browser.url, browser.keys, "the same")
    await ada.tell("hers too")
    await bob.tell("his")
    async with delivering(pool, log, PUSHING):
        await eventually(lambda: bool(browser.read))
        await until_read(bob, 3)
    assert [message["notification"]["notification_id"] for message in browser.read] == ["his"]
    assert await ada.outlets.list(ada.user_id, "push") == []


async def test_a_browser_that_is_allowed_again_misses_nothing(
    pool: "Pool[Any]", log: EventLog, ada: Owner, browser: Browser
) -> None:
    await ada.tell("worker/a")
    await ada.outlets.allow(ada.user_id, browser.url, browser.keys, "renamed")
    async with delivering(pool, log, PUSHING):
        await eventually(lambda: bool(browser.read))
    assert [one.name for one in await ada.outlets.list(ada.user_id, "push")] == ["renamed"]
