"""Where submissions wait while earlier batches commit; a stream is in one batch at a time."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from producers.eventlog.commands import Outcome, Submission

Waiting = tuple[Submission, "asyncio.Future[Sequence[Outcome[Any]]]"]
_MAX_SUBMISSIONS = 256
_MAX_BYTES = 4 * 1024 * 1024


class Gathering:
    """First come, first served, by stream: whole queues of streams that no batch holds.

    `released` counts what has left it with a batch.
    """

    def __init__(self, committers: int) -> None:
        self._committers = committers
        self._ready: dict[str, deque[Waiting]] = {}
        self._held: dict[str, deque[Waiting]] = {}
        self._count = 0
        self._in_flight = 0
        self.released = 0
        self._changed = asyncio.Event()

    @property
    def unsettled(self) -> int:
        """Submissions that wait or are in a batch."""
        return self._count + self._in_flight

    def put(self, submission: Submission) -> "asyncio.Future[Sequence[Outcome[Any]]]":
        future: asyncio.Future[Sequence[Outcome[Any]]] = asyncio.get_running_loop().create_future()
        queues = self._held if submission.stream in self._held else self._ready
        queues.setdefault(submission.stream, deque()).append((submission, future))
        self._count += 1
        self._changed.set()
        return future

    async def ready(self, *, alone: bool) -> None:
        """Wait for something to take; `alone`: also until no other batch is in flight."""
        while not self._ready or (alone and self._in_flight):
            self._changed.clear()
            await self._changed.wait()

    def take(self) -> list[Waiting]:
        """The next batch; its share of what waits and is in flight leaves work for the other committers."""
        limit = min(-(-self.unsettled // self._committers), _MAX_SUBMISSIONS)
        taken: list[Waiting] = []
        size = 0
        while self._ready and len(taken) < limit and size < _MAX_BYTES:
            stream, queue = next(iter(self._ready.items()))
            del self._ready[stream]
            self._held[stream] = queue
            while queue and len(taken) < limit and size < _MAX_BYTES:
                size += queue[0][0].size
                taken.append(queue.popleft())
        self._count -= len(taken)
        self._in_flight += len(taken)
        return taken

    def release(self, taken: Sequence[Waiting]) -> None:
        """The batch has ended; what came for its streams meanwhile is ready."""
        for stream in {submission.stream for submission, _ in taken}:
            if queue := self._held.pop(stream):
                self._ready[stream] = queue
        self._in_flight -= len(taken)
        self.released += len(taken)
        self._changed.set()

    def drain(self) -> list[Waiting]:
        queues = [*self._ready.values(), *self._held.values()]
        self._ready, self._held, self._count = {}, {}, 0
        return [waiting for queue in queues for waiting in queue]
