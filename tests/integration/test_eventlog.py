"""The log's write side on the real Postgres (DESIGN §2 I1–I3, I6; §4)."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from producers.errors import Conflict, IdentityConflict, LogUnavailable, NotFound, TooLarge
from producers.eventlog.commands import Identity, IdentityKey, Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.retention import KEPT_FOR, CommandRetention
from producers.eventlog.streams import StreamReader
from producers.workers import DECIDER, AppendEvent, CreateWorker, SendRequest, StopWorker, Worker
from schemas import hashing
from schemas.names import worker_stream
from tests.locks import until_waiting

Pool = asyncpg.Pool


@pytest.fixture
def stream(request: pytest.FixtureRequest) -> str:
    return worker_stream("user:41", f"w:{request.node.name[:100]}")


async def run(log: EventLog, stream: str, *commands: Any, identities: list[Identity] | None = None) -> Any:
    keys: list[Identity | None] = list(identities) if identities else [None] * len(commands)
    items = [Item(command, key) for command, key in zip(commands, keys, strict=True)]
    return await log.execute(DECIDER, stream, "user:41", items)


def create(stream: str) -> CreateWorker:
    return CreateWorker(worker_id=stream.rsplit("/", 1)[1])


def identity(key: str, content: Any) -> Identity:
    return Identity(IdentityKey("event:test", key), hashing.digest(content))


@pytest.mark.invariant("I1")
async def test_what_was_answered_is_in_the_log(log: EventLog, pool: Pool, stream: str) -> None:
    [created] = await run(log, stream, create(stream))
    [appended] = await run(log, stream, AppendEvent("worker.heartbeat", {"source": "desk"}))
    events = await LogReader(pool).read_stream(stream, 0, 10)
    assert events == [*created.events, *appended.events]
    assert [(event.seq, event.type) for event in events] == [(1, "worker.started"), (2, "worker.heartbeat")]
    assert events[1].digest == hashing.digest({"source": "desk"})


async def test_the_state_in_the_stream_is_the_fold_of_its_events(log: EventLog, pool: Pool, stream: str) -> None:
    commands = [create(stream), SendRequest("r1", "thread/start", {"a": 1}), StopWorker("done")]
    *_, last = await run(log, stream, *commands)
    state: Worker | None = None
    for event in await LogReader(pool).read_stream(stream, 0, 10):
        state = DECIDER.evolve(state, event)
    snapshot = await StreamReader(pool).get(DECIDER, stream)
    assert snapshot is not None
    assert snapshot.state == state == last.state
    assert snapshot.seq == last.seq == 4


async def test_a_state_of_an_older_version_is_folded_again(log: EventLog, pool: Pool, stream: str) -> None:
    await run(log, stream, create(stream), SendRequest("r1", "m"))
    await pool.execute("update streams set state = '{}', state_version = 0 where stream = $1", stream)
    other = EventLog(pool)
    try:
        [outcome] = await run(other, stream, SendRequest("r2", "m"))
    finally:
        await other.close()
    assert outcome.state.requests == 2


async def test_a_rejection_writes_nothing(log: EventLog, pool: Pool, stream: str) -> None:
    head = await LogReader(pool).head()
    with pytest.raises(NotFound):
        await run(log, stream, AppendEvent("worker.event", {}))
    with pytest.raises(TooLarge):
        await run(log, stream, create(stream), AppendEvent("worker.event", {"text": "x" * 600_000}))
    assert await LogReader(pool).head() == head
    assert await StreamReader(pool).get(DECIDER, stream) is None


@pytest.mark.invariant("I6")
async def test_a_known_identity_answers_what_it_answered_first(log: EventLog, pool: Pool, stream: str) -> None:
    await run(log, stream, create(stream))
    key = identity(stream, 1)
    [first] = await run(log, stream, AppendEvent("worker.event", {"n": 1}), identities=[key])
    await run(log, stream, StopWorker())
    for again in (log, EventLog(pool)):  # with a memory of it, and without, as after a restart
        [repeat] = await run(again, stream, AppendEvent("worker.event", {"n": 1}), identities=[key])
        assert (repeat.replayed, repeat.seq) == (True, first.seq)
        with pytest.raises(IdentityConflict):
            await run(again, stream, AppendEvent("worker.event", {"n": 2}), identities=[identity(stream, 2)])
        if again is not log:
            await again.close()


@pytest.mark.invariant("I6")
async def test_a_known_identity_is_not_executed_again_after_a_restart(log: EventLog, pool: Pool, stream: str) -> None:
    """Nothing refuses the event, so only the table knows."""
    await run(log, stream, create(stream))
    key = identity(stream, 1)
    [first] = await run(log, stream, AppendEvent("worker.event", {"n": 1}), identities=[key])
    restarted = EventLog(pool)
    [repeat] = await run(restarted, stream, AppendEvent("worker.event", {"n": 1}), identities=[key])
    assert (repeat.replayed, repeat.seq) == (True, first.seq)
    await restarted.close()


@pytest.mark.invariant("I6")
async def test_a_rejection_is_not_remembered(log: EventLog, stream: str) -> None:
    key = identity(stream, 1)
    with pytest.raises(NotFound):
        await run(log, stream, AppendEvent("worker.event", {}), identities=[key])
    await run(log, stream, create(stream))
    [outcome] = await run(log, stream, AppendEvent("worker.event", {}), identities=[key])
    assert not outcome.replayed


async def test_a_submission_is_accepted_whole_or_not_at_all(log: EventLog, pool: Pool, stream: str) -> None:
    with pytest.raises(Conflict):
        await run(log, stream, create(stream), StopWorker(), AppendEvent("worker.event", {}))
    assert await StreamReader(pool).get(DECIDER, stream) is None


@pytest.mark.invariant("I3")
async def test_decisions_on_stale_state_are_never_released(pool: Pool, stream: str) -> None:
    """Two nodes cache the same stream; what one changes the other must notice, behind rejections too."""
    here, there = EventLog(pool), EventLog(pool)
    try:
        await run(here, stream, create(stream))
        await run(there, stream, AppendEvent("worker.event", {}))
        await run(here, stream, StopWorker())
        with pytest.raises(Conflict):
            await run(there, stream, AppendEvent("worker.event", {}))  # cached there: running
        await run(here, stream, create(stream))
        [outcome] = await run(there, stream, AppendEvent("worker.event", {}))  # cached there: stopped
        assert outcome.seq == 5
    finally:
        await here.close()
        await there.close()


@pytest.mark.invariant("I3")
async def test_a_rejection_on_stale_state_is_never_released(pool: Pool, stream: str) -> None:
    """Nothing is written there, so nothing but the check of what was read can notice."""
    here, there = EventLog(pool), EventLog(pool)
    await run(there, stream, create(stream), StopWorker())
    await run(here, stream, create(stream))
    [outcome] = await run(there, stream, AppendEvent("worker.event", {}))  # cached there: stopped
    assert outcome.seq == 4
    await here.close()
    await there.close()


async def test_one_bad_command_does_not_fail_its_batch(log: EventLog, stream: str) -> None:
    streams = [f"{stream}-{n}" for n in range(20)]
    results = await asyncio.gather(
        *(run(log, name, create(name)) for name in streams),
        run(log, stream + "-bad", AppendEvent("worker.event", {})),
        run(log, "worker/user:41/\x1f", CreateWorker("abc")),
        return_exceptions=True,
    )
    assert [isinstance(result, Exception) for result in results] == [False] * 20 + [True, True]


@pytest.mark.invariant("I6")
async def test_identities_of_events_are_forgotten_after_a_week(log: EventLog, pool: Pool, stream: str) -> None:
    await run(log, stream, create(stream))
    old, recent = identity(f"{stream}-old", 1), identity(f"{stream}-recent", 1)
    money = Identity(IdentityKey("payment:test", stream), hashing.digest(1))
    for key in (old, recent, money):
        await run(log, stream, AppendEvent("worker.event", {}), identities=[key])
    now = datetime.now(UTC)
    aged = [old.key.key, money.key.key]
    await pool.execute("update commands set recorded_at = $1 where key = any($2)", now - KEPT_FOR * 1.01, aged)
    assert await CommandRetention(pool, lambda: now).sweep() == 1
    kept = await pool.fetch("select key from commands where key like $1 || '%'", stream)
    assert {row["key"] for row in kept} == {recent.key.key, money.key.key}


@asynccontextmanager
async def at_commit(pool: Pool, owner: str, does: str) -> AsyncIterator[None]:
    """Whatever commits an event of `owner` does this first, in its own transaction."""
    await pool.execute(f"""
        create function at_commit() returns trigger language plpgsql as $$ begin {does}; return null; end $$;
        create constraint trigger at_commit after insert on events deferrable initially deferred
        for each row when (new.owner = '{owner}') execute function at_commit()
    """)
    try:
        yield
    finally:
        await pool.execute("drop function at_commit cascade")


@pytest.mark.invariant("I1")
async def test_nothing_is_answered_that_is_not_committed(log: EventLog, pool: Pool, stream: str) -> None:
    """Neither on cached state nor under locks: a commit that conflicts is tried both ways."""
    head = await LogReader(pool).head()
    async with at_commit(pool, "user:41", "raise exception 'not now' using errcode = '40001'"):
        with pytest.raises(LogUnavailable):
            await run(log, stream, create(stream))
        assert await LogReader(pool).head() == head
    [created] = await run(log, stream, create(stream))
    assert [event.position for event in created.events] == [head.position + 1]


@pytest.mark.invariant("I2")
async def test_no_position_is_visible_before_a_lower_one(log: EventLog, pool: Pool, stream: str) -> None:
    """A commit that hangs holds up every later one: positions are given out in commit order."""
    start, other = (await LogReader(pool).head()).position, EventLog(pool)
    async with pool.acquire() as gate, at_commit(pool, "user:held", "perform pg_advisory_xact_lock(41)"):
        await gate.execute("select pg_advisory_lock(41)")
        held = asyncio.create_task(log.execute(DECIDER, stream + "-1", "user:held", [Item(create(stream))]))
        await until_waiting(pool, 1, held)
        later = asyncio.create_task(run(other, stream + "-2", create(stream)))
        await until_waiting(pool, 2, later)
        assert await LogReader(pool).read_all(start, 10) == []
        await gate.execute("select pg_advisory_unlock(41)")
        positions = [outcome.events[0].position for [outcome] in await asyncio.gather(held, later)]
    assert positions == [start + 1, start + 2]
    await other.close()


@pytest.mark.invariant("I2", "I3")
async def test_writers_on_shared_streams_leave_dense_positions_and_seqs(pool: Pool, stream: str) -> None:
    logs = [EventLog(pool) for _ in range(3)]
    streams = [f"{stream}-{n}" for n in range(5)]
    chance = random.Random(7)
    start = (await LogReader(pool).head()).position

    async def write(log: EventLog, number: int) -> None:
        for n in range(20):
            name = chance.choice(streams)
            await run(log, name, create(name))
            await run(log, name, AppendEvent("worker.event", {"by": number, "n": n}))

    await asyncio.gather(*(write(log, number) for log in logs for number in range(6)))
    for log in logs:
        await log.close()
    events = await LogReader(pool).read_all(start, 10_000)
    assert [event.position for event in events] == list(range(start + 1, start + len(events) + 1))
    for name in streams:
        seqs = [event.seq for event in events if event.stream == name]
        assert seqs == list(range(1, len(seqs) + 1))
    assert sum(event.type == "worker.event" for event in events) == 3 * 6 * 20
