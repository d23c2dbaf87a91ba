"""The log as the partitions of a topic: what did not arrive, what a document was made of, what nobody has applied."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from producers.eventlog.reader import LogReader
from readmodels.engine import View
from readmodels.engine.quarantine import Entity
from schemas import names, sql_files
from schemas.events import Recorded
from schemas.partitioning import partition_of

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Queried = asyncpg.Pool[Any] | asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)

PAGE = 1000


class LogSource:
    """A topic has all events of its kinds of streams."""

    def __init__(self, reader: LogReader, topic: str, partitions: int) -> None:
        self.kinds = names.kinds_of(topic)
        self._reader = reader
        self._partitions = partitions

    async def fill(self, partition: int, after: int, up_to: int) -> list[Recorded]:
        """The partition's next events in `(after, up_to]`: about a page of them, and none only when there are none."""
        found: list[Recorded] = []
        while after < up_to and len(found) < PAGE and (events := await self._reader.read_all(after, PAGE)):
            after = events[-1].position
            found += [event for event in events if event.position <= up_to and self._is_in(event, partition)]
        return found

    def entity(self, view: View[Any], stream: str) -> Entity:
        """The streams of a view's document, of which this is one."""
        name = names.name_of(stream)
        unread = {f"{kind}/{name}": 0 for kind in view.kinds}
        return Entity(self.partition(stream), lambda after: self._reader.read_streams({**unread, **after}, PAGE))

    def _is_in(self, event: Recorded, partition: int) -> bool:
        return event.kind in self.kinds and self.partition(event.stream) == partition

    def partition(self, stream: str) -> int:
        return _partition(stream, self._partitions)


class Unapplied(NamedTuple):
    """An event that its partition's checkpoint does not cover."""

    partition: int
    position: int
    recorded_at: datetime


async def oldest_unapplied(
    queried: "Queried", source: LogSource, checkpoints: Mapping[int, int], after: int
) -> tuple[int, Unapplied | None]:
    """Up to which of the topic's events all are applied, and the first one that is not; `after` is known to be."""
    while rows := await queried.fetch(SQL["events_of_kinds"], after, source.kinds, PAGE):
        for row in rows:
            partition = source.partition(row["stream"])
            if row["position"] > checkpoints[partition]:
                return after, Unapplied(partition, row["position"], row["recorded_at"])
            after = row["position"]
    return after, None


@lru_cache(65536)
def _partition(stream: str, partitions: int) -> int:
    return partition_of(names.kafka_key(stream), partitions)
