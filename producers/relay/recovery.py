"""What Kafka has that the log lacks, after a restore or a failover (DESIGN I2, ADR 11)."""

import heapq
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from producers.eventlog.epochs import LostEnd
from producers.eventlog.reader import Head, LogReader
from producers.relay.topics import partitions_of
from schemas import kafka_records
from schemas.events import Recorded
from schemas.kafka_records import origin_of

_FETCH_WAIT_MS: Final = 5

Record = Any
"""aiokafka's, by a relay of ours."""


class Findings(NamedTuple):
    """Records that are not in the log: how many, and the highest position any partition has.

    `continues_through`: they follow the head without a gap up to there, so they can be put back; the head when not.
    """

    unknown: int
    highest: int
    continues_through: int

    def lost(self, head: Head, *, put_back: bool) -> int:
        """How many published events the log will not have."""
        return self.unknown - (self.continues_through - head.position if put_back else 0)


class Publication:
    """The topics' records that the log lacks; nothing may be published meanwhile."""

    def __init__(self, consumer: Any, unknown: Mapping[TopicPartition, range]) -> None:
        self._consumer = consumer
        self._unknown = unknown

    async def examine(self, head: Head) -> Findings:
        count, highest, continues_through, follows = 0, head.position, head.position, True
        async for record in self._records():
            position = kafka_records.place(record.headers).position
            follows = follows and position == continues_through + 1
            continues_through += follows
            highest = max(highest, position)
            count += 1
        return Findings(count, highest, continues_through)

    async def events(self, through: int, page: int) -> AsyncIterator[list[Recorded]]:
        """What continues the log, in order, up to a position."""
        pending: list[Recorded] = []
        async for record in self._records():
            event = kafka_records.event(record.value, record.headers)
            if event.position > through:
                break
            pending.append(event)
            if len(pending) == page:
                yield pending
                pending = []
        if pending:
            yield pending

    async def ends(self, above: int) -> list[LostEnd]:
        """How far each stream was published that has records above a position."""
        last: dict[str, LostEnd] = {}
        async for record in self._records():
            event = kafka_records.event(record.value, record.headers)
            if event.position > above:
                last[event.stream] = LostEnd(event.kind, event.stream, event.owner, event.seq)
        return list(last.values())

    async def _records(self) -> AsyncIterator[Record]:
        """All partitions' unknown records by ascending position."""
        sources = [_between(self._consumer, partition, offsets) for partition, offsets in self._unknown.items()]
        heap: list[tuple[int, int, Record]] = []
        for number, source in enumerate(sources):
            await _push(heap, number, source)
        while heap:
            _, number, record = heapq.heappop(heap)
            yield record
            await _push(heap, number, sources[number])


@asynccontextmanager
async def publication(bootstrap: str, topics: Sequence[str], reader: LogReader) -> AsyncIterator[Publication]:
    """Topics that do not exist have nothing. Raises NotARelayRecord when somebody else wrote into one."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=_FETCH_WAIT_MS)
    await consumer.start()
    try:
        partitions = await partitions_of(bootstrap, topics)
        consumer.assign(partitions)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        unknown = {
            part: await _unknown(consumer, part, begins[part], ends[part], _is_in(reader)) for part in partitions
        }
        yield Publication(consumer, unknown)
    finally:
        await consumer.stop()


Known = Callable[[Record], Awaitable[bool]]


def _is_in(reader: LogReader) -> Known:
    async def is_in_log(record: Record) -> bool:
        events = await reader.read_these([kafka_records.place(record.headers).position])
        return [origin_of(event) for event in events] == [kafka_records.origin(record.headers)]

    return is_in_log


async def _unknown(consumer: Any, partition: TopicPartition, begin: int, end: int, known: Known) -> range:
    """The offsets of the records that the log lacks: a search by halves, for those that it has come first."""
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        record = await _first(consumer, partition, range(middle, high))
        if record is not None and await known(record):
            low = record.offset + 1
        else:
            high = middle
    return range(low, end)


async def _first(consumer: Any, partition: TopicPartition, offsets: range) -> Record | None:
    async for record in _between(consumer, partition, offsets):
        return record
    return None


async def _between(consumer: Any, partition: TopicPartition, offsets: range) -> AsyncIterator[Record]:
    """A partition's records with these offsets; some may be taken by transactions' marks."""
    if not offsets:
        return
    consumer.seek(partition, offsets.start)
    while await consumer.position(partition) < offsets.stop:
        fetched = await consumer.getmany(partition, timeout_ms=_FETCH_WAIT_MS)
        for record in fetched.get(partition, ()):
            if record.offset < offsets.stop:
                yield record


async def _push(heap: list[tuple[int, int, Record]], number: int, source: AsyncIterator[Record]) -> None:
    async for record in source:
        heapq.heappush(heap, (kafka_records.place(record.headers).position, number, record))
        return
