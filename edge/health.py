"""Probes and metrics of the edge, for infrastructure and without a token (DESIGN I9, DEC-3, edge §1.5)."""

import asyncio
import time
from collections.abc import Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.operations import Tails
from edge.requests import endpoints, service
from edge.responses import DATABASE_ERRORS, Json
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail
from producers.presence import State
from readmodels.journal import JournalReader
from readmodels.journal_tail import JournalTail

STUCK_AFTER_S = 5.0
_ANSWER_WITHIN_S = 2.0


class Standstill:
    """For how long something has not moved on, although there was something to do all the while."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._stands_at: object = None
        self._since = 0.0

    def seconds(self, place: object, *, is_behind: bool) -> float:
        """Counted from the first look that found it behind at this place."""
        stands_at = place if is_behind else None
        if stands_at is None or stands_at != self._stands_at:
            self._stands_at, self._since = stands_at, self._monotonic()
        return self._monotonic() - self._since


class EdgeHealth:
    """Ready while the log answers and takes commands, and both tails move on whenever there is something to read."""

    def __init__(
        self,
        log: EventLog,
        reader: LogReader,
        tail: LogTail,
        journal_reader: JournalReader,
        journal_tail: JournalTail,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._reader = reader
        self._tail = tail
        self._journal_reader = journal_reader
        self._journal_tail = journal_tail
        self._log_stands, self._tail_stands, self._journal_stands = (Standstill(monotonic) for _ in range(3))

    async def readiness(self) -> dict[str, object]:
        state = await self.state()
        return {**state._asdict(), "reason": state.reason or None}

    async def state(self) -> State:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                head, watermarks = await self._reader.head(), await self._journal_reader.watermarks()
        except (TimeoutError, *DATABASE_ERRORS) as error:
            return State(False, 0, 0.0, f"the log does not answer: {error!r}")
        if head.suspended:
            return State(False, 0, 0.0, head.suspended)
        behind = max(head.position - self._tail.position, 0)
        tail_s = self._tail_stands.seconds(self._tail.position, is_behind=behind > 0)
        standing = {"the tail": tail_s, "the log": self._log_s(), "the journal's tail": self._journal_s(watermarks)}
        reasons = [f"{part} has stood still for {s:.0f} s" for part, s in standing.items() if s > STUCK_AFTER_S]
        return State(not reasons, behind, round(tail_s, 3), ", ".join(reasons))

    def tails(self) -> Tails:
        topics = self._journal_tail.topics
        return Tails(self._tail.position, {topic: self._journal_tail.position(topic) for topic in topics})

    def _log_s(self) -> float:
        """Something holds up its commits, though it can be read."""
        return self._log_stands.seconds(self._log.answered, is_behind=self._log.waiting > 0)

    def _journal_s(self, watermarks: Mapping[str, int]) -> float:
        positions = {topic: self._journal_tail.position(topic) for topic in watermarks}
        is_behind = any(watermarks[topic] > position for topic, position in positions.items())
        return self._journal_stands.seconds(positions, is_behind=is_behind)


async def livez(_: Request) -> Response:
    return Json({"live": True})


async def readyz(request: Request) -> Response:
    readiness = await service(request, EdgeHealth).readiness()
    return Json(readiness, 200 if readiness["ready"] else 503)


async def up(request: Request) -> Response:
    readiness = await service(request, EdgeHealth).readiness()
    return Json({"ok": readiness["ready"]}, 200 if readiness["ready"] else 500)


async def metrics(_: Request) -> Response:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})


routes: list[Route] = [
    endpoints("/livez", GET=livez),
    endpoints("/readyz", GET=readyz),
    endpoints("/up", GET=up),
    endpoints("/metrics", GET=metrics),
]
