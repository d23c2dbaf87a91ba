"""Server-sent events of one stream: what is there, then what comes, until the tail window ends (runtime §2.17)."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from starlette.responses import Response, StreamingResponse

from edge.responses import coded
from edge.stream_meter import Outcome, Unmetered
from producers.eventlog.commands import dumps
from producers.eventlog.reader import LogReader
from producers.eventlog.streams import StreamReader
from producers.eventlog.tail import Coming, LogTail
from schemas.events import Recorded
from schemas.names import worker_id_of
from schemas.times import iso6

Encode = Callable[[Recorded], str]
"""An event's frames."""

DEFAULT_TAIL_MS = 1000
_PAGE = 500
_NOBODY = Unmetered()
_CURSOR = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class EventStreams:
    """What a stream is served from; one of the app's services."""

    reader: LogReader
    tail: LogTail
    streams: StreamReader

    async def respond(
        self,
        stream: str,
        cursor: int | None,
        latest_seq: int,
        tail_ms: int,
        cache_control: str,
        encode: Encode,
        floor: int | None = None,
        meter: Unmetered = _NOBODY,
    ) -> Response:
        """The stream above `cursor`, above `latest_seq` without one; 410 below `floor`.

        Without a floor it is below the oldest event that is kept.
        """
        floor = await self.floor(stream) if floor is None else floor
        if cursor is not None and cursor < floor:
            return coded(410, "stale_cursor", f"the oldest cursor that can be served is {floor}")
        after = latest_seq if cursor is None else cursor
        frames = follow(self.reader, self.tail, stream, after, tail_ms, encode, meter)
        headers = {"cache-control": cache_control, "x-accel-buffering": "no"}
        return StreamingResponse(frames, media_type="text/event-stream", headers=headers)

    async def floor(self, stream: str) -> int:
        """The oldest cursor that can be served: nothing up to it is kept."""
        return max(await self.streams.oldest_seq(stream) - 1, 0)


def cursor_of(text: str | None) -> int | None:
    """A cursor as written in a query or in `Last-Event-ID`; raises ValueError."""
    if text is None or not text.strip():
        return None
    if not _CURSOR.fullmatch(text.strip()):
        raise ValueError("a cursor is an integer from 0 on")
    return int(text)


async def follow(
    reader: LogReader, tail: LogTail, stream: str, after: int, tail_ms: int, encode: Encode, meter: Unmetered
) -> AsyncIterator[str]:
    """Frames of every event with `seq > after`, ascending, none missing and none twice, until `tail_ms` are over."""
    deadline = asyncio.get_running_loop().time() + tail_ms / 1000
    outcome: Outcome = "client_closed"
    try:
        async with aclosing(committed(reader, tail, stream, after, deadline, meter)) as pages:
            async for events in pages:
                frames = list(map(encode, events))
                meter.emitted([event.type for event in events], frames)
                yield "".join(frames)
        outcome = "tail_timeout"
    except Exception:
        outcome = "failed"
        raise
    finally:
        meter.ended(outcome)


async def committed(
    reader: LogReader, tail: LogTail, stream: str, after: int, deadline: float, meter: Unmetered = _NOBODY
) -> AsyncGenerator[Sequence[Recorded], None]:
    """The events themselves, until the loop's clock reaches `deadline` or this node follows no longer."""
    with tail.follow(stream) as later:
        while True:
            meter.polled()
            while page := await reader.read_stream(stream, after, _PAGE):
                after = page[-1].seq
                yield page
                meter.polled()
            async for event in _until(later, deadline):
                meter.woken()
                if event.seq == after + 1:
                    after = event.seq
                    yield [event]
                elif event.seq > after:
                    break
            else:
                return


async def _until(later: Coming, deadline: float) -> AsyncIterator[Recorded]:
    loop = asyncio.get_running_loop()
    while (left_s := deadline - loop.time()) > 0:
        try:
            async with asyncio.timeout(left_s):
                event = await later.get()
        except TimeoutError:
            continue  # uvloop's timers count in milliseconds, so one may fire before the deadline
        if event is None:
            return
        yield event


def worker_frame(event: Recorded) -> str:
    """`id`, `event`, `data`; the payload's keys are untouched (runtime §2.17)."""
    body = dumps(
        {
            "workerId": worker_id_of(event.stream),
            "seq": event.seq,
            "eventType": event.type,
            "payload": event.payload,
            "occurredAt": iso6(event.recorded_at),
        }
    )
    return f"id: {event.seq}\nevent: codex.worker.event\ndata: {body}\n\n"
