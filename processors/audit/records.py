"""A topic's records in the order of their partitions, from near a moment on and only as far as a position."""

from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import chain
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import kafka_records
from schemas.events import Recorded
from schemas.kafka_records import NotARelayRecord, Place

LOOK_BACK: Final = 8
FETCH_WAIT_MS: Final = 20
FETCH_RECORDS: Final = 200
UNKNOWN: Final = -1


class Seen(NamedTuple):
    """A record; `place` is None when the relay cannot have written it."""

    offset: int
    place: Place | None
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    def is_above(self, position: int) -> bool:
        return self.place is not None and self.place.position > position

    def event(self) -> Recorded:
        return kafka_records.event(self.value, self.headers)


@asynccontextmanager
async def reading(brokers: str, topics: Mapping[str, int]) -> AsyncIterator[dict[str, "Records"]]:
    """Several topics, which have so many partitions, by one consumer."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, fetch_max_wait_ms=FETCH_WAIT_MS)
    try:
        await consumer.start()
        partitions = {topic: [TopicPartition(topic, number) for number in range(n)] for topic, n in topics.items()}
        consumer.assign([*chain.from_iterable(partitions.values())])
        yield {topic: Records(consumer, its_partitions) for topic, its_partitions in partitions.items()}
    finally:
        await consumer.stop()


class Records:
    """Reads on from page to page; `begin` comes first."""

    def __init__(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._ahead: dict[TopicPartition, deque[Seen]] = {}

    async def begin(self, after: int, since: datetime) -> dict[int, int]:
        """Go to the first records above a position; `since`, when they were recorded, says about where that is.

        Returns the position of the record before each: 0 when it is the topic's first, UNKNOWN when it was deleted.
        """
        begins = await self._consumer.beginning_offsets(self._partitions)
        ends = await self._consumer.end_offsets(self._partitions)
        at_ms = int(since.timestamp() * 1000)
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._partitions, at_ms))
        before = {}
        for partition in self._partitions:
            offset = found[partition].offset if found.get(partition) else ends[partition]
            held = range(begins[partition], ends[partition])
            before[partition.partition] = await self._position_before(partition, held, offset, after)
        return before

    async def through(self, position: int) -> dict[int, list[Seen]]:
        """By partition the next records, as far as the position."""
        ends = await self._consumer.end_offsets(self._partitions)
        return {
            partition.partition: await self._through(partition, position, ends[partition])
            for partition in self._partitions
        }

    async def _position_before(self, partition: TopicPartition, held: range, offset: int, after: int) -> int:
        """Looks further and further back until a record is not above `after`; fencing leaves offsets without one."""
        step, last = LOOK_BACK, None
        while last is None:
            start = max(held.start, offset - step)
            self._consumer.seek(partition, start)
            self._ahead[partition] = deque()
            for seen in await self._through(partition, after, held.stop):
                last = seen.place.position if seen.place else last
            if start == held.start:
                break
            step *= LOOK_BACK
        if last is not None:
            return last
        return UNKNOWN if held.start > 0 else 0

    async def _through(self, partition: TopicPartition, position: int, end: int) -> list[Seen]:
        ahead = self._ahead[partition]
        while not (ahead and ahead[-1].is_above(position)) and await self._consumer.position(partition) < end:
            fetched = await self._consumer.getmany(partition, timeout_ms=FETCH_WAIT_MS, max_records=FETCH_RECORDS)
            ahead.extend(_seen(record) for record in fetched.get(partition, ()))
        taken = []
        while ahead and not ahead[0].is_above(position):
            taken.append(ahead.popleft())
        return taken


def _seen(record: Any) -> Seen:
    try:
        place = kafka_records.place(record.headers)
    except NotARelayRecord:
        place = None
    return Seen(record.offset, place, record.key, record.value, record.headers)
