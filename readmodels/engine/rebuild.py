"""Fills a version of a view out of any source, from the beginning or from where an earlier run ended (DESIGN I5)."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from readmodels.engine import skips, versions
from readmodels.engine.apply import LogBehind, Move, checkpoints, look, write
from readmodels.engine.deliveries import Delivery, Hole, in_order
from readmodels.engine.fold import Folded, Row, fold
from readmodels.engine.views import D, Key, View
from schemas.events import Recorded

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

EVENTS_A_WRITE = 100_000
"""What a killed run has to fold again at most."""
DOCUMENTS_IN_MEMORY = 30_000


class Page(NamedTuple):
    """Deliveries by partition, and up to where that partition has no events but those handed out so far."""

    deliveries: Mapping[int, Sequence[Delivery]]
    reached: Mapping[int, int]


class Source(Protocol):
    """Where events come from; both take positions by partition or of one."""

    def pages(self, after: Mapping[int, int], until: Mapping[int, int]) -> AsyncGenerator[Page, None]:
        """All events in `(after, until]`; more, repeated or disordered ones do no harm, holes are filled."""

    async def fill(self, partition: int, after: int, up_to: int) -> Sequence[Recorded]:
        """As `engine.Fill`."""


class RebuildRefused(Exception):
    """Somebody else writes this version, or it is the live one."""


@dataclass(frozen=True)
class Target(Generic[D]):
    """A version on its way to a position by partition; `dropped` are the positions that an operator took out."""

    view: View[D]
    generation: int
    until: Mapping[int, int]
    dropped: Collection[int] = frozenset()


class Progress(NamedTuple):
    """`share` of the way from 0 to 1; `filled` are events that the source lacked and the log had."""

    events: int = 0
    share: float = 0.0
    filled: int = 0
    failures: int = 0


async def rebuild(
    pool: "asyncpg.Pool[Any]",
    target: Target[D],
    source: Source,
    told: Callable[[Progress], object] = lambda _progress: None,
    *,
    events_a_write: int = EVENTS_A_WRITE,
) -> Progress:
    """Fold what is between the version's checkpoints and the target; a killed run's successor goes on by itself.

    Rows and checkpoints change in one transaction, a big one; the journal is left alone. Ends where the source ends.
    """
    await versions.begin(pool, target.view, target.generation, target.until)
    run = await _Run.resumed(pool, target, source, events_a_write)
    async with aclosing(_ahead(source.pages(dict(run.reached), target.until))) as pages:
        async for page in pages:
            await run.take(page)
            told(run.progress())
    await run.write()
    return run.progress()


async def dropped(pool: "asyncpg.Pool[Any]", view: View[Any]) -> frozenset[int]:
    """The positions an operator has taken out of a view (DESIGN §6)."""
    return await skips.every_position(pool, view.name)


async def _ahead(pages: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The same, each asked for while the one before is worked on."""
    coming = asyncio.ensure_future(anext(pages, None))
    try:
        while (page := await coming) is not None:
            coming = asyncio.ensure_future(anext(pages, None))
            await asyncio.sleep(0)
            yield page
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await pages.aclose()


@dataclass
class _Run(Generic[D]):
    """What is folded and not written yet, on top of what Postgres has."""

    pool: "asyncpg.Pool[Any]"
    target: Target[D]
    source: Source
    events_a_write: int
    written: dict[int, int]
    reached: dict[int, int]
    broken: set[Key]
    marked: set[Key]
    all_in_memory: bool
    rows: dict[Key, Row[D]] = field(default_factory=dict)
    folded: dict[int, Folded[D]] = field(default_factory=dict)
    epoch: int = 0
    events: int = 0
    unwritten: int = 0
    filled: int = 0
    failed: int = 0

    @classmethod
    async def resumed(
        cls, pool: "asyncpg.Pool[Any]", target: Target[D], source: Source, events_a_write: int
    ) -> "_Run[D]":
        view = target.view
        at = await checkpoints(pool, view, target.generation)
        broken = await versions.broken(pool, view)
        return cls(
            pool, target, source, events_a_write, at, dict(at), broken, {*broken}, all_in_memory=not any(at.values())
        )

    async def take(self, page: Page) -> None:
        for partition, deliveries in page.deliveries.items():
            await self._fold(partition, await self._complete(partition, deliveries))
        for partition, position in page.reached.items():
            self._reach(partition, position)
        is_full = len(self.rows) >= DOCUMENTS_IN_MEMORY
        if is_full or self.unwritten >= self.events_a_write:
            await self.write()
        if is_full:
            self.rows, self.all_in_memory = {}, False

    async def write(self) -> None:
        """Everything since the last time: a partition's documents and its checkpoint in one transaction."""
        for partition, folded in self.folded.items():
            await self._write([partition], folded)
        await self._write([*self.reached], Folded())
        self.folded, self.unwritten = {}, 0

    async def _write(self, partitions: Sequence[int], folded: Folded[D]) -> None:
        moves = {
            partition: Move(self.written[partition], self.reached[partition], self.epoch)
            for partition in partitions
            if self.reached[partition] > self.written[partition]
        }
        if not moves:
            return
        async with self.pool.acquire() as connection:
            written = await write(connection, self.target.view, self.target.generation, moves, folded, self.marked)
        if not written.ok:
            raise RebuildRefused(f"somebody else writes {self.target.view.table}")
        self.marked.update(folded.failures)
        self.written |= {partition: move.position for partition, move in moves.items()}

    def progress(self) -> Progress:
        until = self.target.until
        share = sum(self.reached.values()) / max(sum(until.values()), 1)
        return Progress(self.events, min(share, 1.0), self.filled, self.failed)

    async def _complete(self, partition: int, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """What is new, once and in order, after the holes before it were filled."""
        until = self.target.until[partition]
        wanted = [delivery for delivery in deliveries if delivery.event.position <= until]
        while isinstance(ordered := in_order(partition, wanted, self.reached[partition]), Hole):
            await self._fill(ordered)
        return ordered

    async def _fill(self, hole: Hole) -> None:
        while self.reached[hole.partition] < hole.up_to:
            events = await self.source.fill(hole.partition, self.reached[hole.partition], hole.up_to)
            if not events:
                raise LogBehind(f"{self.target.view.topic} has position {hole.up_to}, which the log lacks")
            await self._fold(hole.partition, [Delivery(event, 0) for event in events])
            self.filled += len(events)

    async def _fold(self, partition: int, ordered: Sequence[Delivery]) -> None:
        if not ordered:
            return
        events = [delivery.event for delivery in ordered]
        self._reach(partition, events[-1].position)
        self.epoch = max(self.epoch, ordered[-1].epoch)
        self.events += len(events)
        self.unwritten += len(events)
        kept = [event for event in events if event.position not in self.target.dropped]
        await self._load(partition, kept)
        folded = fold(self.target.view, self.rows, self.broken, kept)
        self.rows.update((key, change.row) for key, change in folded.changes.items())
        unwritten = self.folded.setdefault(partition, Folded())
        unwritten.changes.update(folded.changes)
        unwritten.failures.update(folded.failures)
        self.broken.update(folded.failures)
        self.failed += len(folded.failures)

    async def _load(self, partition: int, events: Iterable[Recorded]) -> None:
        """The documents that Postgres may have and memory has not."""
        if self.all_in_memory or self.target.view.per_event:
            return
        view = self.target.view
        keys = (view.key(event) for event in events if view.folds(event))
        missing = {key: partition for key in keys if key not in self.rows}
        if missing:
            async with self.pool.acquire() as connection:
                self.rows.update((await look(connection, view, self.target.generation, missing, [partition])).rows)

    def _reach(self, partition: int, position: int) -> None:
        self.reached[partition] = max(self.reached[partition], min(position, self.target.until[partition]))
