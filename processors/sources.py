"""Where the engine's events come from: Kafka records as they arrive, the log for what did not."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog

from processors import metrics
from producers.eventlog.reader import LogReader
from readmodels.engine import Delivery
from schemas import kafka_records, names
from schemas.events import Recorded
from schemas.partitioning import partition_of

LOGGER = structlog.get_logger()

PAGE = 1000


class Record(NamedTuple):
    """A record of a topic as any consumer gets it."""

    partition: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]


def deliveries(topic: str, records: Iterable[Record]) -> dict[int, list[Delivery]]:
    """What the records carry, by partition; one that cannot be read counts as not delivered, so the log fills it."""
    batch: dict[int, list[Delivery]] = {}
    for record in records:
        try:
            place = kafka_records.place(record.headers)
            event = kafka_records.event(record.value, record.headers)
        except Exception as error:  # noqa: BLE001 the border to bytes of unknown origin: logged and counted
            metrics.RECORDS_SKIPPED.labels(topic).inc()
            LOGGER.warning("unreadable record", topic=topic, partition=record.partition, error=repr(error))
            continue
        batch.setdefault(record.partition, []).append(Delivery(event, place.previous, place.epoch))
    return batch


class LogSource:
    """The log, seen as the partitions of one kind's topic."""

    def __init__(self, reader: LogReader, kind: str, partitions: int) -> None:
        self._reader = reader
        self._kind = kind
        self._partitions = partitions

    async def fill(self, partition: int, after: int, up_to: int) -> list[Recorded]:
        """The partition's next events in `(after, up_to]`: about a page of them, and none only when there are none."""
        found: list[Recorded] = []
        while after < up_to and len(found) < PAGE and (events := await self._reader.read_all(after, PAGE)):
            after = events[-1].position
            found += [event for event in events if event.position <= up_to and self._is_in(event, partition)]
        return found

    def _is_in(self, event: Recorded, partition: int) -> bool:
        return event.kind == self._kind and self.partition(event.stream) == partition

    def partition(self, stream: str) -> int:
        return partition_of(names.kafka_key(stream), self._partitions)
