"""Worker events at a steady pace through the public API, and what of them was acknowledged."""

import asyncio
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import NamedTuple

from oa_client.client import Client
from oa_client.errors import TRANSIENT
from oa_client.sync import WORKER_EVENTS, WORKER_SUMMARIES, Update, follow
from oa_client.workers import NewEvent, Payload

SIZES = (1, 1, 1, 2, 4, 8)
_EVENT_TYPE = "worker.event"
_PAUSE_S = 0.1


class Acknowledged(NamedTuple):
    """The server said: this event is in the log, with this seq. `number` is in its payload and no other's."""

    seq: int
    number: int


class Writer:
    """What writes one worker's events, one call at a time: single events and batches of at most `SIZES`.

    A batch is repeated until it is acknowledged. A single event is not: one whose answer was lost is `unanswered`.
    """

    def __init__(self, client: Client, stream: str, worker_id: str, numbers: Iterator[int], choices: random.Random):
        self.stream = stream
        self.acknowledged: list[Acknowledged] = []
        self.unanswered: set[int] = set()
        self._client = client
        self._worker_id = worker_id
        self._numbers = numbers
        self._choices = choices

    async def write(self, least: int, per_s: float, is_over: Callable[[], bool]) -> None:
        """At least so many events, each as soon as it is due; what an outage held back follows at once."""
        now = asyncio.get_running_loop().time
        begun, written = now(), 0
        while written < least or not is_over():
            size = self._choices.choice(SIZES)
            await asyncio.sleep(begun + (written + size) / per_s - now())
            await (self._write_batch(size) if size > 1 else self._write_one())
            written += size

    async def _write_one(self) -> None:
        payload = self._payload()
        try:
            posted = await self._client.post_event(self._worker_id, _EVENT_TYPE, payload)
            self.acknowledged.append(Acknowledged(posted.seq, payload["number"]))
        except TRANSIENT:
            self.unanswered.add(payload["number"])
            await asyncio.sleep(_PAUSE_S)

    async def _write_batch(self, size: int) -> None:
        events = [NewEvent(str(uuid.uuid4()), _EVENT_TYPE, self._payload()) for _ in range(size)]
        while True:
            try:
                accepted = (await self._client.post_events(self._worker_id, events)).events
                break
            except TRANSIENT:
                await asyncio.sleep(_PAUSE_S)
        assert [event.event_id for event in accepted] == [event.event_id for event in events]
        numbers = [event.payload["number"] for event in events]
        self.acknowledged += [Acknowledged(event.seq, number) for event, number in zip(accepted, numbers, strict=True)]

    def _payload(self) -> Payload:
        return {"source": "fault-test", "number": next(self._numbers)}


class Recording:
    """What one socket brought, over all its connections."""

    def __init__(self) -> None:
        self.updates: dict[str, list[Update]] = {WORKER_EVENTS: [], WORKER_SUMMARIES: []}

    async def follow(self, client: Client) -> None:
        async with aclosing(follow(client, list(self.updates))) as updates:
            async for update in updates:
                self.updates[update.topic].append(update)

    def reached(self, topic: str) -> int:
        """The last watermark."""
        return max((update.watermark for update in self.updates[topic][-1:]), default=0)
