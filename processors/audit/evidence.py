"""What Postgres says about a page of the log, all of one snapshot; nothing is judged here."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from producers.eventlog.commands import Decider
from producers.eventlog.reader import recorded
from readmodels.engine import View, live, skips
from readmodels.engine.views import Key
from schemas import names, sql_files
from schemas.events import Recorded
from schemas.history import Epoch
from schemas.partitioning import partition_of

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)
HISTORY_PAGE = 200


@dataclass(frozen=True)
class Topic:
    """The kinds of streams that a topic has, with the rules of their states as far as we know them, and its views."""

    name: str
    deciders: Mapping[str, Decider[Any, Any] | None]
    views: Sequence[View[Any]]
    partitions: int
    generation: int

    def partition(self, stream: str) -> int:
        return partition_of(names.kafka_key(stream), self.partitions)


class StreamRow(NamedTuple):
    """A stream as `streams` has it (`seq` is None when it does not), and where its events begin and end.

    `before_seq` is the last seq before the page, `last_seq` the last of all, `next_position` where the stream goes on
    after the page.
    """

    stream: str
    kind: str | None
    owner: str | None
    seq: int | None
    state: str | None
    state_version: int | None
    wake_at: datetime | None
    before_seq: int | None
    last_seq: int
    next_position: int | None


class DocumentRow(NamedTuple):
    """A view's document (None: there is none), the position it is parked at, and its newest row of the journal."""

    owner: str
    doc_key: str
    document: str | None
    doc_version: int | None
    last_position: int | None
    broken_from: int | None
    watermark: int | None
    told: str | None
    told_version: int | None

    @property
    def key(self) -> Key:
        return self.owner, self.doc_key


class JournalFault(NamedTuple):
    """A row of the journal that is not as its event has it, or that the next row does not follow.

    One that is not new belongs to events below the range, and only what follows it counts.
    """

    watermark: int
    next: int
    owner: str
    doc_version: int
    event_owner: str | None
    event_seq: int | None
    is_new: bool
    altered: bool


class Journal(NamedTuple):
    """What may be wrong with a topic's rows, and where its watermarks begin anew."""

    faults: list[JournalFault]
    epochs: list[Epoch]


class Reach(NamedTuple):
    """How far a topic's partitions are published, and projected into each of its views, by name."""

    published: Mapping[int, int]
    projected: Mapping[str, Mapping[int, int]]

    def covers(self, partition: int, position: int) -> bool:
        reached = (positions.get(partition, 0) for positions in (self.published, *self.projected.values()))
        return position <= min(reached)


@asynccontextmanager
async def snapshot(pool: "asyncpg.Pool[Any]") -> AsyncIterator["Snapshot"]:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield Snapshot(connection)


class Snapshot:
    """Whatever is asked, the answers belong together."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def head(self) -> int:
        return int((await self._bounds())["head"])

    async def before_oldest(self) -> int:
        """The position before the first event that is kept."""
        bounds = await self._bounds()
        return int(bounds["oldest"] or bounds["head"] + 1) - 1

    async def _bounds(self) -> Any:
        return await self._connection.fetchrow(SQL["bounds"])

    async def epochs(self) -> list[Epoch]:
        return [Epoch(*row) for row in await self._connection.fetch(SQL["epochs"])]

    async def reach(self, topic: Topic) -> Reach:
        published = _positions(await self._connection.fetch(SQL["published"], topic.name))
        return Reach(published, {view.name: await self._projected(view, topic.generation) for view in topic.views})

    async def _projected(self, view: View[Any], generation: int) -> dict[int, int]:
        view = await self._live(view)
        return _positions(await self._connection.fetch(SQL["checkpoints"], view.name, view.version, generation))

    async def events(self, after: int, up_to: int, limit: int) -> list[Recorded]:
        return [recorded(row) for row in await self._connection.fetch(SQL["events"], after, up_to, limit)]

    async def streams(self, touched: Mapping[str, Sequence[Recorded]]) -> list[StreamRow]:
        first = [events[0].seq for events in touched.values()]
        last = [events[-1].seq for events in touched.values()]
        return [StreamRow(*row) for row in await self._connection.fetch(SQL["streams"], list(touched), first, last)]

    async def lengths(self, streams: Sequence[str]) -> dict[str, int]:
        """The seq of each stream that there is."""
        return {row["stream"]: row["seq"] for row in await self._connection.fetch(SQL["lengths"], streams)}

    async def histories(self, streams: Mapping[str, str]) -> AsyncIterator[Recorded]:
        """Every event of streams with their names, name by name, in the order of the log."""
        columns = list(streams), list(streams.values())
        async for row in self._connection.cursor(SQL["histories"], *columns, prefetch=HISTORY_PAGE):
            yield recorded(row)

    async def skipped(self, view: View[Any]) -> frozenset[int]:
        return await skips.positions(self._connection, view.name, 0, await self.head())

    async def documents(self, view: View[Any], keys: Sequence[Key]) -> dict[Key, DocumentRow]:
        view = await self._live(view)
        statement = SQL["documents"].replace("<documents>", view.table)
        owners, doc_keys = [owner for owner, _ in keys], [doc_key for _, doc_key in keys]
        rows = await self._connection.fetch(statement, owners, doc_keys, view.name, view.version, view.feeds)
        return {row.key: row for row in (DocumentRow(*row) for row in rows)}

    async def _live(self, view: View[Any]) -> View[Any]:
        return await live(self._connection, view) or view

    async def journal(self, topic: str, after: int, kind: str) -> Journal:
        """What is wrong among the rows of the events above a position; versions are seqs of events of the kind."""
        faults = await self._connection.fetch(SQL["journal"], topic, after, kind)
        epochs = await self._connection.fetch(SQL["journal_epochs"], topic)
        return Journal([JournalFault(*row) for row in faults], [Epoch(*row) for row in epochs])


def _positions(rows: Sequence[Any]) -> dict[int, int]:
    return {row["partition"]: row["position"] for row in rows}
