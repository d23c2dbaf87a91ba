"""Where submissions wait while earlier batches commit; a stream is in one batch at a time."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from producers.eventlog.commands import Outcome, Submission

Waiting = tuple[Submission, "asyncio.Future[Sequence[Outcome[Any]]]"]
_MAX_SUBMISSIONS = 256
_MAX_BYTES = 4 * 1024 * 1024


class _Queue:
    """Submissions whose streams hang together, in the order they came; `streams` counts who still needs each."""

    __slots__ = ("in_flight", "streams", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Waiting] = deque()
        self.streams: dict[str, int] = {}
        self.in_flight = 0

    def add(self, waiting: Waiting) -> None:
        self.waiting.append(waiting)
        for part in waiting[0].parts:
            self.streams[part.stream] = self.streams.get(part.stream, 0) + 1


class Gathering:
    """First come, first served, by streams: whole queues that no batch holds.

    A submission on several streams joins the queues of all of them. `released` counts what has left with a batch.
    """

    def __init__(self, committers: int) -> None:
        self._committers = committers
        self._queues: dict[str, _Queue] = {}
        self._ready: dict[_Queue, None] = {}
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
        queue = self._joined(submission)
        queue.add((submission, future))
        if not queue.in_flight:
            self._ready[queue] = None
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
            queue = next(iter(self._ready))
            del self._ready[queue]
            while queue.waiting and len(taken) < limit and size < _MAX_BYTES:
                size += queue.waiting[0][0].size
                queue.in_flight += 1
                taken.append(queue.waiting.popleft())
        self._count -= len(taken)
        self._in_flight += len(taken)
        return taken

    def release(self, taken: Sequence[Waiting]) -> None:
        """The batch has ended; what came for its streams meanwhile is ready."""
        for submission, _ in taken:
            self._leave(submission)
        self._in_flight -= len(taken)
        self.released += len(taken)
        self._changed.set()

    def drain(self) -> list[Waiting]:
        queues = dict.fromkeys(self._queues.values())
        waiting = [one for queue in queues for one in queue.waiting]
        for queue in queues:
            queue.waiting.clear()
        self._ready, self._count = {}, 0
        return waiting

    def _joined(self, submission: Submission) -> _Queue:
        """One queue of everything that waits for, or is in a batch with, any of the submission's streams."""
        found = dict.fromkeys(self._queues[part.stream] for part in submission.parts if part.stream in self._queues)
        queue, *others = found or [_Queue()]
        for other in others:
            self._merge(queue, other)
        for part in submission.parts:
            self._queues[part.stream] = queue
        return queue

    def _merge(self, queue: _Queue, other: _Queue) -> None:
        """They have no stream in common, so each stream keeps its order."""
        queue.waiting += other.waiting
        queue.streams |= other.streams
        queue.in_flight += other.in_flight
        self._queues |= dict.fromkeys(other.streams, queue)
        self._ready.pop(other, None)
        if queue.in_flight:
            self._ready.pop(queue, None)

    def _leave(self, submission: Submission) -> None:
        queue = self._queues[submission.stream]
        queue.in_flight -= 1
        for part in submission.parts:
            queue.streams[part.stream] -= 1
            if not queue.streams[part.stream]:
                del queue.streams[part.stream], self._queues[part.stream]
        if queue.waiting and not queue.in_flight:
            self._ready[queue] = None
