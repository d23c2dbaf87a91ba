"""Delivery events on the signed API of real edges (runtime §2.10, §2.18, §1.10; DEC-18, DEC-21, DEC-49; ADR 12)."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from edge.auth.request_token import HEADER
from producers.deliveries import DECIDER
from producers.eventlog.erasure import erase
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from tests.nodes import Node, node, signed_token

PATH = "/internal/v1/comms/delivery-events"
TOLD = {"provider": "resend", "delivery_state": "delivered", "payload": {"to": "ada@lane.test"}}


@pytest.fixture
async def here(pool: "asyncpg.Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


async def post(here: Node, body: dict[str, Any]) -> httpx.Response:
    """As a service that speaks for nobody (runtime §2.3)."""
    return await here.http.post(PATH, json=body, headers={HEADER: signed_token()})


async def test_a_delivery_is_accepted_once_and_then_replayed(here: Node, pool: "asyncpg.Pool[Any]") -> None:
    """Runtime §2.10, §2.18: also by another node that has never seen it."""
    answer = await post(here, {"event_id": "e:1/a", **TOLD})
    assert answer.status_code == 202
    assert answer.json() == {"eventId": "e:1/a", "status": "accepted", "idempotentReplay": False}
    for _ in range(2):
        async with node(pool) as elsewhere:
            again = await post(elsewhere, {"event_id": "e:1/a", **TOLD, "provider": "other"})
            assert (again.status_code, again.json()["idempotentReplay"]) == (200, True)
    [event] = await LogReader(pool).read_stream("delivery/e:1/a", 0, 10)
    assert (event.owner, event.payload["payload"]) == ("system", {"to": "[REDACTED_EMAIL]"})


async def test_another_payload_is_a_conflict(here: Node) -> None:
    """Runtime §2.10, DEC-21."""
    assert (await post(here, {"event_id": "e:2", **TOLD})).status_code == 202
    answer = await post(here, {"event_id": "e:2", **TOLD, "payload": {}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


async def test_of_many_at_once_one_is_the_first(here: Node, pool: "asyncpg.Pool[Any]") -> None:
    async with contextlib.AsyncExitStack() as stack:
        nodes = [here, await stack.enter_async_context(node(pool))]
        calls = [post(nodes[number % 2], {"event_id": "e:3", **TOLD}) for number in range(20)]
        statuses = Counter(answer.status_code for answer in await asyncio.gather(*calls))
    assert statuses == {202: 1, 200: 19}


async def test_every_broken_rule_is_told_at_once(here: Node) -> None:
    """Runtime §2.10, DEC-18, DEC-49."""
    broken = {"event_id": "e\x1f", "provider": "r", "delivery_state": "opened", "payload": [1], "occurred_at": "soon"}
    answer = await post(here, broken)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert len(answer.json()["error"]["details"]) == len(broken)


async def test_what_is_not_told_is_not_recorded(here: Node, pool: "asyncpg.Pool[Any]") -> None:
    """Without a payload it is an empty one; PHP's empty object too."""
    body = {"event_id": "e:4", "provider": "resend", "delivery_state": "unsubscribed", "reason": None, "recipient": " "}
    assert (await post(here, body)).status_code == 202
    assert (await post(here, {**body, "payload": []})).status_code == 200
    [event] = await LogReader(pool).read_stream("delivery/e:4", 0, 10)
    assert set(event.payload) == {"event_id", "provider", "delivery_state", "payload", "payload_hash"}


async def test_what_the_system_was_told_can_be_erased(here: Node, pool: "asyncpg.Pool[Any]") -> None:
    """ADR 12: `oa erase system`; what comes again is still known."""
    assert (await post(here, {"event_id": "e:5", **TOLD})).status_code == 202
    log = EventLog(pool)
    try:
        erased = await erase(pool, log, "system", [DECIDER])
    finally:
        await log.close()
    assert erased.told["delivery/e:5"] == 2
    first, _ = await LogReader(pool).read_stream("delivery/e:5", 0, 10)
    assert first.erased
    assert (await post(here, {"event_id": "e:5", **TOLD})).status_code == 200
