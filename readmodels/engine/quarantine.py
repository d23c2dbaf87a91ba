"""Parked documents: how they are found, and made anew from their own events, with or without the one that parked them.

A retry folds the document's events of the log as far as its partition's checkpoint, which it locks, and changes row,
journal and mark in one transaction (DESIGN §6). A live batch that left the document alone meanwhile is tried again.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

import msgspec

from readmodels import journal
from readmodels.engine import skips
from readmodels.engine.fold import Change, Failure, Row, fold
from readmodels.engine.skips import Decision
from readmodels.engine.views import D, Key, View, encode, says_the_same
from schemas import sql_files
from schemas.events import Recorded

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]
    Queried = asyncpg.Pool[Any] | Connection

SQL = sql_files.load(__file__)

Seqs = Mapping[str, int]
"""How far each stream was read."""

History = Callable[[Seqs], Awaitable[Sequence[Recorded]]]
"""`history(after)`: the next events, in order, of a document's streams; of each those with a seq above."""


class NotParked(Exception):
    """Nothing is parked there: somebody else has released the document, or its mark has moved."""


class Mark(msgspec.Struct, frozen=True):
    """A document is as it was before `position`, the first event that could not be applied."""

    view: str
    version: int
    owner: str
    doc_key: str
    position: int
    error: str
    marked_at: datetime

    @property
    def key(self) -> Key:
        return self.owner, self.doc_key


class Entity(NamedTuple):
    """A document as the log knows it: the partition of its events, and the events."""

    partition: int
    history: History


async def marks(pool: "Queried") -> list[Mark]:
    return [Mark(**row) for row in await pool.fetch(SQL["marks"])]


async def count(pool: "asyncpg.Pool[Any]", view: View[Any]) -> int:
    return int(await pool.fetchval(SQL["count"], view.name, view.version))


async def retry(
    pool: "asyncpg.Pool[Any]", view: View[Any], generation: int, mark: Mark, entity: Entity
) -> Failure | None:
    """Make the document anew; what parks it again, if something does. Raises NotParked."""
    async with pool.acquire() as connection:
        return await _Retry(connection, view, generation, mark, entity).run(None)


async def drop(
    pool: "asyncpg.Pool[Any]", view: View[Any], generation: int, mark: Mark, entity: Entity, decision: Decision
) -> Failure | None:
    """Make the document anew without the event that parked it, now and for ever. Raises NotParked."""
    async with pool.acquire() as connection:
        return await _Retry(connection, view, generation, mark, entity).run(decision)


@dataclass(frozen=True)
class _Rebuilt(Generic[D]):
    """A document folded from nothing, as far as its events were read or can be applied."""

    change: Change[D] | None = None
    failure: Failure | None = None
    position: int = 0
    seqs: Seqs = field(default_factory=dict)


class _Retry(Generic[D]):
    """Folds most of the events before it locks the checkpoint, so that the partition waits for the last few only."""

    def __init__(self, connection: "Connection", view: View[D], generation: int, mark: Mark, entity: Entity) -> None:
        self._connection = connection
        self._view = view
        self._mark = mark
        self._history = entity.history
        self._scope = (view.name, view.version, generation, entity.partition)

    async def run(self, decision: Decision | None) -> Failure | None:
        left_out = frozenset({self._mark.position}) if decision else frozenset[int]()
        reached = await self._connection.fetchval(SQL["checkpoint"], *self._scope)
        rebuilt = await self._fold_on(_Rebuilt[D](), reached or 0, left_out)
        async with self._connection.transaction():
            locked = await self._connection.fetchrow(SQL["lock"], *self._scope)
            before = await self._row_before(locked["position"] if locked else 0)
            assert locked is not None, "nothing is parked without a checkpoint"
            rebuilt = await self._fold_on(rebuilt, locked["position"], left_out)
            if decision:
                await skips.add(self._connection, self._view.name, self._mark.position, decision)
            await self._settle_mark(rebuilt.failure)
            await self._put(rebuilt.change, before, journals=locked["journals"])
        return rebuilt.failure

    async def _row_before(self, checkpoint: int) -> Row[D] | None:
        """What readers see now; raises NotParked."""
        found = await self._connection.fetchrow(
            SQL["row"].replace("<documents>", self._view.table), *self._document, self._mark.position
        )
        if found is None or checkpoint < self._mark.position:
            raise NotParked(f"{self._view.name} v{self._view.version} has nothing parked at {self._mark.position}")
        if found["document"] is None:
            return None
        return Row(self._view.decode(found["document"]), found["doc_version"], found["last_position"])

    async def _fold_on(self, rebuilt: _Rebuilt[D], up_to: int, left_out: frozenset[int]) -> _Rebuilt[D]:
        skipped = left_out | await skips.positions(self._connection, self._view.name, rebuilt.position, up_to)
        while rebuilt.failure is None and (events := await self._next(rebuilt.seqs, up_to)):
            rows = {self._mark.key: rebuilt.change.row} if rebuilt.change else {}
            folded = fold(self._view, rows, (), filter(self._is_of_document, events), skipped)
            rebuilt = _Rebuilt(
                folded.changes.get(self._mark.key, rebuilt.change),
                folded.failures.get(self._mark.key),
                events[-1].position,
                {**rebuilt.seqs, **{event.stream: event.seq for event in events}},
            )
        return rebuilt

    async def _next(self, after: Seqs, up_to: int) -> list[Recorded]:
        return [event for event in await self._history(after) if event.position <= up_to]

    def _is_of_document(self, event: Recorded) -> bool:
        return self._view.folds(event) and self._view.key(event) == self._mark.key

    async def _settle_mark(self, failure: Failure | None) -> None:
        if failure:
            await self._connection.execute(SQL["mark_again"], *self._document, failure.position, failure.error)
        else:
            await self._connection.execute(SQL["release"], *self._document)

    async def _put(self, change: Change[D] | None, before: Row[D] | None, *, journals: bool) -> None:
        """Row and, when readers see a difference, journal; never back to what was true earlier."""
        if change is None or (before and change.row.last_position < before.last_position):
            return
        key, row = self._mark.key, change.row
        text = encode(row.document)
        written = (*key, text, row.doc_version, row.last_position)
        await self._connection.execute(
            SQL["put"].replace("<documents>", self._view.table), *written, change.projected_at
        )
        if journals and self._view.feeds and not says_the_same(before.document if before else None, row.document):
            news = journal.News(*key, row.doc_version, row.last_position, text)
            await journal.append(self._connection, self._view.feeds, [news])

    @property
    def _document(self) -> tuple[str, int, str, str]:
        return self._view.name, self._view.version, self._mark.owner, self._mark.doc_key
