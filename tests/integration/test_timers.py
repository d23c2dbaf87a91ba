"""Timers on the real Postgres: what is due is done once, whoever does it, and after whatever happened (DESIGN §4)."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from ops.stack import ports
from processors.app import Processors, ProcessorSettings
from producers import metrics, workers
from producers.eventlog import epochs, timers
from producers.eventlog.commands import Decider, Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.timers import FIRST_PAUSE_S, STUCK_AFTER_S, Timers
from producers.workers import DECIDER, NO_ANSWER, AppendEvent, CreateWorker, SendRequest
from schemas.names import worker_stream
from tests.alarms import ALARMS, OWNER, Alarm, Command, Note, Set, stream
from tests.locks import held, until_waiting
from tests.moved_clock import Clock
from tests.submissions import NOON

Pool = asyncpg.Pool
MINUTE = timedelta(minutes=1)
WAITING_ENDS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = current_database() and wait_event_type = 'Lock'"
)


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
def alarms(pool: "Pool[Any]", clock: Clock) -> Timers:
    return of(pool, clock)


def of(pool: "Pool[Any]", clock: Clock, decider: Decider[Any, Any] = ALARMS) -> Timers:
    return Timers(pool, [decider], clock.now, clock.monotonic)


async def tell(log: EventLog, name: str, *commands: Command, decider: Decider[Alarm, Command] = ALARMS) -> None:
    await log.execute(decider, stream(name), OWNER, [Item(command) for command in commands])


async def types(pool: "Pool[Any]", name: str) -> list[str]:
    return [event.type for event in await LogReader(pool).read_stream(stream(name), 0, 1000)]


async def wake_at(pool: "Pool[Any]", name: str) -> datetime | None:
    found: datetime | None = await pool.fetchval("select wake_at from streams where stream = $1", stream(name))
    return found


def left() -> float:
    """What `/metrics` says is due and was not woken."""
    [gauge] = metrics.TIMERS_DUE.collect()
    return gauge.samples[0].value


async def test_the_time_is_written_with_the_state(log: EventLog, pool: "Pool[Any]") -> None:
    await tell(log, "a", Set(NOON))
    await tell(log, "b", Set(None))
    assert [await wake_at(pool, name) for name in "ab"] == [NOON, None]
    await asyncio.gather(tell(log, "a", Set(None)), tell(log, "b", Set(NOON + MINUTE)))
    assert [await wake_at(pool, name) for name in "ab"] == [None, NOON + MINUTE]


async def test_a_stream_is_woken_when_its_time_has_come_and_not_before(
    log: EventLog, alarms: Timers, clock: Clock, pool: "Pool[Any]"
) -> None:
    await tell(log, "a", Set(NOON + MINUTE))
    clock.seconds = 59.9
    assert await alarms.sweep() == 0
    clock.seconds = 60
    assert await alarms.sweep() == 1
    assert await alarms.sweep() == 0
    assert await types(pool, "a") == ["alarm.set", "alarm.rung"]
    assert await wake_at(pool, "a") is None


@pytest.mark.parametrize(("moved_to", "rings_at"), [(30, 30), (90, 90), (None, None)])
async def test_a_time_that_is_moved_counts_as_moved(
    log: EventLog, alarms: Timers, clock: Clock, moved_to: float | None, rings_at: float | None
) -> None:
    await tell(log, "a", Set(NOON + MINUTE))
    assert await alarms.sweep() == 0
    await tell(log, "a", Set(None if moved_to is None else NOON + timedelta(seconds=moved_to)))
    rung: list[float] = []
    for clock.seconds in (0, 30, 60, 90):
        rung += [clock.seconds] * await alarms.sweep()
    assert rung == ([] if rings_at is None else [rings_at])


async def test_what_moves_while_it_is_due_is_left_alone(
    log: EventLog, clock: Clock, pool: "Pool[Any]", database: str
) -> None:
    """The look finds it due, and somebody else moves it before the command is decided."""
    await tell(log, "a", Set(NOON))
    async with held(database, "select from streams for update"):
        moving = asyncio.create_task(tell(log, "a", Set(NOON + MINUTE)))
        await until_waiting(pool, 1, unless=moving)
        waking = asyncio.create_task(of(pool, clock).sweep())
        await until_waiting(pool, 2, unless=waking)
    assert await waking == 0
    await moving
    assert await types(pool, "a") == ["alarm.set", "alarm.set"]
    assert await wake_at(pool, "a") == NOON + MINUTE


@pytest.mark.invariant("I3")
async def test_two_that_find_the_same_due_do_it_once(
    log: EventLog, alarms: Timers, clock: Clock, pool: "Pool[Any]", database: str
) -> None:
    names = [str(number) for number in range(30)]
    await asyncio.gather(*(tell(log, name, Set(NOON)) for name in names))
    async with held(database, "select from streams for update"):
        sweeps = [asyncio.create_task(one.sweep()) for one in (alarms, of(pool, clock))]
        await until_waiting(pool, 2, unless=sweeps[0])
    assert sum(await asyncio.gather(*sweeps)) == 30
    assert {tuple(await types(pool, name)) for name in names} == {("alarm.set", "alarm.rung")}


async def test_a_thousand_due_at_once_are_woken_in_one_sweep(log: EventLog, alarms: Timers, pool: "Pool[Any]") -> None:
    await asyncio.gather(*(tell(log, str(number), Set(NOON - MINUTE * (number % 2))) for number in range(1000)))
    assert await alarms.sweep() == 1000
    events = await LogReader(pool).read_all(1000, 2000)
    assert len({event.stream for event in events if event.type == "alarm.rung"}) == 1000
    assert left() == 0


async def test_the_oldest_comes_first(log: EventLog, alarms: Timers, pool: "Pool[Any]") -> None:
    """A page at a time."""
    for number in range(2 * timers.PAGE):
        await tell(log, str(number), Set(NOON - timedelta(seconds=number)))
    await alarms.sweep()
    rung = [event.stream for event in await LogReader(pool).read_all(0, 1000) if event.type == "alarm.rung"]
    oldest = {stream(str(number)) for number in range(timers.PAGE, 2 * timers.PAGE)}
    assert set(rung[: timers.PAGE]) == oldest


@pytest.mark.parametrize("kind", ["jammed", "unreadable", "newer", "unheard of"])
async def test_one_that_cannot_be_woken_holds_up_nobody(
    kind: str, log: EventLog, clock: Clock, pool: "Pool[Any]"
) -> None:
    def decide(alarm: Alarm | None, command: Command, now: datetime) -> Any:
        if kind == "jammed" and alarm and alarm.rung:
            raise ZeroDivisionError("the bell is broken")
        return ALARMS.decide(alarm, command, now)

    jamming = replace(ALARMS, decide=decide)
    await tell(log, "bad", Set(NOON))
    await tell(log, "good", Set(NOON))
    spoilt = {
        "jammed": """state = '{"at":"2026-02-20T12:00:00Z","rung":1}'""",
        "unreadable": "state = '{\"at\":7}'",
        "newer": "state_version = 2",
        "unheard of": "kind = 'gong'",
    }
    await pool.execute(f"update streams set {spoilt[kind]} where stream = $1", stream("bad"))
    alarms = of(pool, clock, jamming)
    assert await alarms.sweep() == 1
    assert await types(pool, "good") == ["alarm.set", "alarm.rung"]
    assert await types(pool, "bad") == ["alarm.set"]
    assert left() == 1
    clock.seconds = STUCK_AFTER_S
    await alarms.sweep()
    assert not alarms.stuck()


async def test_it_is_tried_again_later_and_later(log: EventLog, clock: Clock, pool: "Pool[Any]") -> None:
    tries: list[float] = []

    def decide(alarm: Alarm | None, command: Command, now: datetime) -> Any:
        tries.append(clock.seconds)
        if clock.seconds < 20:
            raise ZeroDivisionError("the bell is broken")
        return ALARMS.decide(alarm, command, now)

    await tell(log, "a", Set(NOON))
    alarms = of(pool, clock, replace(ALARMS, decide=decide))
    for second in range(40):
        clock.seconds = second
        await alarms.sweep()
    assert tries == [0, FIRST_PAUSE_S, 3 * FIRST_PAUSE_S, 7 * FIRST_PAUSE_S, 15 * FIRST_PAUSE_S]
    assert await types(pool, "a") == ["alarm.set", "alarm.rung"]


async def test_a_decider_that_leaves_it_due_is_not_asked_all_the_time(
    log: EventLog, clock: Clock, pool: "Pool[Any]"
) -> None:
    await tell(log, "a", Set(NOON))
    asked: list[Command] = []

    def decide(_alarm: Alarm | None, command: Command, _now: datetime) -> Any:
        asked.append(command)
        return []

    alarms = of(pool, clock, replace(ALARMS, decide=decide))
    for _ in range(3):
        assert await alarms.sweep() == 0
    assert len(asked) == 1


async def test_a_time_that_the_state_does_not_know_is_put_right(
    log: EventLog, alarms: Timers, pool: "Pool[Any]"
) -> None:
    """As after a release that wakes the same state later, or never."""
    await tell(log, "a", Set(NOON + MINUTE))
    await pool.execute("update streams set wake_at = $1", NOON)
    assert await alarms.sweep() == 0
    assert await wake_at(pool, "a") == NOON + MINUTE


async def test_a_state_of_an_older_version_is_folded_again(log: EventLog, alarms: Timers, pool: "Pool[Any]") -> None:
    await tell(log, "a", Set(NOON), Note())
    await pool.execute("update streams set state = '{}', state_version = 0")
    assert await alarms.sweep() == 1
    assert await wake_at(pool, "a") is None


@pytest.mark.invariant("I2")
async def test_a_suspended_log_wakes_nobody(log: EventLog, alarms: Timers, clock: Clock, pool: "Pool[Any]") -> None:
    await tell(log, "a", Set(NOON))
    await epochs.suspend(pool, "restored")
    assert await alarms.sweep() == 0
    await pool.execute("update log_head set suspended = null")
    assert await alarms.sweep() == 1


@pytest.mark.invariant("I9")
async def test_a_look_that_never_ends_is_not_ready(
    log: EventLog, alarms: Timers, clock: Clock, pool: "Pool[Any]", database: str
) -> None:
    await tell(log, "a", Set(NOON))
    async with held(database, "select from log_head for update"):
        sweep = asyncio.create_task(alarms.sweep())
        await until_waiting(pool, 1, unless=sweep)
        assert not alarms.stuck()
        clock.seconds = STUCK_AFTER_S
        assert alarms.stuck() == f"no timer was looked at for {STUCK_AFTER_S:.0f} s"
    await sweep
    assert not alarms.stuck()


async def test_lost_connections_delay_and_nothing_else(
    log: EventLog, database: str, pool: "Pool[Any]", clock: Clock
) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as theirs:
        running = asyncio.create_task(of(theirs, clock).run())
        for minute, name in enumerate("ab", start=1):
            await tell(log, name, Set(NOON + minute * MINUTE))
            async with held(database, "select from log_head for update"):
                clock.seconds = 60 * minute
                await until_waiting(pool, 1, unless=running)
                await pool.execute(WAITING_ENDS)
            await until_types(pool, name, "alarm.rung")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert {tuple(await types(pool, name)) for name in "ab"} == {("alarm.set", "alarm.rung")}


async def test_a_workers_request_ends_at_its_deadline(log: EventLog, pool: "Pool[Any]", clock: Clock) -> None:
    worker = worker_stream(OWNER, "w:1")
    beat = {"source": "autopilot-desktop", "daemon": "on", "accepts_requests": True}
    asked = SendRequest("r1", "thread/list")
    commands: list[workers.Command] = [CreateWorker("w:1"), AppendEvent("worker.heartbeat", beat), asked]
    await log.execute(DECIDER, worker, OWNER, [Item(command) for command in commands])
    timers = of(pool, clock, DECIDER)
    assert await timers.sweep() == 0
    clock.seconds = asked.answer_within.total_seconds()
    assert await timers.sweep() == 1
    last = (await LogReader(pool).read_stream(worker, 0, 10))[-1]
    assert (last.type, last.payload["response"]["error"]["code"]) == ("worker.error", NO_ANSWER)


async def until_types(pool: "Pool[Any]", name: str, last: str) -> None:
    async with asyncio.timeout(30):
        while (await types(pool, name))[-1] != last:  # noqa: ASYNC110 another task's or process's progress
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("committed", [False, True])
async def test_killed_between_due_and_done_the_next_one_does_what_is_left(
    committed: bool, log: EventLog, pool: "Pool[Any]", database: str
) -> None:
    """A server that does not notice goes on to the commit."""
    await tell(log, "a", Set(NOON))
    async with held(database, "select from log_head for update"):
        process = await alarms_of(database)
        await until_waiting(pool, 1, unless=asyncio.create_task(process.wait()))
        process.kill()
        await process.wait()
        if not committed:
            await pool.execute(WAITING_ENDS)
    again = await alarms_of(database)
    await until_types(pool, "a", "alarm.rung")
    await tell(log, "b", Set(NOON))
    await until_types(pool, "b", "alarm.rung")
    again.kill()
    await again.wait()
    assert await types(pool, "a") == ["alarm.set", "alarm.rung"]


async def alarms_of(database: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.alarms", database)


async def test_a_time_that_stays_keeps_updates_heap_only(log: EventLog, pool: "Pool[Any]") -> None:
    await tell(log, "a", Set(NOON))
    for _ in range(20):
        await tell(log, "a", Note())
    assert await updates(pool, 20) == (20, 20)
    for minute in range(10):
        await tell(log, "a", Set(NOON + minute * MINUTE))
    _, heap_only = await updates(pool, 30)
    assert heap_only <= 21  # the first one moves nothing


async def updates(pool: "Pool[Any]", count: int) -> tuple[int, int]:
    """Of streams, and how many of them were heap-only, once Postgres has counted so many."""
    query = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'streams'"
    found = (0, 0)
    async with asyncio.timeout(30):
        while found[0] < count:
            await asyncio.sleep(0.1)
            [found] = await pool.fetch(query)
    return found[0], found[1]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_processors_wake_while_kafka_is_away(log: EventLog, pool: "Pool[Any]", database: str) -> None:
    await tell(log, "a", Set(NOON))
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as theirs:
        settings = ProcessorSettings(brokers=f"127.0.0.1:{ports.free()[0]}")
        processors = Processors(settings, theirs, lambda: NOON, deciders=[ALARMS])
        running = asyncio.create_task(processors.run())
        await until_types(pool, "a", "alarm.rung")
        assert processors.health().reason == "waiting for Postgres and the topics"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
