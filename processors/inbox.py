"""What has arrived and is not applied yet: taken all at once, so that batches grow while a transaction is under way."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")

LIMIT = 1000


class Inbox(Generic[T]):
    """Full after a few batches, which holds back whoever fills it.

    With `leisure_s` what has arrived waits that long for company: fewer, larger batches for whom nobody waits.
    """

    def __init__(self, limit: int = LIMIT, leisure_s: float = 0.0) -> None:
        self._queue = asyncio.Queue[T](4 * limit)
        self._limit = limit
        self._leisure_s = leisure_s

    async def put(self, item: T) -> None:
        await self._queue.put(item)

    async def take(self) -> list[T]:
        """At least one item, at most the limit."""
        batch = [await self._queue.get()]
        if self._leisure_s and self._queue.qsize() < self._limit:
            await asyncio.sleep(self._leisure_s)
        while len(batch) < self._limit and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch
