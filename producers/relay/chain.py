"""Events on their way to their partitions: each record knows the one before it there."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from aiokafka import TopicPartition

from producers.relay.plan import Start
from schemas import avro, kafka_records
from schemas.events import Recorded
from schemas.history import History
from schemas.kafka_records import Headers
from schemas.names import kafka_key
from schemas.partitioning import partition_of


class OutgoingRecord(NamedTuple):
    partition: TopicPartition
    key: bytes
    value: bytes
    headers: Headers
    timestamp_ms: int


class Chain:
    """Gives each event its partition and `oa_prev`; leaves out what its partition has, and kinds without a topic."""

    def __init__(
        self, start: Start, history: History, topics: Mapping[str, str], partitions: Mapping[str, int]
    ) -> None:
        self._published = start.published
        self._last = dict(start.last)
        self._history = history
        self._topics = topics
        self._partitions = partitions

    @property
    def last(self) -> dict[TopicPartition, int]:
        """The position of each partition's last record so far, as a copy."""
        return dict(self._last)

    def records(self, events: Iterable[Recorded]) -> Iterator[OutgoingRecord]:
        for event in events:
            if topic := self._topics.get(event.kind):
                key = kafka_key(event.stream)
                partition = _partition_of(topic, key, self._partitions[topic])
                if event.position > self._published[partition]:
                    yield self._record(partition, key, event)

    def _record(self, partition: TopicPartition, key: bytes, event: Recorded) -> OutgoingRecord:
        epoch = self._history.epoch_of(event.position)
        headers = kafka_records.headers(event, previous=self._last[partition], epoch=epoch)
        self._last[partition] = event.position
        return OutgoingRecord(partition, key, avro.encode(event), headers, int(event.recorded_at.timestamp() * 1000))


@lru_cache(maxsize=65536)
def _partition_of(topic: str, key: bytes, partitions: int) -> TopicPartition:
    return TopicPartition(topic, partition_of(key, partitions))
