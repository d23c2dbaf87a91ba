"""Waiting for a daemon's answer to a request, on the log: whichever node asked, and however often (DEC-45, 46)."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from edge.errors import Draining
from edge.event_stream import committed
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail
from producers.workers import ANSWERS
from schemas import times
from schemas.events import Recorded

_MARGIN_S = 0.02
"""The loop's clock and the log's do not agree to the millisecond."""


@dataclass(frozen=True)
class Answers:
    reader: LogReader
    tail: LogTail
    clock: Callable[[], datetime]

    async def event(self, stream: str, seq: int) -> Recorded | None:
        """None when it was not written, or is not kept any more."""
        events = await self.reader.read_stream(stream, seq - 1, 1)
        return events[0] if events and events[0].seq == seq else None

    async def by_deadline(self, request: Recorded) -> Recorded | None:
        """What answers an open request before its deadline. Raises Draining when this node ends first."""
        deadline = request.payload.get("deadline")
        left_s = (times.parse(deadline) - self.clock()).total_seconds() if deadline else 0.0
        until = asyncio.get_running_loop().time() + max(left_s, 0.0) + _MARGIN_S
        answer = await self._first(request, until)
        if answer is None and asyncio.get_running_loop().time() < until:
            raise Draining
        return answer

    async def so_far(self, request: Recorded) -> Recorded | None:
        return await self._first(request, asyncio.get_running_loop().time())

    async def _first(self, request: Recorded, until: float) -> Recorded | None:
        async with aclosing(committed(self.reader, self.tail, request.stream, request.seq, until)) as pages:
            async for page in pages:
                for event in page:
                    if _answers(event, request):
                        return event
        return None


def _answers(event: Recorded, request: Recorded) -> bool:
    is_answer = event.version > 0 and event.type in ANSWERS
    return is_answer and event.payload.get("request_id") == request.payload.get("request_id")
