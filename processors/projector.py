"""Keeps one view current from batches of deliveries; knows neither Kafka nor Faust (DESIGN §6)."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog

from processors import metrics
from processors.log_source import LogSource
from readmodels import engine
from readmodels.engine import Applied, LogBehind, View, quarantine
from schemas.cancellation import raise_if_cancelled
from schemas.events import Recorded
from schemas.lost_connections import LOST_CONNECTION
from schemas.tracing import Spans, begin_each, end_all

if TYPE_CHECKING:
    from asyncpg import Pool

LOGGER = structlog.get_logger()

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0


class Projector:
    """A view, its checkpoints on one generation of its topic, and the log that fills its holes."""

    def __init__(
        self, pool: "Pool[Any]", view: View[Any], generation: int, source: LogSource, spans: Spans | None = None
    ) -> None:
        self.view = view
        self.source = source
        self._pool = pool
        self._generation = generation
        self._spans = spans
        metrics.begin_at_zero(view.name)

    async def apply(self, batch: engine.apply.Batch) -> None:
        """Returns once everything is applied to the live version: a failing batch is tried again, never dropped.

        Only LogBehind ends it: then nothing may be projected (DESIGN I2).
        """
        clock = asyncio.get_running_loop().time
        pause_s, started = FIRST_PAUSE_S, clock()
        spans = begin_each(self._spans, "projection.apply", _events(batch), **{"oa.projection": self.view.name})
        while True:
            try:
                applied = await engine.apply_batch(self._pool, self.view, self._generation, batch, self.source.fill)
                self._count(applied, (clock() - started) * 1000)
                if applied.live or not await self.follow():
                    return end_all(spans)
            except LogBehind:
                raise
            except Exception as error:
                metrics.BATCHES_FAILED.labels(self.view.name).inc()
                self._count_failure(_reason_class(error))
                LOGGER.exception("batch failed, trying again", view=self.view.name, pause_s=pause_s)
                raise_if_cancelled()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def catch_up(self, partition: int, up_to: int) -> None:
        """Apply from the log what was published and never arrived."""
        LOGGER.warning("catching up from the log", view=self.view.name, partition=partition, up_to=up_to)
        with metrics.replayed("partition"):
            await engine.catch_up(self._pool, self.view, self._generation, partition, up_to, self.source.fill)

    async def follow(self) -> bool:
        """Go on with the version that readers see; whether that is another one than before."""
        found = await engine.live(self._pool, self.view)
        if found is None or found.version == self.view.version:
            return False
        LOGGER.info("another version is live", view=found.name, version=found.version)
        self.view = found
        return True

    async def checkpoints(self) -> dict[int, int]:
        return await engine.checkpoints(self._pool, self.view, self._generation)

    async def parked(self) -> int:
        """How many documents are in quarantine."""
        return await quarantine.count(self._pool, self.view)

    async def advance(self, view: View[Any], partitions: list[int], position: int) -> None:
        """Of the version that `position` was worked out for."""
        await engine.advance(self._pool, view, self._generation, partitions, position)

    def _count(self, applied: Applied, took_ms: float) -> None:
        result = "ok" if applied.documents else "skipped"
        metrics.EVENTS_APPLIED.labels(self.view.name).inc(applied.events)
        metrics.WRITES.labels(self.view.name, result).inc(applied.documents or 1)
        metrics.WRITE_MS.labels(self.view.name, result).observe(took_ms)
        for failure in applied.failures:
            metrics.DOCUMENTS_BROKEN.labels(self.view.name).inc()
            self._count_failure("refused")
            LOGGER.error(
                "document quarantined",
                view=self.view.name,
                key=failure.key,
                position=failure.position,
                error=failure.error,
            )

    def _count_failure(self, reason_class: str) -> None:
        metrics.WRITES.labels(self.view.name, "error").inc()
        metrics.WRITE_FAILURES.labels(self.view.name, reason_class).inc()


def _events(batch: engine.apply.Batch) -> Iterator[Recorded]:
    return (delivery.event for some in batch.values() for delivery in some)


def _reason_class(error: Exception) -> str:
    if isinstance(error, LOST_CONNECTION):
        return "connection"
    return "postgres" if isinstance(error, asyncpg.PostgresError) else "other"
