"""What relay tests share: events put into the log, and what a plain consumer finds in the topic."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas import canonical_json, hashing, kafka_records, names
from schemas.events import Payload
from schemas.kafka_records import Place
from schemas.partitioning import partition_of

OWNER = "user:41"
PARTITIONS = 6
_COMMIT = """
with head as (update log_head set position = position + $1 returning position - $1 as base),
     event as (select base + n as position, n % $2 as worker from head, generate_series(1, $1) n),
     old as (select stream, max(seq) as seq from events group by stream),
     written as (
         insert into events
         select position, split_part($5, '/', 1), $5 || worker,
                coalesce(old.seq, 0) + row_number() over (partition by worker order by position),
                $6, 1, $3, $7::json, $4, '{}', clock_timestamp()
           from event left join old on old.stream = $5 || worker)
select pg_notify('oa_log', (base + $1)::text) from head
"""


class Record(NamedTuple):
    place: Place
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    partition: int
    offset: int


async def commit(pool: "asyncpg.Pool[Any]", count: int, *, workers: int = 23) -> None:
    """`count` events of `workers` workers at the end of the log, in one transaction."""
    await _commit(pool, count, workers, f"worker/{OWNER}/w", "worker.heartbeat", {"source": "desk"})


async def commit_of(topic: str, pool: "asyncpg.Pool[Any]", count: int) -> None:
    """The same of any topic: words of runs, notifications that are cleared again and again."""
    if topic == names.KAFKA_TOPICS[names.RUN]:
        await _commit(pool, count, 23, "run/r", "run.delta", {"delta": "a", "frame_id": "f"})
    elif topic == names.KAFKA_TOPICS[names.NOTIFICATION]:
        await _commit(pool, count, 23, f"notification/{OWNER}/n", "notification.cleared", {"cause": "c"})
    else:
        await commit(pool, count)


async def _commit(
    pool: "asyncpg.Pool[Any]", count: int, streams: int, begin: str, event_type: str, payload: Payload
) -> None:
    text = canonical_json.encode(payload).decode()
    await pool.execute(_COMMIT, count, streams, OWNER, hashing.digest(payload), begin, event_type, text)


async def committed(pool: "asyncpg.Pool[Any]", partitions: int = PARTITIONS) -> dict[int, list[int]]:
    """The positions that belong into each partition, in order."""
    expected: dict[int, list[int]] = {partition: [] for partition in range(partitions)}
    for row in await pool.fetch("select position, stream from events where kind = 'worker' order by position"):
        expected[partition_of(names.kafka_key(row["stream"]), partitions)].append(row["position"])
    return expected


@asynccontextmanager
async def consumer(bootstrap: str) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=50)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def topic_contents(bootstrap: str, topic: str) -> dict[int, list[Record]]:
    """Everything the topic holds now, by partition; nothing when there is no such topic."""
    if not (partitions := await _partitions(bootstrap, topic)):
        return {}
    found: dict[int, list[Record]] = {partition.partition: [] for partition in partitions}
    async with consumer(bootstrap) as reading:
        reading.assign(partitions)
        ends = await reading.end_offsets(partitions)
        for partition in partitions:
            reading.seek(partition, 0)
        while not all([await reading.position(partition) >= ends[partition] for partition in partitions]):
            for partition, records in (await reading.getmany(timeout_ms=50)).items():
                found[partition.partition] += [_record(record) for record in records]
    return found


async def _partitions(bootstrap: str, topic: str) -> list[TopicPartition]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await client.start()
        [described] = await client.describe_topics([topic])
        return [TopicPartition(topic, part["partition"]) for part in described["partitions"]]
    finally:
        await client.close()


def _record(record: Any) -> Record:
    place = kafka_records.place(record.headers)
    return Record(place, record.key, record.value, record.headers, record.partition, record.offset)


async def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.02)


async def until_relayed(pool: "asyncpg.Pool[Any]", bootstrap: str, topic: str, within_s: float = 30.0) -> None:
    """Wait for the newest event of each partition, then check all of them: order, completeness, chain, no repeats."""
    expected = await committed(pool)
    deadline = time.monotonic() + within_s
    while not _ends_agree(contents := await _contents_now(bootstrap, topic), expected):
        assert time.monotonic() < deadline, f"not relayed: {_last_positions(contents)}"
        await asyncio.sleep(0.1)
    assert_chained(contents, expected)


async def _contents_now(bootstrap: str, topic: str) -> dict[int, list[Record]]:
    """Like `topic_contents`, while brokers and topics come and go."""
    try:
        async with asyncio.timeout(5):
            return await topic_contents(bootstrap, topic)
    except (TimeoutError, KafkaError):
        return {}


def assert_chained(contents: dict[int, list[Record]], expected: dict[int, list[int]]) -> None:
    for partition, records in contents.items():
        positions = [record.place.position for record in records]
        assert positions == expected[partition]
        assert [record.place.previous for record in records] == [0, *positions][: len(positions)]


def _ends_agree(contents: dict[int, list[Record]], expected: dict[int, list[int]]) -> bool:
    return _last_positions(contents) == {number: positions[-1:] for number, positions in expected.items()}


def _last_positions(contents: dict[int, list[Record]]) -> dict[int, list[int]]:
    return {number: [record.place.position for record in records[-1:]] for number, records in contents.items()}
