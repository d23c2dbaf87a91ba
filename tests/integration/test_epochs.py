"""Suspending the log, putting events back and beginning an epoch, on the real Postgres (DESIGN I2, ADR 11)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from ops.database import open_pool
from ops.stack import ports
from processors.app import Processors, ProcessorSettings
from producers.errors import LogUnavailable
from producers.eventlog import epochs
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.standing import EpochEnded
from producers.workers import DECIDER, AppendEvent, CreateWorker
from readmodels.journal import JournalReader
from schemas import names, times
from schemas.events import Recorded
from tests import alarms
from tests.alarms import ALARMS
from tests.submissions import NOON

Pool = asyncpg.Pool
STREAM = names.worker_stream("user:41", "w:1")
STATE = "select seq, state, state_version from streams where stream = $1"


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


async def write(log: EventLog, count: int) -> None:
    await log.execute(DECIDER, STREAM, "user:41", [Item(CreateWorker("w:1"), None)])
    for number in range(count):
        await log.execute(DECIDER, STREAM, "user:41", [Item(AppendEvent("worker.event", {"number": number}), None)])


@pytest.mark.invariant("I2")
async def test_a_suspended_log_refuses_and_says_why(pool: Pool, log: EventLog) -> None:
    await write(log, 1)
    await epochs.suspend(pool, "first reason")
    await epochs.suspend(pool, "second reason")
    with pytest.raises(LogUnavailable, match="first reason"):
        await write(log, 1)
    assert (await LogReader(pool).head()) == (1, 2, "first reason")
    assert len(await LogReader(pool).read_all(0, 10)) == 2


@pytest.mark.invariant("I2")
async def test_another_server_suspends_the_log_with_the_first_connection(pool: Pool, database: str) -> None:
    await pool.execute("update log_head set server = '1/00000001'")
    async with open_pool(database) as theirs:
        assert (await LogReader(theirs).head()).suspended == epochs.OTHER_SERVER


@pytest.mark.invariant("I2")
async def test_an_epoch_begins_far_above_what_was_seen(pool: Pool, log: EventLog) -> None:
    await write(log, 2)
    await epochs.suspend(pool, "restored")
    async with pool.acquire() as connection, connection.transaction():
        assert await epochs.begin(connection, above=50, at=datetime.now(UTC)) == 2
    began_after = 50 + epochs.MARGIN
    assert await LogReader(pool).head() == (2, began_after, "restored")
    await epochs.resume(pool)
    assert await LogReader(pool).head() == (2, began_after, None)
    history = await epochs.history(pool)
    assert (history.epoch_of(3), history.epoch_of(began_after + 1)) == (1, 2)
    assert (history.began_after_loss_of(3), history.began_after_loss_of(4)) == (None, began_after)
    await write(log, 1)
    assert [event.position for event in await LogReader(pool).read_all(3, 10)] == [began_after + 1]
    assert [event.seq for event in await LogReader(pool).read_stream(STREAM, 0, 10)] == [1, 2, 3, 4]


async def test_watermarks_of_an_epoch_are_above_those_before(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await epochs.begin(connection, above=0, at=datetime.now(UTC))
    journal = JournalReader(pool)
    assert await journal.head(names.WORKER_SUMMARIES) == epochs.MARGIN
    history = (await journal.histories())[names.WORKER_SUMMARIES]
    assert history.began_after_loss_of(1) == epochs.MARGIN


@pytest.fixture
async def restored(pool: Pool, log: EventLog) -> list[Recorded]:
    """Five events of which the log has lost the last three, and the stream its state after them; returns the three."""
    await write(log, 1)
    before = await pool.fetchrow(STATE, STREAM)
    await write(log, 3)
    lost = await LogReader(pool).read_all(2, 10)
    await pool.execute("delete from events where position > 2")
    await pool.execute("update log_head set position = 2, suspended = 'restored'")
    assert before is not None
    await pool.execute("update streams set seq = $2, state = $3, state_version = $4 where stream = $1", STREAM, *before)
    return lost


async def put_back(pool: Pool, events: list[Recorded]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await epochs.put_back(connection, events, [DECIDER, ALARMS])


async def test_events_are_put_back_where_they_were(pool: Pool, restored: list[Recorded]) -> None:
    await put_back(pool, restored[:2])
    await put_back(pool, restored[2:])
    assert await LogReader(pool).read_all(2, 10) == restored
    assert (await LogReader(pool).head()).position == 5
    row: Any = await pool.fetchrow(STATE, STREAM)
    state = None
    for event in await LogReader(pool).read_stream(STREAM, 0, 10):
        state = DECIDER.evolve(state, event)
    assert row["seq"] == 5
    assert state is not None
    assert f'"last_heartbeat_at":"{state.last_heartbeat_at:%Y-%m-%dT%H:%M:%S.%f}' in row["state"]


async def test_timers_are_put_back_as_the_states_say(pool: Pool, log: EventLog) -> None:
    for at in (NOON, NOON + timedelta(minutes=1)):
        await log.execute(ALARMS, alarms.stream("a"), alarms.OWNER, [Item(alarms.Set(at))])
    lost = await LogReader(pool).read_all(0, 10)
    await pool.execute("truncate events, streams")
    await pool.execute("update log_head set position = 0")
    for event in lost:
        await put_back(pool, [event])
        assert await pool.fetchval("select wake_at from streams") == times.parse(event.payload["at"])


async def test_a_stream_that_the_backup_did_not_have_is_put_back(pool: Pool, log: EventLog) -> None:
    await write(log, 2)
    lost = await LogReader(pool).read_all(0, 10)
    await pool.execute("truncate events, streams")
    await pool.execute("update log_head set position = 0")
    await put_back(pool, lost)
    await write(log, 1)
    assert [event.seq for event in await LogReader(pool).read_stream(STREAM, 0, 10)] == [1, 2, 3, 4]


async def fill(pool: Pool, *ends: epochs.LostEnd) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await epochs.begin(connection, above=5, at=datetime.now(UTC))
        await epochs.fill(connection, ends, [DECIDER], datetime.now(UTC))
    await epochs.resume(pool)


@pytest.mark.invariant("I8")
async def test_who_saw_lost_events_of_a_stream_reads_on_behind_their_stand_ins(
    pool: Pool, log: EventLog, restored: list[Recorded]
) -> None:
    [*_, last] = restored
    for _ in range(2):  # repeated after a crash: nothing is filled twice
        await fill(pool, epochs.LostEnd(last.kind, STREAM, last.owner, last.seq))
    told = await LogReader(pool).read_stream(STREAM, 2, 10)
    assert [(event.seq, event.type, event.version) for event in told] == [(seq, "worker.lost", 1) for seq in (3, 4, 5)]
    assert told[0].position == 5 + epochs.MARGIN + 1
    await write(log, 1)
    assert [event.seq for event in await LogReader(pool).read_stream(STREAM, last.seq, 10)] == [6]


async def test_a_stream_that_is_lost_from_its_start_is_there_again(pool: Pool, log: EventLog) -> None:
    lost = names.worker_stream("user:9", "desktopw:lost")
    await fill(pool, epochs.LostEnd(names.WORKER, lost, "user:9", 3))
    assert [event.type for event in await LogReader(pool).read_stream(lost, 0, 10)] == [
        "worker.started",
        "worker.lost",
        "worker.lost",
    ]
    [outcome] = await log.execute(DECIDER, lost, "user:9", [Item(AppendEvent("worker.event", {}))])
    assert outcome.seq == 4


async def test_only_what_follows_without_a_gap_is_put_back(pool: Pool, restored: list[Recorded]) -> None:
    with pytest.raises(ValueError, match="do not follow position 2"):
        await put_back(pool, restored[1:])
    assert (await LogReader(pool).head()).position == 2


@pytest.mark.invariant("I2")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_processors_end_when_another_epoch_begins(pool: Pool, log: EventLog) -> None:
    """What they remember of streams is of the history that ended, at the same versions perhaps."""
    await log.execute(ALARMS, alarms.stream("a"), alarms.OWNER, [Item(alarms.Set(NOON))])
    settings = ProcessorSettings(brokers=f"127.0.0.1:{ports.free()[0]}")
    running = asyncio.create_task(Processors(settings, pool, lambda: NOON, deciders=[ALARMS]).run())
    async with asyncio.timeout(30):
        while not await pool.fetchval("select count(*) from events where type = 'alarm.rung'"):  # noqa: ASYNC110 - the log sets no event
            await asyncio.sleep(0.05)
        async with pool.acquire() as connection, connection.transaction():
            await epochs.begin(connection, 0, NOON)
        with pytest.raises(ExceptionGroup) as ended:
            await running
    assert ended.group_contains(EpochEnded)
