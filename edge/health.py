"""Probes and metrics of the edge, for infrastructure and without a token (DESIGN I9, DEC-3, edge §1.5)."""

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.requests import endpoints, service
from edge.responses import DATABASE_ERRORS, Json
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail

STUCK_AFTER_S = 5.0
_ANSWER_WITHIN_S = 2.0


class EdgeHealth:
    """Ready while the log answers and the tail moves on whenever there is something to read."""

    def __init__(self, reader: LogReader, tail: LogTail, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._tail = tail
        self._monotonic = monotonic
        self._position = tail.position
        self._moved_at = monotonic()

    async def readiness(self) -> dict[str, object]:
        try:
            head = await asyncio.wait_for(self._reader.head(), _ANSWER_WITHIN_S)
        except (TimeoutError, *DATABASE_ERRORS) as error:
            return {"ready": False, "reason": f"the log does not answer: {error!r}"}
        if head.suspended:
            return {"ready": False, "reason": head.suspended}
        behind = max(head.position - self._tail.position, 0)
        stuck_s = self._stuck_s(behind)
        reason = f"the tail has stood still for {stuck_s:.0f} s" if stuck_s > STUCK_AFTER_S else None
        return {"ready": reason is None, "reason": reason, "lag_positions": behind, "lag_seconds": round(stuck_s, 3)}

    def _stuck_s(self, behind: int) -> float:
        if behind == 0 or self._tail.position != self._position:
            self._position, self._moved_at = self._tail.position, self._monotonic()
        return self._monotonic() - self._moved_at


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
