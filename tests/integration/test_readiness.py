"""I9: an edge is not ready while something behind it is stuck, though nothing is dead."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from edge.health import STUCK_AFTER_S, EdgeHealth, Standstill
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail
from producers.workers import DECIDER, CreateWorker
from readmodels import journal
from readmodels.journal import JournalReader, News
from readmodels.journal_tail import JournalTail
from schemas.names import WORKER_SUMMARIES, worker_stream
from tests.locks import held
from tests.services import eventually

Pool = asyncpg.Pool
LATER_S = STUCK_AFTER_S + 1
OWNER = "user:41"


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Parts:
    """What the edge's health looks at; the tails move only when a test makes them."""

    def __init__(self, pool: "Pool[Any]", log: EventLog, position: int, watermarks: dict[str, int]) -> None:
        self.clock = Clock()
        self.log = log
        reader, journal_reader = LogReader(pool), JournalReader(pool)
        self.tail = LogTail(reader, asyncio.Event(), start=position)
        self.journal_tail = JournalTail(journal_reader, asyncio.Event(), watermarks)
        self.health = EdgeHealth(log, reader, self.tail, journal_reader, self.journal_tail, self.clock)

    async def reason(self) -> str | None:
        readiness = await self.health.readiness()
        assert readiness["ready"] == (readiness["reason"] is None)
        return None if readiness["reason"] is None else str(readiness["reason"])

    async def create(self, worker_id: str) -> None:
        items = [Item(CreateWorker(worker_id))]
        await self.log.execute(DECIDER, worker_stream(OWNER, worker_id), OWNER, items)


@pytest.fixture
async def parts(pool: "Pool[Any]") -> AsyncIterator[Parts]:
    log = EventLog(pool)
    head, watermarks = await LogReader(pool).head(), await JournalReader(pool).watermarks()
    yield Parts(pool, log, head.position, watermarks)
    await log.close()


@asynccontextmanager
async def running(run: Callable[[], Any]) -> AsyncIterator[None]:
    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.invariant("I9")
async def test_a_postgres_that_takes_connections_and_answers_nothing(parts: Parts, database: str) -> None:
    assert await parts.reason() is None
    async with held(database, "lock table log_head"):
        assert "does not answer" in str(await parts.reason())
    assert await parts.reason() is None


@pytest.mark.invariant("I9")
async def test_a_log_whose_commits_hang_while_it_can_be_read(parts: Parts, database: str) -> None:
    async with held(database, "select * from log_head for update"):
        command = asyncio.create_task(parts.create("w:hangs"))
        await eventually(lambda: parts.log.waiting == 1)
        assert await parts.reason() is None
        parts.clock.seconds += LATER_S
        assert await parts.reason() == f"the log has stood still for {LATER_S:.0f} s"
    await command
    async with running(parts.tail.run):
        await eventually(lambda: parts.tail.position > 0)
        assert await parts.reason() is None


@pytest.mark.invariant("I9")
async def test_a_tail_that_stands_still(parts: Parts) -> None:
    await parts.create("w:unread")
    assert await parts.reason() is None
    parts.clock.seconds += LATER_S
    assert await parts.reason() == f"the tail has stood still for {LATER_S:.0f} s"
    position = parts.tail.position
    async with running(parts.tail.run):
        await eventually(lambda: parts.tail.position > position)
        assert await parts.reason() is None


@pytest.mark.invariant("I9")
async def test_a_journal_tail_that_stands_still(parts: Parts, pool: "Pool[Any]") -> None:
    async with pool.acquire() as connection, connection.transaction():
        await journal.append(connection, WORKER_SUMMARIES, [News(OWNER, "doc", 1, 1, "{}")])
    assert await parts.reason() is None
    parts.clock.seconds += LATER_S
    assert await parts.reason() == f"the journal's tail has stood still for {LATER_S:.0f} s"
    position = parts.journal_tail.position(WORKER_SUMMARIES)
    async with running(parts.journal_tail.run):
        await eventually(lambda: parts.journal_tail.position(WORKER_SUMMARIES) > position)
        assert await parts.reason() is None


def test_what_has_only_just_come_is_no_standstill_however_long_ago_one_looked() -> None:
    clock = Clock()
    standstill = Standstill(clock)
    assert standstill.seconds(7, is_behind=False) == 0
    clock.seconds = 60
    assert standstill.seconds(7, is_behind=True) == 0
    clock.seconds = 63
    assert standstill.seconds(7, is_behind=True) == 3
    assert standstill.seconds(8, is_behind=True) == 0
