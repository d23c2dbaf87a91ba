"""How far a view is behind the log, whether it moves, and what to do about deliveries that nothing follows (I9)."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import asyncpg
import structlog

from processors import metrics
from processors.log_source import LogSource, Unapplied, oldest_unapplied
from producers.eventlog.reader import LogReader
from readmodels.engine import LogBehind
from schemas import sql_files
from schemas.cancellation import raise_if_cancelled
from schemas.lost_connections import LOST_CONNECTION

if TYPE_CHECKING:
    from asyncpg import Pool

SQL = sql_files.load(__file__)
LOGGER = structlog.get_logger()

LOOK_S = 1.0
CATCH_UP_AFTER_S = 5.0
"""How long a published event may wait, its partition standing still, before the log is read instead."""
STUCK_AFTER_S = 15.0
QUIET_POSITIONS = 1000
"""How far a quiet partition's checkpoint may fall back before it is raised."""


class Health(NamedTuple):
    """`lag_positions` counts from the oldest event that is not applied to the log's head; 0 when there is none.

    A quiet partition is no lag: its checkpoint is low, but nothing above it is the partition's.
    """

    ready: bool
    lag_positions: int
    lag_seconds: float
    reason: str = ""


def worst(healths: Iterable[Health]) -> Health:
    """Of several things that all have to move."""
    return min(healths, key=lambda health: (health.ready, -health.lag_positions, -health.lag_seconds))


class Waiting(NamedTuple):
    """The oldest unapplied event, and since when (monotonic seconds) its partition's checkpoint stands still."""

    partition: int
    position: int
    recorded_at: datetime
    checkpoint: int
    still_since: float


class Named(Protocol):
    """What a follower keeps current: a version of a view, say."""

    @property
    def name(self) -> str: ...


V = TypeVar("V", bound=Named)


class Follower(Protocol[V]):
    """Whoever applies a topic's events and remembers by partition how far that is done."""

    view: V
    source: LogSource

    async def follow(self) -> bool:
        """Go on with another `view`, if that is what readers see by now."""

    async def checkpoints(self) -> dict[int, int]: ...

    async def parked(self) -> int: ...

    async def advance(self, view: V, partitions: list[int], position: int) -> None: ...

    async def catch_up(self, partition: int, up_to: int) -> None: ...


class Watch:
    """Looks once a second from outside: checkpoints against the log."""

    def __init__(
        self,
        pool: "Pool[Any]",
        follower: Follower[Any],
        *,
        partitions: int,
        topic: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._reader = LogReader(pool)
        self._follower = follower
        self._partitions = partitions
        self._topic = topic
        self._clock = clock
        self._monotonic = monotonic
        self._view = follower.view
        self._applied = 0
        self._waiting: Waiting | None = None
        self._looked_at = monotonic()
        self._seen = Health(False, 0, 0.0, "has not looked yet")

    def health(self) -> Health:
        """What was seen last; a look that does not end is not ready (DESIGN I9)."""
        looking_s = self._monotonic() - self._looked_at
        if looking_s < STUCK_AFTER_S:
            return self._seen
        return self._seen._replace(ready=False, reason=f"the log has not answered for {looking_s:.0f} s")

    async def run(self) -> None:
        """Ends only with LogBehind."""
        while True:
            await self.refresh()
            raise_if_cancelled()
            await asyncio.sleep(LOOK_S)

    async def refresh(self) -> None:
        """Look, and tell what was seen; raises LogBehind."""
        try:
            self._seen = await self.look()
            metrics.DOCUMENTS_PARKED.labels(self._follower.view.name).set(await self._follower.parked())
        except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
            self._seen = self._seen._replace(ready=False, reason=f"cannot read Postgres: {error!r}")
        self._looked_at = self._monotonic()
        view, result = self._follower.view.name, "ok" if self._seen.ready else "error"
        metrics.LAG_POSITIONS.labels(view).set(self._seen.lag_positions)
        metrics.LAG_SECONDS.labels(view).set(self._seen.lag_seconds)
        metrics.PROJECTION_LAG.labels(view, result).observe(self._seen.lag_positions)

    async def look(self) -> Health:
        """Checkpoints are read first: an event that one of them covers is applied, whatever happens meanwhile."""
        await self._follower.follow()
        if (view := self._follower.view) != self._view:
            self._view, self._applied, self._waiting = view, 0, None
        checkpoints = dict.fromkeys(range(self._partitions), 0) | await self._follower.checkpoints()
        _, head, suspended = await self._reader.head()
        if suspended:
            raise LogBehind(suspended)
        if max(checkpoints.values()) > head:
            raise LogBehind(
                f"{self._follower.view.name} has applied {max(checkpoints.values())}, the log ends at {head}"
            )
        self._waiting = await self._oldest_unapplied(checkpoints)
        if self._waiting is None:
            await self._raise_quiet(checkpoints)
            return Health(True, 0, 0.0)
        await self._maybe_catch_up(self._waiting)
        return self._lagging(self._waiting, head)

    async def _oldest_unapplied(self, checkpoints: Mapping[int, int]) -> Waiting | None:
        applied = max(self._applied, min(checkpoints.values()))
        self._applied, oldest = await oldest_unapplied(self._pool, self._follower.source, checkpoints, applied)
        return self._since_when(oldest, checkpoints[oldest.partition]) if oldest else None

    def _since_when(self, oldest: Unapplied, checkpoint: int) -> Waiting:
        before = self._waiting
        still = before is not None and (before.partition, before.checkpoint) == (oldest.partition, checkpoint)
        since = before.still_since if still and before else self._monotonic()
        return Waiting(*oldest, checkpoint, since)

    async def _raise_quiet(self, checkpoints: Mapping[int, int]) -> None:
        """Lets the next start begin its look here, not where a quiet partition had its last event."""
        quiet = [partition for partition, at in checkpoints.items() if at < self._applied - QUIET_POSITIONS]
        if quiet:
            await self._follower.advance(self._view, quiet, self._applied)

    async def _maybe_catch_up(self, waiting: Waiting) -> None:
        if self._stands_still_s(waiting) < CATCH_UP_AFTER_S:
            return
        published = {row["partition"]: row["position"] for row in await self._pool.fetch(SQL["published"], self._topic)}
        if published.get(waiting.partition, 0) >= waiting.position:
            await self._follower.catch_up(waiting.partition, published[waiting.partition])

    def _lagging(self, waiting: Waiting, head: int) -> Health:
        still_s = self._stands_still_s(waiting)
        reason = f"partition {waiting.partition} has not moved for {still_s:.0f} s" if still_s >= STUCK_AFTER_S else ""
        lag_s = max((self._clock() - waiting.recorded_at).total_seconds(), 0.0)
        return Health(not reason, head - waiting.position + 1, lag_s, reason)

    def _stands_still_s(self, waiting: Waiting) -> float:
        return self._monotonic() - waiting.still_since
