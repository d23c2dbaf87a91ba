"""The processors' watch against a real Postgres, without Kafka: what it calls stuck, and what it refuses (I2, I9)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from processors.lag import STUCK_AFTER_S, Watch
from processors.log_source import LogSource
from processors.projector import Projector
from producers.eventlog.reader import LogReader
from readmodels import engine
from readmodels.engine import LogBehind
from readmodels.workers import SUMMARIES
from tests.locks import held
from tests.worker_events import NOON, STARTED, Log, commit, delivered, heartbeat

Pool = asyncpg.Pool
PARTITIONS = 6


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(pool: "Pool[Any]", clock: Clock) -> Watch:
    projector = Projector(pool, SUMMARIES, 1, LogSource(LogReader(pool), SUMMARIES.topic, PARTITIONS))
    return Watch(
        pool,
        projector,
        partitions=PARTITIONS,
        topic=SUMMARIES.topic,
        clock=lambda: NOON + timedelta(seconds=clock.seconds),
        monotonic=clock,
    )


@pytest.fixture(autouse=True)
async def log(pool: "Pool[Any]") -> AsyncIterator[Log]:
    """Three events that are committed and not applied."""
    log = Log()
    for event in (STARTED, heartbeat(), heartbeat()):
        log.append("w", event)
    await engine.prepare(pool, SUMMARIES)
    await commit(pool, log.events)
    yield log
    await pool.execute(f"truncate events, {SUMMARIES.table}, journal, checkpoints")
    await pool.execute("update log_head set position = 0")


async def looked(watch: Watch) -> tuple[bool, str]:
    await watch.refresh()
    health = watch.health()
    return health.ready, health.reason


@pytest.mark.invariant("I9")
async def test_a_projector_that_applies_nothing_is_stuck_until_it_does(
    watch: Watch, clock: Clock, pool: "Pool[Any]", log: Log
) -> None:
    assert await looked(watch) == (True, "")
    clock.seconds = STUCK_AFTER_S
    ready, reason = await looked(watch)
    assert not ready
    assert reason.endswith(f"has not moved for {STUCK_AFTER_S:.0f} s")
    await engine.apply_batch(pool, SUMMARIES, 1, delivered(log.events), log.fill)
    assert await looked(watch) == (True, "")


@pytest.mark.invariant("I9")
async def test_a_look_that_never_ends_is_not_ready(watch: Watch, clock: Clock, database: str) -> None:
    assert await looked(watch) == (True, "")
    async with held(database, "lock table log_head"):
        looking = asyncio.create_task(watch.refresh())
        clock.seconds = STUCK_AFTER_S
        assert watch.health().reason == f"the log has not answered for {STUCK_AFTER_S:.0f} s"
        assert not watch.health().ready
    await looking
    assert "log has not answered" not in watch.health().reason


@pytest.mark.invariant("I2")
async def test_a_log_that_is_behind_what_was_applied_is_refused(watch: Watch, pool: "Pool[Any]") -> None:
    await engine.advance(pool, SUMMARIES, 1, [3], 4)
    with pytest.raises(LogBehind, match="applied 4, the log ends at 3"):
        await watch.refresh()


async def test_a_log_that_ends_where_the_projector_does_is_not(watch: Watch, pool: "Pool[Any]") -> None:
    await engine.advance(pool, SUMMARIES, 1, [3], 3)
    await watch.refresh()
