"""What lies beyond the retention horizon of a topic that is a view of the log (sync §15.3, SD-2)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
import pytest

from producers.eventlog.reader import LogReader
from schemas.names import WORKER
from tests.worker_events import NOON, STARTED, Log, commit, heartbeat

MINE, OTHERS = "user:1", "user:2"


class CountingPool:
    """A pool that counts the queries it is asked for."""

    def __init__(self, pool: "asyncpg.Pool[Any]") -> None:
        self._pool = pool
        self.queries = 0

    async def fetchval(self, *query: Any) -> Any:
        self.queries += 1
        return await self._pool.fetchval(*query)

    async def fetchrow(self, *query: Any) -> Any:
        self.queries += 1
        return await self._pool.fetchrow(*query)


@pytest.fixture
async def pool(pool: "asyncpg.Pool[Any]") -> "asyncpg.Pool[Any]":
    """Events of 12:00:01 (mine), :02 (others'), :03 (mine), and of 12:01:40 (others')."""
    log = Log()
    log.append("w", STARTED, owner=MINE)
    log.append("v", STARTED, owner=OTHERS)
    log.append("w", heartbeat(), owner=MINE)
    for _ in range(97):
        log.append("v", heartbeat(), owner=OTHERS)
    await pool.execute("truncate events")
    await commit(pool, log.events)
    return pool


def at(minute: int, second: int = 0) -> datetime:
    return datetime(2026, 2, 20, 12, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("owner", "horizon", "floor"),
    [
        (MINE, NOON - timedelta(hours=1), 0),
        (MINE, at(1), 3),
        (OTHERS, at(1), 59),
        (OTHERS, at(1, 59), 59),
        (OTHERS, at(2), 100),
        (MINE, NOON + timedelta(days=1), 3),
        ("user:9", at(2), 0),
    ],
)
async def test_the_floor_is_the_owners_newest_event_before_the_minute_of_the_horizon(
    pool: "asyncpg.Pool[Any]", owner: str, horizon: datetime, floor: int
) -> None:
    assert await LogReader(pool).floor(owner, WORKER, horizon) == floor


async def test_a_storm_of_subscribers_searches_once(pool: "asyncpg.Pool[Any]") -> None:
    counting = CountingPool(pool)
    reader = LogReader(cast("asyncpg.Pool[Any]", counting))
    await asyncio.gather(*(reader.floor(MINE, WORKER, at(1, second)) for second in range(50)))
    before = counting.queries
    await asyncio.gather(*(reader.floor(OTHERS, WORKER, at(1, second)) for second in range(50)))
    assert before < 50 + 20
    assert counting.queries == before + 50


async def test_where_nothing_is_old_no_owner_is_asked_for(pool: "asyncpg.Pool[Any]") -> None:
    counting = CountingPool(pool)
    reader = LogReader(cast("asyncpg.Pool[Any]", counting))
    assert await reader.floor(MINE, WORKER, NOON) == 0
    before = counting.queries
    assert await reader.floor(OTHERS, WORKER, NOON) == 0
    assert counting.queries == before


async def test_the_next_minute_is_searched_anew(pool: "asyncpg.Pool[Any]") -> None:
    reader = LogReader(pool)
    assert await reader.floor(OTHERS, WORKER, at(1)) == 59
    assert await reader.floor(OTHERS, WORKER, at(2)) == 100


@pytest.mark.parametrize(
    ("owner", "position", "rows", "start", "first", "through"),
    [
        (MINE, 100, 1, 2, 3, 100),
        (MINE, 100, 2, 0, 1, 100),
        (OTHERS, 100, 98, 1, 2, 100),
        (OTHERS, 100, 99, 0, 2, 100),
        (OTHERS, 9, 3, 6, 7, 12),
    ],
)
async def test_an_owner_reads_events_before_a_cursor_and_as_many_after_it(
    pool: "asyncpg.Pool[Any]", owner: str, position: int, rows: int, start: int, first: int, through: int
) -> None:
    found, page = await LogReader(pool).read_around(owner, WORKER, position, rows)
    assert (found, page.events[0].position, page.through) == (start, first, through)
