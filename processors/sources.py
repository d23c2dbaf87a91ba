"""Where the engine's events come from: Kafka records as they arrive, the log for what did not."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from processors import metrics
from processors.log_source import PAGE, LogSource
from producers.eventlog.reader import LogReader
from producers.eventlog.scan import Filter, scan
from readmodels.engine import Delivery
from readmodels.engine.rebuild import Page
from schemas import kafka_records, sql_files

if TYPE_CHECKING:
    import asyncpg

LOGGER = structlog.get_logger()
SQL = sql_files.load(__file__)

POLL_MS = 200
CLOCKS_DIFFER = timedelta(minutes=1)


class TopicMissing(Exception):
    """There is nothing to read: the relay has not made the topic, or somebody deleted it."""


class Record(NamedTuple):
    """A record of a topic as any consumer gets it."""

    partition: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]


def deliveries(topic: str, records: Iterable[Record]) -> dict[int, list[Delivery]]:
    """What the records carry, by partition; one that cannot be read counts as not delivered, so the log fills it."""
    batch: dict[int, list[Delivery]] = {}
    for record in records:
        if carried := delivery(topic, record):
            batch.setdefault(record.partition, []).append(carried)
    return batch


def delivery(topic: str, record: Record) -> Delivery | None:
    """What a record carries; None when it cannot be read."""
    try:
        place = kafka_records.place(record.headers)
        return Delivery(kafka_records.event(record.value, record.headers), place.previous, place.epoch)
    except Exception as error:  # noqa: BLE001 the border to bytes of unknown origin: logged and counted
        metrics.RECORDS_SKIPPED.labels(topic).inc()
        LOGGER.warning("unreadable record", topic=topic, partition=record.partition, error=repr(error))
        return None


class LogPages:
    """All of a topic's events in the order of the log, for whoever rebuilds a view (`engine.rebuild.Source`)."""

    def __init__(self, pool: "asyncpg.Pool[Any]", topic: str, partitions: int) -> None:
        self._pool = pool
        self._log = LogSource(LogReader(pool), topic, partitions)
        self.fill = self._log.fill

    async def pages(self, after: Mapping[int, int], until: Mapping[int, int]) -> AsyncGenerator[Page, None]:
        lacking = [partition for partition, position in until.items() if after[partition] < position]
        start = min((after[partition] for partition in lacking), default=0)
        end = max((until[partition] for partition in lacking), default=0)
        async for events, through in scan(self._pool, start, end, Filter(kinds=self._log.kinds)):
            batch: dict[int, list[Delivery]] = {}
            for event in events:
                batch.setdefault(self._log.partition(event.stream), []).append(Delivery(event, 0))
            yield Page(batch, dict.fromkeys(until, through))

    async def lag(self, checkpoints: Mapping[int, int], head: int) -> int:
        """Positions from the oldest event that is not applied to the log's head; 0 when there is none."""
        start = min(checkpoints.values(), default=0)
        async for events, _ in scan(self._pool, start, head, Filter(kinds=self._log.kinds)):
            for event in events:
                if event.position > checkpoints.get(self._log.partition(event.stream), 0):
                    return head - event.position + 1
        return 0


class KafkaPages:
    """A topic from its first record to where it ends when the reading begins, by a plain consumer.

    `name` is what the brokers call it.
    """

    def __init__(self, pool: "asyncpg.Pool[Any]", brokers: str, name: str, topic: str, partitions: int) -> None:
        self._pool = pool
        self._brokers = brokers
        self._topic = name
        self.fill = LogSource(LogReader(pool), topic, partitions).fill

    async def pages(self, after: Mapping[int, int], until: Mapping[int, int]) -> AsyncGenerator[Page, None]:
        published = await self._pool.fetch(SQL["published"], self._topic)
        last = dict(after)
        async with self._consumer([TopicPartition(self._topic, partition) for partition in until]) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            await self._seek(consumer, after)
            while consumer.assignment() - consumer.paused():
                fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=PAGE)
                records = (Record(one.partition, one.value, one.headers) for some in fetched.values() for one in some)
                batch = deliveries(self._topic, records)
                last |= {
                    number: max(last[number], *(one.event.position for one in some)) for number, some in batch.items()
                }
                yield Page(batch, {})
                done = [one for one, end in ends.items() if await consumer.position(one) >= end]
                consumer.pause(*done, *(one for one in ends if last[one.partition] >= until[one.partition]))
        yield Page({}, {row["partition"]: row["position"] for row in published if _is_complete(row, last)})

    @asynccontextmanager
    async def _consumer(self, partitions: Sequence[TopicPartition]) -> AsyncIterator[Any]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._brokers, enable_auto_commit=False, group_id=None)
        try:
            await consumer.start()
            if self._topic not in await consumer.topics():
                raise TopicMissing(f"Kafka has no topic {self._topic}")
            consumer.assign(partitions)
            yield consumer
        finally:
            await consumer.stop()

    async def _seek(self, consumer: Any, after: Mapping[int, int]) -> None:
        """Near to where an earlier run ended, by time; what that leaves out is a hole like any other."""
        found = await self._pool.fetch(SQL["recorded_at"], list(after.values()))
        times = {row["position"]: row["recorded_at"] - CLOCKS_DIFFER for row in found}
        begins = await consumer.beginning_offsets(consumer.assignment())
        for one, begin in begins.items():
            offset = None
            if moment := times.get(after[one.partition]):
                offset = (await consumer.offsets_for_times({one: int(moment.timestamp() * 1000)}))[one]
            consumer.seek(one, offset.offset if offset else begin)


def _is_complete(row: "asyncpg.Record", last: Mapping[int, int]) -> bool:
    """What the relay wrote down about a partition counts while the partition has what it had then."""
    return last.get(row["partition"], 0) >= int(row["last_position"])
