"""The journal and its tail: dense watermarks in commit order, owners apart, nothing missed (DESIGN §7, sync §15)."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from producers.eventlog.wakeups import Wakeups
from readmodels import journal
from readmodels.journal import JournalReader, JournalRow, News
from readmodels.journal_tail import JournalTail
from schemas import hashing, names

TOPIC = names.WORKER_SUMMARIES


@pytest.fixture(autouse=True)
async def _empty(pool: "asyncpg.Pool[Any]") -> None:
    await pool.execute("truncate journal")
    await pool.execute("update journal_heads set watermark = 100")


def news(version: int, owner: str = "user:1") -> News:
    return News(owner, "doc", version, 1000 + version, f'{{"v":{version}}}')


async def append(pool: "asyncpg.Pool[Any]", *items: News) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await journal.append(connection, TOPIC, items)


async def test_the_first_watermark_follows_the_configured_start(pool: "asyncpg.Pool[Any]") -> None:
    reader = JournalReader(pool)
    assert await reader.head(TOPIC) == 100
    await append(pool, news(1), news(2))
    assert [(row.watermark, row.doc_version) for row in await reader.read_all(TOPIC, 0, 10)] == [(101, 1), (102, 2)]
    assert await reader.head(TOPIC) == 102


async def test_the_hash_is_over_the_canonical_payload(pool: "asyncpg.Pool[Any]") -> None:
    await append(pool, news(1))
    (row,) = await JournalReader(pool).read_all(TOPIC, 0, 10)
    assert row.payload_hash == hashing.digest(row.payload)


async def test_an_owner_reads_its_own_rows_and_is_told_how_far_it_is(pool: "asyncpg.Pool[Any]") -> None:
    reader = JournalReader(pool)
    await append(pool, news(1), news(1, "user:2"), news(2), news(2, "user:2"))
    full = await reader.read_owner(TOPIC, "user:1", 0, 1)
    rest = await reader.read_owner(TOPIC, "user:1", full.through, 10)
    assert ([row.watermark for row in full.rows], full.through) == ([101], 101)
    assert ([row.watermark for row in rest.rows], rest.through) == ([103], 104)


async def test_an_owner_reads_rows_before_a_cursor_and_as_many_after_it(pool: "asyncpg.Pool[Any]") -> None:
    reader = JournalReader(pool)
    await append(pool, news(1), news(1, "user:2"), news(2), news(2, "user:2"), news(3), news(4))
    found = {
        (watermark, rows): await reader.read_around(TOPIC, "user:1", watermark, rows)
        for watermark, rows in ((103, 1), (103, 2), (103, 3), (102, 1))
    }
    assert {
        where: (start, [row.watermark for row in page.rows], page.through) for where, (start, page) in found.items()
    } == {
        (103, 1): (102, [103, 105], 105),
        (103, 2): (100, [101, 103, 105, 106], 106),
        (103, 3): (0, [101, 103, 105, 106], 106),
        (102, 1): (100, [101, 103], 103),
    }


async def test_an_owner_without_rows_is_at_the_head(pool: "asyncpg.Pool[Any]") -> None:
    await append(pool, news(1))
    page = await JournalReader(pool).read_owner(TOPIC, "user:9", 0, 10)
    assert (page.rows, page.through) == ([], 101)
    assert await JournalReader(pool).read_around(TOPIC, "user:9", 101, 10) == (0, page)


async def test_watermarks_are_dense_whoever_commits(pool: "asyncpg.Pool[Any]") -> None:
    await asyncio.gather(*(append(pool, news(n), news(n)) for n in range(20)))
    rows = await JournalReader(pool).read_all(TOPIC, 0, 100)
    assert [row.watermark for row in rows] == list(range(101, 141))


async def test_a_rolled_back_row_returns_its_watermark(pool: "asyncpg.Pool[Any]") -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await journal.append(connection, TOPIC, [news(1)])
        await transaction.rollback()
    await append(pool, news(2))
    assert [row.watermark for row in await JournalReader(pool).read_all(TOPIC, 0, 10)] == [101]


async def test_the_floor_is_the_owners_newest_row_before_the_horizon(pool: "asyncpg.Pool[Any]") -> None:
    await append(pool, news(1), news(1, "user:2"), news(2), news(3))
    await pool.execute("update journal set inserted_at = inserted_at - interval '2 days' where watermark <= 103")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    reader = JournalReader(pool)
    assert await reader.floor(TOPIC, "user:1", yesterday) == 103
    assert await reader.floor(TOPIC, "user:2", yesterday) == 102
    assert await reader.floor(TOPIC, "user:9", yesterday) == 0


async def test_the_tail_hands_out_every_row_once_in_order(pool: "asyncpg.Pool[Any]") -> None:
    reader, wakeups = JournalReader(pool), Wakeups(pool)
    seen: list[int] = []
    complete = asyncio.Event()

    def receive(topic: str, rows: Sequence[JournalRow]) -> None:
        assert topic == TOPIC
        seen.extend(row.watermark for row in rows)
        if len(seen) == 30:
            complete.set()

    await append(pool, news(0))
    tail = JournalTail(reader, wakeups.event(names.NOTIFY_JOURNAL), {TOPIC: await reader.head(TOPIC)})
    unsubscribe = tail.subscribe(receive)
    tasks = [asyncio.create_task(wakeups.run()), asyncio.create_task(tail.run())]
    await asyncio.gather(*(append(pool, news(n)) for n in range(30)))
    async with asyncio.timeout(10):
        await complete.wait()
    assert seen == list(range(102, 132))
    assert tail.position(TOPIC) == 131
    unsubscribe()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_tail_keeps_topics_apart(pool: "asyncpg.Pool[Any]") -> None:
    seen: dict[str, list[int]] = {}
    complete = asyncio.Event()

    def receive(topic: str, rows: Sequence[JournalRow]) -> None:
        assert {row.topic for row in rows} == {topic}
        seen[topic] = [row.watermark for row in rows]
        if len(seen) == 2:
            complete.set()

    async with pool.acquire() as connection, connection.transaction():
        await journal.append(connection, TOPIC, [news(1), news(2)])
        await journal.append(connection, names.NOTIFICATIONS, [news(1), news(2), news(3)])
    tail = JournalTail(JournalReader(pool), asyncio.Event(), {TOPIC: 100, names.NOTIFICATIONS: 101})
    tail.subscribe(receive)
    task = asyncio.create_task(tail.run())
    async with asyncio.timeout(10):
        await complete.wait()
    assert seen == {TOPIC: [101, 102], names.NOTIFICATIONS: [102, 103]}
    assert (tail.position(TOPIC), tail.position(names.NOTIFICATIONS)) == (102, 103)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_tail_finds_rows_that_no_notify_told_of(pool: "asyncpg.Pool[Any]") -> None:
    arrived = asyncio.Event()
    tail = JournalTail(JournalReader(pool), asyncio.Event(), {TOPIC: 100})
    tail.subscribe(lambda _topic, _rows: arrived.set())
    await append(pool, news(1))
    task = asyncio.create_task(tail.run())
    async with asyncio.timeout(10):
        await arrived.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
