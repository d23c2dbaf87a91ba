"""What owners are notified of, once until it is over, whoever looks how often (runtime §10.4; ADR 14)."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from processors.notifications import Notifier
from producers import workers
from producers.eventlog.commands import Item
from producers.workers import CreateWorker, StopWorker
from schemas.events import Payload
from schemas.names import worker_stream
from tests.charged_workers import OWNER, Desk, desk_of
from tests.submissions import NOON

Pool = asyncpg.Pool
APPROVAL = {
    "approval_id": "ap-1",
    "kind": "command",
    "thread_id": "th",
    "turn_id": "t",
    "item_id": "i",
    "choices": ["accept", "deny"],
    "expires_at": "2026-02-20T12:05:00Z",
}


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def later(self, **passed: float) -> None:
        self.now += timedelta(**passed)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desk(pool: "Pool[Any]", clock: Clock) -> AsyncIterator[Desk]:
    async with desk_of(pool, clock) as desk:
        await desk.log.execute(workers.DECIDER, worker_stream(OWNER, "wk1"), OWNER, [Item(CreateWorker("wk1"))])
        yield desk


@pytest.fixture
def notifier(pool: "Pool[Any]", desk: Desk) -> Notifier:
    return Notifier(pool, desk.log)


async def everything(desk: Desk, notifier: Notifier) -> None:
    """All of the log, stream by stream, as if it came for the first time."""
    by_stream: dict[str, list[Any]] = {}
    for event in await desk.reader.read_all(0, 100_000):
        if event.kind in ("budget", "worker"):
            by_stream.setdefault(event.stream, []).append(event)
    for events in by_stream.values():
        await notifier.react(events)


async def told(desk: Desk) -> list[tuple[str, str]]:
    """Type and id of what was written about notifications."""
    events = await desk.reader.read_all(0, 100_000)
    mine = [event for event in events if event.kind == "notification" and "turn/" not in event.stream]
    return [(event.type.removeprefix("notification."), event.payload["notification_id"]) for event in mine]


async def use(desk: Desk, turns: Mapping[str, int]) -> None:
    """Sats that turns of workers hold, and spend."""
    for name, sats in turns.items():
        await desk.bind(name, sats)
        await desk.end(name, sats * 1000)


@pytest.mark.parametrize(("sats", "raised"), [(79, False), (80, True), (100, True)])
async def test_a_budget_of_which_four_fifths_are_used_is_told_once(
    desk: Desk, notifier: Notifier, sats: int, raised: bool
) -> None:
    """runtime §3.4: held and spent count"""
    await desk.authorize(max_total_sats=100)
    await use(desk, {"wk2": sats})
    for _ in range(2):
        await everything(desk, notifier)
    assert await told(desk) == [("raised", "budget/a")] * raised
    if raised:
        [notification] = [one for one in await desk.notifications() if one["cause"] == "budget_nearly_spent"]
        snapshot = {"spent_sats": sats, "reserved_sats": 0, "remaining_sats": 100 - sats}
        assert notification["subject"] == {"authorization_id": "a", "max_total_sats": 100, **snapshot}


async def test_a_budget_that_has_enough_again_is_cleared_and_may_be_told_again(desk: Desk, notifier: Notifier) -> None:
    """runtime §3.5: what was held and not used is free again"""
    await desk.authorize(max_total_sats=100)
    await desk.bind("wk2", 90)
    await desk.report("wk2", 1000)
    await everything(desk, notifier)
    await desk.end("wk2", 1000)
    await everything(desk, notifier)
    await use(desk, {"wk3": 90})
    await everything(desk, notifier)
    assert await told(desk) == [("raised", "budget/a"), ("cleared", "budget/a"), ("raised", "budget/a")]


async def test_a_budget_without_an_end_is_never_nearly_spent(desk: Desk, notifier: Notifier) -> None:
    await desk.authorize()
    await use(desk, {"wk2": 1_000_000})
    await everything(desk, notifier)
    assert await told(desk) == []


ANSWER: Payload = {"approval_id": "ap-1", "decision": "deny", "cause": "silence"}


async def test_an_approval_waits_until_it_is_answered(desk: Desk, notifier: Notifier) -> None:
    """ADR 13"""
    await desk.append("wk1", "worker.approval.requested", APPROVAL)
    for _ in range(2):
        await everything(desk, notifier)
    assert await told(desk) == [("raised", "approval/wk1/ap-1")]
    await desk.append("wk1", "worker.approval.answered", ANSWER)
    for _ in range(2):
        await everything(desk, notifier)
    assert await told(desk) == [("raised", "approval/wk1/ap-1"), ("cleared", "approval/wk1/ap-1")]


async def test_an_approval_that_was_answered_before_anybody_looked_is_not_told(desk: Desk, notifier: Notifier) -> None:
    await desk.append("wk1", "worker.approval.requested", APPROVAL)
    await desk.append("wk1", "worker.approval.answered", ANSWER)
    await everything(desk, notifier)
    assert await told(desk) == []


async def test_nobody_waits_for_a_worker_that_was_stopped(desk: Desk, notifier: Notifier) -> None:
    """runtime §7.1; a worker whose name begins alike keeps its own"""
    for name in ("wk1", "wk1:b"):
        await desk.log.execute(workers.DECIDER, worker_stream(OWNER, name), OWNER, [Item(CreateWorker(name))])
        await desk.append(name, "worker.approval.requested", APPROVAL)
    await everything(desk, notifier)
    stream = worker_stream(OWNER, "wk1")
    [stopped] = await desk.log.execute(workers.DECIDER, stream, OWNER, [Item(StopWorker())])
    await notifier.react(stopped.events)
    raised = [("raised", "approval/wk1/ap-1"), ("raised", "approval/wk1:b/ap-1")]
    assert await told(desk) == [*raised, ("cleared", "approval/wk1/ap-1")]


async def unpaid(desk: Desk, *names: str) -> None:
    """The first turn of each worker uses its hold up and is interrupted."""
    await desk.authorize()
    for name in names:
        await desk.bind(name, 2)
        await desk.report(name, 2000)
        await desk.end(name, 2000, "interrupted")


async def open_turns(desk: Desk, notifier: Notifier) -> list[str]:
    """Those that are left when all of the log, and of holds, has come once more."""
    by_stream: dict[str, list[Any]] = {}
    for event in await desk.reader.read_all(0, 100_000):
        if event.kind in ("budget", "hold", "worker"):
            by_stream.setdefault(event.stream, []).append(event)
    for events in by_stream.values():
        await notifier.react(events)
    left: dict[str, bool] = {}
    for event in await desk.reader.read_all(0, 100_000):
        if event.kind == "notification" and "turn/" in event.stream:
            left[event.payload["notification_id"]] = event.type == "notification.raised"
    return sorted(notification_id for notification_id, is_open in left.items() if is_open)


async def test_an_unpaid_turn_is_open_until_a_later_one_is_paid(desk: Desk, notifier: Notifier) -> None:
    """runtime §10.4; its own hold is older, and another worker's pays nothing of it"""
    await unpaid(desk, "wk1", "wk1:b")
    assert await open_turns(desk, notifier) == ["turn/wk1/t-wk1", "turn/wk1:b/t-wk1:b"]
    await desk.report("wk1", 1000, turn_id="t-next")
    assert await open_turns(desk, notifier) == ["turn/wk1:b/t-wk1:b"]
    await desk.report("wk1", 2000, turn_id="t-next")
    assert await open_turns(desk, notifier) == ["turn/wk1/t-next", "turn/wk1:b/t-wk1:b"]


async def test_an_unpaid_turn_is_nobodys_concern_once_its_worker_is_bound_anew(desk: Desk, notifier: Notifier) -> None:
    await unpaid(desk, "wk1")
    await desk.append("wk1", "worker.charging.set", {})
    assert await open_turns(desk, notifier) == []


async def test_an_unpaid_turn_of_a_worker_that_was_stopped_is_nobodys_concern(desk: Desk, notifier: Notifier) -> None:
    await unpaid(desk, "wk1")
    await desk.log.execute(workers.DECIDER, worker_stream(OWNER, "wk1"), OWNER, [Item(StopWorker())])
    assert await open_turns(desk, notifier) == []


HEARTBEAT: Payload = {"source": "autopilot-desktop", "daemon": "on", "accepts_requests": True}
BUSY = HEARTBEAT | {"busy": {"what": "turn", "since": "2026-02-20T12:00:00Z"}}


@pytest.mark.parametrize(
    ("heartbeat", "seconds", "is_lost"),
    [
        (BUSY, 121, True),
        (BUSY, 24 * 3600 + 121, True),
        (BUSY, 120, False),
        (HEARTBEAT, 121, False),
        (BUSY | {"daemon": "off"}, 121, False),
        ({}, 121, False),
    ],
)
async def test_a_worker_that_fell_silent_over_its_work_is_lost(
    desk: Desk, notifier: Notifier, clock: Clock, heartbeat: Payload, seconds: int, is_lost: bool
) -> None:
    """runtime §7.4, §8: not heard for longer than 120 s"""
    await desk.append("wk1", "worker.heartbeat", heartbeat)
    clock.later(seconds=seconds)
    for _ in range(2):
        await notifier.look(clock.now)
    assert await told(desk) == [("raised", "worker/wk1")] * is_lost


async def test_a_worker_that_is_heard_again_is_lost_no_more(desk: Desk, notifier: Notifier, clock: Clock) -> None:
    await desk.append("wk1", "worker.heartbeat", BUSY)
    clock.later(seconds=300)
    await notifier.look(clock.now)
    await desk.append("wk1", "worker.heartbeat", HEARTBEAT)
    for _ in range(2):
        await notifier.look(clock.now)
    assert await told(desk) == [("raised", "worker/wk1"), ("cleared", "worker/wk1")]
