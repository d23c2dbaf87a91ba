"""The executor on the real Postgres: whatever it is told, and whoever else executes, a run goes on as it should."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from processors.executor import FRAMES_OF_A_PASS, Executor
from processors.lanes import NotYet
from processors.recovery import Recovery
from producers import leases, runs
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.timers import Timers
from producers.leases import Acquire
from producers.nouns import DECIDERS
from producers.runs import AppendRunEvent
from schemas.names import LEASE, lease_stream, run_stream
from tests.moved_clock import Clock
from tests.run_log import OWNER, RunLog, run_log
from tests.submissions import NOON

Pool = asyncpg.Pool


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def log(pool: "Pool[Any]", clock: Clock) -> AsyncIterator[EventLog]:
    log = EventLog(pool, clock=clock.now)
    yield log
    await log.close()


@pytest.fixture
def run(pool: "Pool[Any]", log: EventLog) -> RunLog:
    return RunLog(pool, log)


@pytest.fixture
def executor(pool: "Pool[Any]", log: EventLog) -> Executor:
    return Executor(pool, log, "a")


@pytest.fixture
def another(pool: "Pool[Any]", log: EventLog) -> Executor:
    return Executor(pool, log, "b")


async def test_frames_become_events_in_order(run: RunLog, executor: Executor) -> None:
    """runtime §4.1: seq 1..4"""
    frames = await run.say("r", "hi", "there")
    frames += await run.send("r", "f-3", "complete", {})
    await executor.react(frames)
    assert await run.types("r") == ["run.started", "run.delta", "run.delta", "run.finished"]
    assert await run.lease_types("r") == []
    await run.check("r")


async def test_what_was_done_is_not_done_again(run: RunLog, executor: Executor, another: Executor) -> None:
    """runtime §1.3, §4.5: at-least-once scheduling, exactly-once effect"""
    frames = await run.say("r", "hi", "there")
    for anybody in (executor, executor, another):
        await anybody.react(frames)
        await anybody.react(frames[:1])
    assert await run.types("r") == ["run.started", "run.delta", "run.delta"]


async def test_what_it_was_not_told_is_read(run: RunLog, executor: Executor) -> None:
    """runtime §1.3: one at a time, in the order of insertion"""
    frames = await run.say("r", "a", "b", "c", "d")
    await executor.react(frames[3:])
    assert [event.payload.get("delta") for event in await run.told("r")] == [None, "a", "b", "c", "d"]


async def test_a_later_frame_is_taken_without_reading(run: RunLog, executor: Executor, pool: "Pool[Any]") -> None:
    """ADR 14: records are hints; one that goes on where the run is needs nothing else"""
    await executor.react(await run.send("r", "f-1", "note", {}))
    second = await run.send("r", "f-2", "note", {})
    await pool.execute("delete from events where position = $1", second[0].position)
    await executor.react(second)
    assert await run.types("r") == ["run.started", "run.frame_consumed", "run.frame_consumed"]


async def test_an_executor_that_takes_a_run_up_knows_what_came_before(
    run: RunLog, executor: Executor, another: Executor
) -> None:
    """runtime §4.4: over the previous 30 frames, whoever processed them"""
    for number in range(9):
        await executor.react(await run.send("r", f"f-{number}", "note", {"n": 1}))
    await another.react(await run.send("r", "f-9", "note", {"n": 1}))
    assert (await run.types("r"))[-2:] == ["run.loop_detected", "run.finished"]


async def test_many_frames_are_several_passes_under_a_lease(run: RunLog, executor: Executor) -> None:
    """runtime §4.1, §1.6, DEC-9"""
    words = [str(number) for number in range(2 * FRAMES_OF_A_PASS + 3)]
    frames = await run.say("r", *words)
    await executor.react(frames[-1:])
    assert await run.lease_types("r") == ["acquired", "renewed", "lease.released"]
    assert [event.payload["delta"] for event in (await run.told("r"))[1:]] == words
    await run.check("r")


async def test_frames_after_the_end_stay_where_they_are(run: RunLog, executor: Executor, another: Executor) -> None:
    """runtime §1.3: stored and never processed"""
    await executor.react(await run.send("r", "f-1", "complete", {}))
    late = await run.send("r", "f-2", "user_message", {"text": "late"})
    for anybody in (executor, another):
        await anybody.react(late)
    assert await run.types("r") == ["run.started", "run.finished"]


async def test_while_another_executor_has_the_run_it_waits(run: RunLog, executor: Executor, clock: Clock) -> None:
    """runtime §4.1: lease_held stops without side effects; an expired one is stolen (§1.6)"""
    await run.log.execute(leases.DECIDER, lease_stream("r"), OWNER, [Item(Acquire("b", 0))])
    frames = await run.say("r", "hi")
    with pytest.raises(NotYet):
        await executor.react(frames)
    assert await run.types("r") == []
    clock.seconds = 30
    await executor.react(frames)
    assert await run.types("r") == ["run.started", "run.delta"]
    assert await run.lease_types("r") == ["acquired", "stolen", "lease.released"]


async def test_a_frame_that_a_client_named_moves_the_cursor_only(
    run: RunLog, executor: Executor, another: Executor
) -> None:
    """runtime §1.3"""
    named = Item(AppendRunEvent("tool.result", {"frame_id": "f-1"}))
    await run.log.execute(runs.DECIDER, run_stream("r"), OWNER, [named])
    await executor.react(await run.say("r", "hi", "there"))
    await another.react(await run.send("r", "f-3", "user_message", {"text": "you"}))
    assert [event.payload.get("delta") for event in await run.told("r")] == [None, None, "there", "you"]
    assert await run.lease_types("r") == ["lease.frames_passed"]


@pytest.mark.parametrize("after", range(6))
async def test_a_cancel_at_any_point_ends_the_run_once(run: RunLog, executor: Executor, after: int) -> None:
    """runtime §4.2, §1.2: durable before any frame that comes later; one canceled end; no start if nothing was taken"""
    steps: list[Any] = [run.send("r", f"f-{number}", "user_message", {"text": "hi"}) for number in range(5)]
    asked = []
    for number, step in enumerate(steps):
        if number == after:
            asked = await run.cancel("r", "enough")
        frames = await step
        if number < after:
            await executor.react(frames)
    asked = asked or await run.cancel("r", "enough")
    await at_once(executor, asked)
    taken = ["run.started"] * (after > 0) + ["run.delta"] * after
    assert await run.types("r") == [*taken, "run.cancel_requested", "run.finished"]
    finished = (await run.told("r"))[-1].payload
    assert (finished["status"], finished["reason"]) == ("canceled", "enough")
    await run.check("r")


async def at_once(executor: Executor, events: Any) -> None:
    """Told several times, side by side."""
    await asyncio.gather(*(executor.react(events) for _ in range(3)))


async def test_thirty_cancels_over_ten_runs_end_each_once(run: RunLog, executor: Executor, another: Executor) -> None:
    """runtime §13: 30 cancels over 10 runs give 10 canceled finishes (DEC-8)"""
    names = [f"r{number}" for number in range(10)]
    for name in names:
        await executor.react(await run.say(name, "hi"))
    asked = await asyncio.gather(*(run.cancel(name, f"{again}") for again in range(3) for name in names))
    assert sum(map(len, asked)) == 10
    told = [events for events in asked if events]
    await asyncio.gather(*(one.react(events) for events in told for one in (executor, another)))
    for name in names:
        assert await run.types(name) == ["run.started", "run.delta", "run.cancel_requested", "run.finished"]


async def test_two_executors_at_once_do_everything_once(run: RunLog, executor: Executor, pool: "Pool[Any]") -> None:
    """runtime §1.4: gap-free also under concurrent appends"""
    async with run_log(pool) as elsewhere:
        other = Executor(pool, elsewhere.log, "b")
        for number in range(30):
            frames = await run.send("r", f"f-{number}", "user_message", {"text": f"{number}"})
            await asyncio.gather(executor.react(frames), other.react(frames))
    assert [event.payload.get("delta") for event in await run.told("r")] == [None, *map(str, range(30))]


# --- lost executors -------------------------------------------------------------------------------------------------


@pytest.fixture
def taken() -> list[str]:
    """Runs that were taken over."""
    return []


@pytest.fixture
def timers(pool: "Pool[Any]", clock: Clock, taken: list[str]) -> Timers:
    recovery = Recovery("b", lambda lost: taken.append(lost.stream))
    return Timers(pool, DECIDERS, clock.now, clock.monotonic, {LEASE: recovery})


async def lost(run: RunLog) -> None:
    """Somebody took the run up and is never heard of again."""
    await run.say("r", "hi")
    await run.log.execute(leases.DECIDER, lease_stream("r"), OWNER, [Item(Acquire("a", 0))])


async def test_a_lost_executor_is_found_and_its_run_goes_on(
    run: RunLog, timers: Timers, clock: Clock, taken: list[str], another: Executor
) -> None:
    """runtime §4.3"""
    await lost(run)
    clock.seconds = 29
    assert await timers.sweep() == 0
    clock.seconds = 30
    assert await timers.sweep() == 1
    assert (await run.types("r"), taken) == (["run.executor_lost"], ["run/r"])
    await another.react(await run.told("r"))
    assert await run.types("r") == ["run.executor_lost", "run.started", "run.delta"]
    assert await run.lease_types("r") == ["acquired", "stolen", "lease.released"]
    clock.seconds = 300
    assert await timers.sweep() == 0


async def test_a_run_that_nobody_can_take_up_is_given_up(
    run: RunLog, timers: Timers, clock: Clock, taken: list[str]
) -> None:
    """runtime §4.3, §8: every 30 s, three times, then executor_recovery_exhausted"""
    await lost(run)
    for seconds in range(0, 300, 2):
        clock.seconds = seconds
        await timers.sweep()
    assert await run.types("r") == [*["run.executor_lost"] * 4, "run.finished"]
    events = await run.told("r")
    assert (events[-1].payload["status"], events[-1].payload["reason_class"]) == (
        "failed",
        "executor_recovery_exhausted",
    )
    assert [(event.recorded_at - NOON).total_seconds() for event in events] == [30, 60, 90, 120, 120]
    assert await run.lease_types("r") == ["acquired", "stolen", "stolen", "stolen", "lease.released"]


async def test_of_two_that_find_a_lost_executor_one_recovers(
    run: RunLog, timers: Timers, clock: Clock, pool: "Pool[Any]", taken: list[str]
) -> None:
    """runtime §4.3"""
    others: list[str] = []
    beside = Timers(pool, DECIDERS, clock.now, clock.monotonic, {LEASE: Recovery("c", lambda e: others.append(e.type))})
    await lost(run)
    clock.seconds = 31
    await asyncio.gather(timers.sweep(), beside.sweep())
    assert await run.types("r") == ["run.executor_lost"]
    assert len(taken) + len(others) == 1
