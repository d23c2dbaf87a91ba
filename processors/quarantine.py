"""Parked documents beside the log: which event each waits at, how many wait behind it, and how it is released."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from processors.sources import LogSource
from readmodels.engine import Failure, LogBehind, View, quarantine
from readmodels.engine.quarantine import Entity, Mark
from readmodels.engine.skips import Decision
from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg

SQL = sql_files.load(__file__)


class ParkedAt(NamedTuple):
    """The event that could not be applied, without its payload, and how many of its stream came after it."""

    position: int
    stream: str
    seq: int
    type: str
    version: int
    digest: bytes
    recorded_at: datetime
    waiting: int


class Parked(NamedTuple):
    """`event` is None when the log does not have it (any more)."""

    mark: Mark
    event: ParkedAt | None


async def parked(pool: "asyncpg.Pool[Any]") -> list[Parked]:
    """Every parked document, by view, version and position."""
    marks = await quarantine.marks(pool)
    rows = await pool.fetch(SQL["events"], [mark.position for mark in marks])
    events = {row["position"]: ParkedAt(**row) for row in rows}
    return [Parked(mark, events.get(mark.position)) for mark in marks]


class Releases:
    """Retries and drops of one view's documents."""

    def __init__(self, pool: "asyncpg.Pool[Any]", view: View[Any], generation: int, source: LogSource) -> None:
        self._pool = pool
        self._view = view
        self._generation = generation
        self._source = source

    async def retry(self, one: Parked) -> Failure | None:
        """What parks the document again, if something does. Raises NotParked and LogBehind."""
        return await quarantine.retry(self._pool, self._view, self._generation, one.mark, self._entity(one))

    async def drop(self, one: Parked, decision: Decision) -> Failure | None:
        """The same, and from now on without the event."""
        entity = self._entity(one)
        return await quarantine.drop(self._pool, self._view, self._generation, one.mark, entity, decision)

    def _entity(self, one: Parked) -> Entity:
        if one.event is None:
            raise LogBehind(f"{one.mark.view} is parked at {one.mark.position}, which the log lacks")
        return self._source.entity(self._view, one.event.stream)
