"""Worker events that benches write into a log: many at once, or so many a second."""

import asyncio
import time

from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.workers import DECIDER, AppendEvent, CreateWorker
from schemas.names import worker_stream

PAYLOAD = {
    "source": "autopilot-desktop",
    "method": "item/agentMessage/delta",
    "params": {"threadId": "th_0001", "turnId": "t9", "itemId": "item_12", "delta": "and then the tests passed, "},
    "occurred_at": "2026-02-20T12:00:03.104233Z",
}
EVENT = Item(AppendEvent("worker.event", PAYLOAD))
_TOGETHER = 50

Sent = dict[tuple[int, int], int]
"""When (monotonic ns) the event of this worker and seq was handed to the log."""


class Writer:
    """An owner with workers that are called `bench:0`, `bench:1` …"""

    def __init__(self, log: EventLog, owner: str, workers: int) -> None:
        self._log = log
        self._owner = owner
        self._workers = workers

    async def create(self) -> None:
        for worker in range(self._workers):
            name = f"bench:{worker}"
            await self._log.execute(DECIDER, worker_stream(self._owner, name), self._owner, [Item(CreateWorker(name))])

    async def append(self, worker: int, count: int = 1) -> int:
        """Append events to one worker; its seq after them."""
        stream = worker_stream(self._owner, f"bench:{worker}")
        outcomes = await self._log.execute(DECIDER, stream, self._owner, [EVENT] * count)
        return outcomes[-1].seq

    async def paced(self, rate: int, duration_s: float) -> Sent:
        """`rate` events a second, each by itself, the workers in turn."""
        sent: Sent = {}

        async def note(number: int) -> None:
            now, worker = time.monotonic_ns(), number % self._workers
            sent[worker, await self.append(worker)] = now

        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * duration_s)):
                await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
                group.create_task(note(number))
        return sent

    async def backlog(self, events: int) -> None:
        """So many events as fast as it goes, the workers' first ones included."""
        await self.create()
        await asyncio.gather(*(self._fill(worker, events // self._workers - 1) for worker in range(self._workers)))

    async def _fill(self, worker: int, events: int) -> None:
        for written in range(0, events, _TOGETHER):
            await self.append(worker, min(events - written, _TOGETHER))
