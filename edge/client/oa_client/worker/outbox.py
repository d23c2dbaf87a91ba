"""Events on their way to the edge: one order, batches of what has gathered, repeated until acknowledged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from oa_client.backoff import delays_s
from oa_client.errors import TRANSIENT
from oa_client.workers import NewEvent, Payload

_LOG = logging.getLogger(__name__)

_MAX_EVENTS = 500
_MAX_BYTES = 900 * 1024
"""Of the 1 MiB that a batch may have (runtime DEC-47)."""

_CAPACITY = 10_000
"""When that many wait, `put` does, and with it the reading of Codex's output."""


class Outbox:
    """Ids are `<session id>:<n>`: a batch that may have been recorded already is sent again unchanged."""

    def __init__(self, post: Callable[[Sequence[NewEvent]], Awaitable[object]], session_id: str) -> None:
        self._post = post
        self._session_id = session_id
        self._count = 0
        self._waiting: asyncio.Queue[NewEvent] = asyncio.Queue(_CAPACITY)
        self._held: NewEvent | None = None

    async def put(self, event_type: str, payload: Payload) -> None:
        self._count += 1
        await self._waiting.put(NewEvent(f"{self._session_id}:{self._count}", event_type, payload))

    async def run(self) -> None:
        """Ends only with an error that no repetition can mend."""
        while True:
            batch = await self._gather()
            await self._deliver(batch)
            for _ in batch:
                self._waiting.task_done()

    async def delivered(self) -> None:
        """Returns when everything put so far is acknowledged; `run` must be running."""
        await self._waiting.join()

    async def _gather(self) -> list[NewEvent]:
        """At least one event; more as long as they are there already and fit."""
        batch = [self._held or await self._waiting.get()]
        self._held = None
        size = _size(batch[0])
        while len(batch) < _MAX_EVENTS and not self._waiting.empty():
            event = self._waiting.get_nowait()
            size += _size(event)
            if size > _MAX_BYTES:
                self._held = event
                break
            batch.append(event)
        return batch

    async def _deliver(self, batch: list[NewEvent]) -> None:
        for delay_s in delays_s():
            try:
                await self._post(batch)
                return
            except TRANSIENT as error:
                _LOG.warning("%d events wait: %s; next attempt in %.1f s", len(batch), error, delay_s)
                await asyncio.sleep(delay_s)


def _size(event: NewEvent) -> int:
    return len(msgspec.json.encode(event))
