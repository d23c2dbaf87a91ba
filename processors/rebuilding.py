"""Rebuilds a view from the log or from its topic, makes the result live, and proves the live one (DESIGN I5, §7)."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from processors import metrics
from processors.sources import KafkaPages, LogPages
from producers.eventlog.reader import LogReader
from readmodels import engine
from readmodels.engine import LogBehind, View, compare, versions
from readmodels.engine.compare import Difference
from readmodels.engine.rebuild import Page, Progress, Source, Target, dropped, rebuild
from schemas.events import Recorded

if TYPE_CHECKING:
    import asyncpg

From = Literal["postgres", "kafka"]
Told = Callable[[Progress], object]


class Verdict(msgspec.Struct, frozen=True):
    """What a comparison at one position a partition found; equal when nothing differs from the live version."""

    view: str
    version: int
    rows: int
    positions: dict[int, int]
    digests: dict[str, str]
    differences: dict[str, Difference]


@dataclass(frozen=True)
class Topic:
    """Where a view's events are on Kafka; `partitions` also says how checkpoints are cut when Kafka is not asked."""

    brokers: str
    name: str
    partitions: int
    generation: int = 1


class Rebuilder:
    """One view and the two places its events come from."""

    def __init__(self, pool: "asyncpg.Pool[Any]", view: View[Any], topic: Topic) -> None:
        self._pool = pool
        self._view = view
        self._topic = topic
        self._log = LogPages(pool, view.topic, topic.partitions)

    async def rebuild(self, version: int, source: From, told: Told, rate: int | None = None) -> Progress:
        """Up to what is committed now; goes on where an earlier run of the same version ended."""
        _, head, suspended = await LogReader(self._pool).head()
        if suspended:
            raise LogBehind(suspended)
        pages = Paced(self._source(source), rate) if rate else self._source(source)
        with metrics.replayed("all"):
            return await self._rebuild(self._version(version), pages, self._everywhere(head), told)

    async def cut_over(self, version: int) -> int:
        """Make a rebuilt version the live one; returns how many documents differed from the one that was."""
        view = self._version(version)
        live = await engine.live(self._pool, self._view)
        assert live is not None, "migrations make a live version"
        reached = await engine.checkpoints(self._pool, live, self._topic.generation)
        await self._catch_up(view, self._everywhere(0) | reached)
        return await versions.cut_over(
            self._pool, view, self._topic.generation, lambda positions: self._catch_up(view, positions)
        )

    async def verify(self, sources: Sequence[From], told: Callable[[From, Progress], object]) -> Verdict:
        """The live version beside what is rebuilt from each source up to the checkpoints of one moment."""
        live = await engine.live(self._pool, self._view)
        assert live is not None, "migrations make a live version"
        copied = compare.scratch(live, "live")
        rebuilt = {source: compare.scratch(live, f"from_{source}") for source in sources}
        try:
            await self._forget(copied, *rebuilt.values())
            positions = self._everywhere(0) | await compare.copy(self._pool, live, copied, self._topic.generation)
            skipped = await dropped(self._pool, live)
            for source, view in rebuilt.items():
                target = Target(view, self._topic.generation, positions, skipped)
                await rebuild(self._pool, target, self._source(source), partial(told, source))
            return await self._verdict(live, copied, rebuilt, positions)
        finally:
            await self._forget(copied, *rebuilt.values())

    async def _verdict(
        self, live: View[Any], copied: View[Any], rebuilt: Mapping[From, View[Any]], positions: dict[int, int]
    ) -> Verdict:
        digest = await engine.digest(self._pool, copied)
        digests = {"live": digest.hex()}
        found: dict[str, Difference] = {}
        for source, view in rebuilt.items():
            digests[source] = (await engine.digest(self._pool, view)).hex()
            if difference := await compare.difference(self._pool, copied, view):
                found[source] = difference
                metrics.DRIFTS.labels(live.name, "summary_hash_mismatch").inc(difference.rows)
        if not found:
            await versions.note_digest(self._pool, live, digest, max(positions.values()))
        rows = await versions.row_count(self._pool, copied)
        return Verdict(live.name, live.version, rows, positions, digests, found)

    async def _catch_up(self, view: View[Any], positions: Mapping[int, int]) -> None:
        await self._rebuild(view, self._log, positions, lambda _progress: None)

    async def _rebuild(self, view: View[Any], source: Source, until: Mapping[int, int], told: Told) -> Progress:
        target = Target(view, self._topic.generation, until, await dropped(self._pool, view))
        return await rebuild(self._pool, target, source, told)

    async def _forget(self, *views: View[Any]) -> None:
        for view in views:
            await versions.drop(self._pool, view)

    def _version(self, version: int) -> View[Any]:
        return replace(self._view, version=version)

    def _everywhere(self, position: int) -> dict[int, int]:
        return dict.fromkeys(range(self._topic.partitions), position)

    def _source(self, source: From) -> Source:
        if source == "postgres":
            return self._log
        return KafkaPages(self._pool, self._topic.brokers, self._topic.name, self._view.topic, self._topic.partitions)


class Paced:
    """A source that hands out so many events a second and no more."""

    def __init__(self, source: Source, events_a_s: int) -> None:
        self._source = source
        self._events_a_s = events_a_s

    async def pages(self, after: Mapping[int, int], until: Mapping[int, int]) -> AsyncGenerator[Page, None]:
        async for page in self._source.pages(after, until):
            yield page
            await asyncio.sleep(sum(map(len, page.deliveries.values())) / self._events_a_s)

    async def fill(self, partition: int, after: int, up_to: int) -> Sequence[Recorded]:
        return await self._source.fill(partition, after, up_to)
