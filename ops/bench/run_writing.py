"""Runs that benches live: each created, sent frames one after the other, and followed to its end in the log."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from producers import inbox, ownership
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail
from producers.eventlog.wakeups import Wakeups
from producers.inbox import ReceiveFrame
from producers.ownership import CreateRun
from schemas import hashing
from schemas.events import Payload, Recorded
from schemas.names import NOTIFY_LOG, inbox_stream, ownership_stream, run_stream
from schemas.runs_generated import RunFinished

if TYPE_CHECKING:
    import asyncpg

OWNER = "user:1"
FRAMES: Sequence[tuple[str, Payload]] = (
    ("user_message", {"text": "hi"}),
    ("user_message", {"text": "there"}),
    ("complete", {}),
)


class Runs:
    """Writes into a log and hears in its tail what becomes of that."""

    def __init__(self, log: EventLog, tail: LogTail) -> None:
        self._log = log
        self._tail = tail
        self._ends: dict[str, asyncio.Future[None]] = {}
        tail.subscribe(self._hear)

    async def live(self, run_id: str) -> None:
        """Returns with the run's end."""
        end = self._ends[run_stream(run_id)] = asyncio.get_running_loop().create_future()
        await self._log.execute(
            ownership.DECIDER, ownership_stream(run_id), OWNER, [Item(CreateRun(run_id, "thr_bench"))]
        )
        for number, (frame_type, payload) in enumerate(FRAMES):
            await self.send(run_id, f"f-{number}", frame_type, payload)
        await end

    async def send(self, run_id: str, frame_id: str, frame_type: str, payload: Payload) -> None:
        frame = ReceiveFrame(frame_id, frame_type, payload, hashing.hex_digest(payload))
        await self._log.execute(inbox.DECIDER, inbox_stream(run_id), OWNER, [Item(frame)])

    async def many(self, prefix: str, count: int, in_flight: int) -> list[float]:
        """Seconds that each took."""
        numbers = iter(range(count))
        took_s: list[float] = []

        async def one_after_another(numbers: Iterator[int]) -> None:
            for number in numbers:
                started = time.perf_counter()
                await self.live(f"{prefix}{number}")
                took_s.append(time.perf_counter() - started)

        await asyncio.gather(*(one_after_another(numbers) for _ in range(in_flight)))
        return took_s

    def _hear(self, events: Sequence[Recorded]) -> None:
        for event in events:
            if event.type == RunFinished.type and (end := self._ends.pop(event.stream, None)):
                end.set_result(None)


@asynccontextmanager
async def living(pool: "asyncpg.Pool[Any]") -> AsyncIterator[Runs]:
    log, reader, wakeups = EventLog(pool), LogReader(pool), Wakeups(pool)
    head = await reader.head()
    tail = LogTail(reader, wakeups.event(NOTIFY_LOG), start=head.position)
    tasks = [asyncio.create_task(work) for work in (wakeups.run(), tail.run())]
    try:
        yield Runs(log, tail)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await log.close()
