"""Timers: streams whose time has come are woken by whichever process finds them first (DESIGN §4).

Waking is a command like any other: when two do it the versions of the log let one through, and the other finds nothing
left to do. What cannot be woken is tried later, and holds up nobody else.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import asyncpg
import structlog

from producers import metrics
from producers.errors import LogUnavailable
from producers.eventlog.commands import Decider, Item, Outcome, States
from producers.eventlog.log import EventLog
from schemas import sql_files
from schemas.cancellation import raise_if_cancelled
from schemas.lost_connections import LOST_CONNECTION

if TYPE_CHECKING:
    from asyncpg import Pool

_SQL = sql_files.load(__file__)
_LOGGER = structlog.get_logger()

SWEEP_S: Final = 2.0
PAGE: Final = 100
STUCK_AFTER_S: Final = 15.0
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 300.0


class CannotWake(Exception):
    """A stream is due and nothing ends that: its decider has no such command, or the command decides nothing."""


class Due(NamedTuple):
    stream: str
    kind: str
    owner: str
    wake_at: datetime


class Waker(Protocol):
    """Wakes a kind whose streams are not woken by a command of their own."""

    async def wake(self, log: EventLog, due: Due) -> Outcome[States]:
        """What became of it; the outcome's `seq` is the due stream's."""

    def swept(self) -> None:
        """Everything that was due was looked at."""


class Resting(NamedTuple):
    """A stream that could not be woken: how long it is left alone, and until when (monotonic seconds)."""

    pause_s: float
    until: float


class Timers:
    """Wakes the streams of these deciders' kinds."""

    def __init__(
        self,
        pool: "Pool[Any]",
        deciders: Iterable[Decider[Any, Any]],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        wakers: Mapping[str, Waker] | None = None,
    ) -> None:
        self._pool = pool
        self._wakers = wakers or {}
        self._deciders = {decider.kind: decider for decider in deciders}
        self._clock = clock
        self._monotonic = monotonic
        self._resting: dict[str, Resting] = {}
        self._moved_at = monotonic()

    def stuck(self) -> str:
        """Why this is not ready (DESIGN I9), or nothing: streams that only rest are told by metrics and errors."""
        still_s = self._monotonic() - self._moved_at
        return f"no timer was looked at for {still_s:.0f} s" if still_s >= STUCK_AFTER_S else ""

    async def run(self) -> None:
        """Until cancelled. Without Postgres, or while the log is suspended, everything waits."""
        while True:
            try:
                await self.sweep()
            except (*LOST_CONNECTION, asyncpg.PostgresError, LogUnavailable) as error:
                _LOGGER.warning("timers wait for the log", error=repr(error))
            raise_if_cancelled()
            await asyncio.sleep(SWEEP_S)

    async def sweep(self) -> int:
        """Wake what is due now, oldest first; returns how many streams it woke.

        Raises LogUnavailable when it could wake none for that reason, or what a lost Postgres raises.
        """
        log = EventLog(self._pool, committers=1, clock=self._clock)  # a new one remembers nothing of an older history
        try:
            return await self._sweep(log)
        finally:
            await log.close()

    async def _sweep(self, log: EventLog) -> int:
        seen: set[str] = set()
        outcomes: list[bool | LogUnavailable] = []
        async for page in self._pages(self._clock()):
            seen.update(due.stream for due in page)
            outcomes += await self._wake(log, [due for due in page if not self._rests(due.stream)])
        self._resting = {stream: resting for stream, resting in self._resting.items() if stream in seen}
        woken = outcomes.count(True)
        metrics.TIMERS_DUE.set(len(seen) - woken)
        for waker in self._wakers.values():
            waker.swept()
        if not woken:
            _raise_first(outcomes)
        self._moved_at = self._monotonic()
        return woken

    async def _pages(self, now: datetime) -> AsyncIterator[Sequence[Due]]:
        after: tuple[datetime | None, str] = (None, "")
        while rows := await self._pool.fetch(_SQL["due"], now, *after, PAGE):
            yield [Due(*row) for row in rows]
            after = (rows[-1]["wake_at"], rows[-1]["stream"])

    async def _wake(self, log: EventLog, page: Sequence[Due]) -> list[bool | LogUnavailable]:
        """All at once, so that they share batches."""
        outcomes = await asyncio.gather(*(self._wake_one(log, due) for due in page))
        if True in outcomes:
            self._moved_at = self._monotonic()
        return outcomes

    async def _wake_one(self, log: EventLog, due: Due) -> bool | LogUnavailable:
        """Whether it was woken by us; a log that is away is no fault of the stream."""
        try:
            woken = await self._execute(log, due)
        except LogUnavailable as error:
            return error
        except Exception:
            resting = self._rest(due.stream)
            metrics.TIMERS_FAILED.labels(due.kind).inc()
            _LOGGER.exception("a stream cannot be woken", **due._asdict(), again_in_s=resting.pause_s)
            return False
        metrics.TIMERS_FIRED.labels(due.kind).inc(woken)
        return woken

    async def _execute(self, log: EventLog, due: Due) -> bool:
        decider = self._deciders.get(due.kind)
        if decider is None:
            raise CannotWake(f"nobody knows the kind {due.kind}")
        outcome, state = await self._told(log, due, decider)
        if outcome.events:
            return True
        await self._settle(due, outcome.seq, decider.wake_at(state))
        return False

    async def _told(self, log: EventLog, due: Due, decider: Decider[Any, Any]) -> tuple[Outcome[Any], Any]:
        """What became of the waking, and the stream's state after it."""
        if waker := self._wakers.get(due.kind):
            together = await waker.wake(log, due)
            return together, together.state[due.stream]
        if decider.wake is None:
            raise CannotWake(f"{due.kind} has no command that wakes it")
        [alone] = await log.execute(decider, due.stream, due.owner, [Item(decider.wake)])
        return alone, alone.state

    async def _settle(self, due: Due, seq: int, wake_at: datetime | None) -> None:
        """Somebody else woke it, or the row still says what an older release thought."""
        if wake_at is not None and wake_at <= due.wake_at:
            raise CannotWake("its decider decides nothing though it is due")
        await self._pool.execute(_SQL["settle"], due.stream, seq, wake_at)

    def _rests(self, stream: str) -> bool:
        resting = self._resting.get(stream)
        return resting is not None and self._monotonic() < resting.until

    def _rest(self, stream: str) -> Resting:
        before = self._resting.get(stream)
        pause_s = min(2 * before.pause_s, LONGEST_PAUSE_S) if before else FIRST_PAUSE_S
        self._resting[stream] = Resting(pause_s, self._monotonic() + pause_s)
        return self._resting[stream]


def _raise_first(outcomes: Iterable[bool | LogUnavailable]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, LogUnavailable):
            raise outcome
