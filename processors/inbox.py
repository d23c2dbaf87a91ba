"""What has arrived and is not applied yet: taken all at once, alone when it is quiet, gathered when it is busy."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")

LIMIT = 1000
LINGER_S = 0.005


class Inbox(Generic[T]):
    """Full after a few batches, which holds back whoever fills it.

    A lone arrival is handed out at once. After a batch of several the next one gathers for a moment: transactions
    then grow with the load instead of multiplying (STACK §10).
    """

    def __init__(self, limit: int = LIMIT, linger_s: float = LINGER_S) -> None:
        self._queue = asyncio.Queue[T](4 * limit)
        self._limit = limit
        self._linger_s = linger_s
        self._busy = False

    async def put(self, item: T) -> None:
        await self._queue.put(item)

    async def take(self) -> list[T]:
        """At least one item, at most the limit."""
        batch = [await self._queue.get()]
        if self._busy and self._queue.qsize() < self._limit:
            await asyncio.sleep(self._linger_s)
        while len(batch) < self._limit and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        self._busy = len(batch) > 1
        return batch
