"""Reads what the partitions hold: the first record and the last of each."""

from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from producers.relay.plan import Contents
from schemas import kafka_records
from schemas.kafka_records import Headers

_FIRST_STEP: Final = 8
_FETCH_WAIT_MS: Final = 5
_FETCH_BYTES: Final = 64 * 1024


async def read_contents(bootstrap: str, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Contents | None]:
    """None for a partition without records. Raises NotARelayRecord when somebody else wrote into a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=_FETCH_WAIT_MS)
    try:
        await consumer.start()
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        return {part: await _contents(consumer, part, begins[part], ends[part]) for part in partitions}
    finally:
        await consumer.stop()


async def _contents(consumer: Any, partition: TopicPartition, begin: int, end: int) -> Contents | None:
    consumer.assign([partition])
    last = await _last(consumer, partition, begin, end)
    if last is None:
        return None
    first = await _read(consumer, partition, begin, end, only_first=True) or last
    place, origin = kafka_records.place, kafka_records.origin
    return Contents(place(first), place(last), begin > 0, origin(last))


async def _last(consumer: Any, partition: TopicPartition, begin: int, end: int) -> Headers | None:
    """Looks further and further back: fencing leaves offsets that hold no record."""
    step = _FIRST_STEP
    while (start := max(begin, end - step)) < end:
        if headers := await _read(consumer, partition, start, end, only_first=False):
            return headers
        if start == begin:
            break
        step *= _FIRST_STEP
    return None


async def _read(consumer: Any, partition: TopicPartition, start: int, end: int, *, only_first: bool) -> Headers | None:
    """The headers of the first or the last record with an offset in `start`..`end` - 1."""
    consumer.seek(partition, start)
    headers = None
    while await consumer.position(partition) < end and not (headers is not None and only_first):
        fetched = await consumer.getmany(partition, timeout_ms=_FETCH_WAIT_MS, max_records=1 if only_first else None)
        for record in fetched.get(partition, ()):
            if record.offset < end:
                headers = list(record.headers)
    return headers
