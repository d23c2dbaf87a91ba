"""The engine against a real Postgres: one transaction a batch, holes filled, nothing twice (DESIGN I5, I2)."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg
import pytest

from readmodels import engine
from readmodels.engine import LogBehind
from readmodels.journal import JournalReader
from readmodels.workers import SUMMARIES, Summary, apply, projections
from schemas import names
from schemas.events import Recorded
from tests.locks import held, until_waiting
from tests.worker_events import STARTED, Log, delivered, heartbeat, partition_in

Pool = asyncpg.Pool


@pytest.fixture(autouse=True)
async def _empty(pool: "Pool[Any]") -> None:
    await engine.prepare(pool, SUMMARIES)
    await pool.execute(f"truncate {SUMMARIES.table}, journal, checkpoints, quarantine")
    await pool.execute("update journal_heads set watermark = 0")
    await pool.execute("update log_head set position = 1000000")  # these events are only delivered


@pytest.fixture
def log() -> Log:
    log = Log()
    for event in (STARTED, heartbeat(), heartbeat()):
        log.append("w", event)
    return log


async def event_count(pool: "Pool[Any]", worker_id: str = "w") -> int:
    query = f"select (document ->> 'event_count')::int from {SUMMARIES.table} where doc_key like '%:' || $1"
    return await pool.fetchval(query, worker_id) or 0


async def test_rows_journal_and_checkpoint_follow_a_batch(pool: "Pool[Any]", log: Log) -> None:
    applied = await engine.apply_batch(pool, SUMMARIES, 1, delivered(log.events), log.fill)
    assert (applied.events, applied.documents) == (3, 1)
    assert await engine.checkpoints(pool, SUMMARIES, 1) == {partition_in(log.events[0], 6): 3}
    (row,) = await JournalReader(pool).read_all(names.WORKER_SUMMARIES, 0, 10)
    assert (row.watermark, row.doc_version, row.position, row.owner) == (1, 3, 3, "user:41")
    assert row.payload is not None
    assert row.payload["event_count"] == 3


@pytest.mark.invariant("I5")
async def test_the_same_batch_again_changes_nothing(pool: "Pool[Any]", log: Log) -> None:
    await engine.apply_batch(pool, SUMMARIES, 1, delivered(log.events), log.fill)
    digest = await engine.digest(pool, SUMMARIES)
    applied = await engine.apply_batch(pool, SUMMARIES, 1, delivered(log.events), log.fill)
    assert applied == engine.Applied()
    assert await engine.digest(pool, SUMMARIES) == digest
    assert await JournalReader(pool).head(names.WORKER_SUMMARIES) == 1


async def test_a_new_generation_of_the_topic_delivers_everything_again_and_changes_nothing(
    pool: "Pool[Any]", log: Log
) -> None:
    await engine.apply_batch(pool, SUMMARIES, 1, delivered(log.events), log.fill)
    await engine.apply_batch(pool, SUMMARIES, 2, delivered(log.events, 3), log.fill)
    assert await event_count(pool) == 3
    assert await JournalReader(pool).head(names.WORKER_SUMMARIES) == 1


async def test_a_hole_is_filled_from_the_log_before_going_on(pool: "Pool[Any]", log: Log) -> None:
    for _ in range(20):
        log.append("w", heartbeat())
    ((partition, deliveries),) = delivered(log.events).items()
    await engine.apply_batch(pool, SUMMARIES, 1, {partition: [deliveries[0], deliveries[-1]]}, log.fill)
    assert await event_count(pool) == 23


@pytest.mark.invariant("I2")
async def test_a_hole_that_the_log_cannot_fill_is_refused_and_nothing_is_written(pool: "Pool[Any]", log: Log) -> None:
    ((partition, deliveries),) = delivered(log.events).items()
    with pytest.raises(LogBehind):
        await engine.apply_batch(pool, SUMMARIES, 1, {partition: [deliveries[-1]]}, Log().fill)
    assert await event_count(pool) == 0


@pytest.mark.invariant("I2")
async def test_a_record_that_is_ahead_of_the_log_is_refused_and_nothing_is_written(pool: "Pool[Any]", log: Log) -> None:
    await pool.execute("update log_head set position = 2")
    with pytest.raises(LogBehind):
        await engine.apply_batch(pool, SUMMARIES, 1, delivered(log.events), log.fill)
    assert await event_count(pool) == 0


@pytest.mark.invariant("I5")
async def test_two_processes_with_the_same_batch_apply_it_once(pool: "Pool[Any]", database: str, log: Log) -> None:
    """Both have looked before either writes."""
    batch = delivered(log.events)
    await engine.advance(pool, SUMMARIES, 1, list(batch), 0)
    async with held(database, "select * from checkpoints for update"):
        both = [asyncio.create_task(engine.apply_batch(pool, SUMMARIES, 1, batch, log.fill)) for _ in range(2)]
        await until_waiting(pool, 2, both[0])
    assert sorted([(await one).events for one in both]) == [0, 3]
    assert await event_count(pool) == 3
    assert await JournalReader(pool).head(names.WORKER_SUMMARIES) == 1


async def test_an_event_that_cannot_be_applied_quarantines_its_document_only(pool: "Pool[Any]", log: Log) -> None:
    def refuse(summary: Summary | None, event: Recorded) -> Summary:
        if event.position == 2:
            raise ValueError("cannot")
        return apply(summary, event)

    log.append("other", STARTED)
    view = replace(SUMMARIES, apply=refuse)
    applied = await engine.apply_batch(pool, view, 1, delivered(log.events), log.fill)
    assert [failure.position for failure in applied.failures] == [2]
    assert (await event_count(pool), await event_count(pool, "other")) == (1, 1)
    later = log.append("w", heartbeat())
    partition = partition_in(later, 6)
    await engine.apply_batch(pool, view, 1, {partition: delivered(log.events)[partition]}, log.fill)
    assert await event_count(pool) == 1
    assert (await engine.checkpoints(pool, view, 1))[partition] == 5
    assert await pool.fetchval("select error from quarantine") == "ValueError('cannot')"


@pytest.mark.invariant("I5")
async def test_nothing_of_a_failing_transaction_stays(pool: "Pool[Any]", log: Log) -> None:
    """The journal comes last; rows and checkpoint must go with it."""
    view = replace(SUMMARIES, feeds="a topic that is longer than any " + "\0")
    with pytest.raises(asyncpg.PostgresError):
        await engine.apply_batch(pool, view, 1, delivered(log.events), log.fill)
    assert await event_count(pool) == 0
    assert set((await engine.checkpoints(pool, SUMMARIES, 1)).values()) <= {0}


async def test_a_raised_checkpoint_never_falls(pool: "Pool[Any]") -> None:
    await engine.advance(pool, SUMMARIES, 1, [0, 1], 50)
    await engine.advance(pool, SUMMARIES, 1, [1, 2], 20)
    assert await engine.checkpoints(pool, SUMMARIES, 1) == {0: 50, 1: 50, 2: 20}


async def test_catching_up_applies_what_was_never_delivered(pool: "Pool[Any]", log: Log) -> None:
    partition = partition_in(log.events[0], 6)
    reached = await engine.catch_up(pool, SUMMARIES, 1, partition, 100, partial(log.fill, page=2))
    assert (reached, await event_count(pool)) == (3, 3)


async def test_the_list_is_told_how_far_its_owners_summaries_are(pool: "Pool[Any]", log: Log) -> None:
    log.append("w", STARTED, owner="user:42")
    await engine.apply_batch(pool, SUMMARIES, 1, delivered(log.events), log.fill)
    (projection,) = (await projections(pool, "user:41", ["w", "unknown"])).values()
    assert (projection.document_id, projection.last_runtime_seq) == ("runtime/codex_worker_summary:w", 3)
    assert (projection.projection_version, projection.last_projected_at) == (
        "khala_summary_v1",
        log.events[2].recorded_at,
    )
