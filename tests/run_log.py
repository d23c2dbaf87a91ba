"""Runs in a real log: created, sent frames, canceled, and read back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from producers import inbox, ownership, runs
from producers.chain import Link, walk
from producers.eventlog.commands import Identity, IdentityKey, Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.inbox import ReceiveFrame
from producers.ownership import CreateRun
from producers.runs import AppendRunEvent, RequestCancel
from schemas import hashing
from schemas.events import Payload, Recorded
from schemas.names import inbox_stream, lease_stream, ownership_stream, run_stream

OWNER = "user:41"
_EVERYTHING = 1_000_000


class RunLog:
    """What the edge does with runs, without HTTP."""

    def __init__(self, pool: "asyncpg.Pool[Any]", log: EventLog) -> None:
        self.pool = pool
        self.log = log
        self._reader = LogReader(pool)

    async def create(self, run_id: str) -> None:
        await self.log.execute(
            ownership.DECIDER, ownership_stream(run_id), OWNER, [Item(CreateRun(run_id, "thr_demo"))]
        )

    async def send(self, run_id: str, frame_id: str, frame_type: str, payload: Payload) -> list[Recorded]:
        """The frame's event; none when it came before."""
        payload_hash = hashing.hex_digest(payload)
        identity = Identity(IdentityKey(f"frame {run_id}", frame_id), hashing.digest([frame_type, payload_hash]))
        command = ReceiveFrame(frame_id, frame_type, payload, payload_hash)
        [outcome] = await self.log.execute(inbox.DECIDER, inbox_stream(run_id), OWNER, [Item(command, identity)])
        return list(outcome.events)

    async def say(self, run_id: str, *words: str) -> list[Recorded]:
        """A frame a word, called by its place."""
        numbered = enumerate(words, 1)
        sent = [await self.send(run_id, f"f-{number}", "user_message", {"text": word}) for number, word in numbered]
        return [event for events in sent for event in events]

    async def cancel(self, run_id: str, reason: str | None = None) -> list[Recorded]:
        [outcome] = await self.log.execute(runs.DECIDER, run_stream(run_id), OWNER, [Item(RequestCancel(reason))])
        return list(outcome.events)

    async def append(self, run_id: str, event_type: str, payload: Payload) -> None:
        """As a client."""
        command = Item(AppendRunEvent(event_type, payload))
        await self.log.execute(runs.DECIDER, run_stream(run_id), OWNER, [command])

    async def everything(self) -> list[Recorded]:
        return await self._reader.read_all(0, _EVERYTHING)

    async def told(self, run_id: str) -> list[Recorded]:
        return await self._reader.read_stream(run_stream(run_id), 0, _EVERYTHING)

    async def types(self, run_id: str) -> list[str]:
        return [event.type for event in await self.told(run_id)]

    async def lease_types(self, run_id: str) -> list[str]:
        events = await self._reader.read_stream(lease_stream(run_id), 0, _EVERYTHING)
        return [event.payload.get("outcome", event.type) for event in events]

    async def check(self, run_id: str) -> None:
        """What holds of every run: a chain without a gap, one start and one end at most, no frame told twice."""
        events = await self.told(run_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        walk(run_id, Link(), events)
        types = [event.type for event in events]
        assert types.count("run.started") <= 1
        assert types.count("run.finished") <= 1
        told = [event.payload["frame_id"] for event in events if event.type in ("run.delta", "run.frame_consumed")]
        assert len(told) == len(set(told))


@asynccontextmanager
async def run_log(pool: "asyncpg.Pool[Any]", **options: Any) -> AsyncIterator[RunLog]:
    log = EventLog(pool, **options)
    try:
        yield RunLog(pool, log)
    finally:
        await log.close()
