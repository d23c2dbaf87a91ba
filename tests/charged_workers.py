"""Workers in a real log that are bound to a budget, and what becomes of their turns, for tests of charging."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from processors.charging import Charges
from producers import budgets, holds, workers
from producers.budgets import Authorize, Budget, Terms
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.streams import StreamReader
from producers.holds import Hold
from producers.workers import AppendEvent, CreateWorker
from schemas.events import Payload, Recorded
from schemas.names import budget_stream, hold_stream, worker_stream
from tests.submissions import NOON

Pool = asyncpg.Pool
OWNER = "user:41"
REPORT_TOKENS = 1000
PRICES = {"small": 1000, "large": 5000}
"""A report of the small model costs one sat."""


class Desk:
    """A budget called a, and workers that are bound to it."""

    def __init__(self, pool: "Pool[Any]", clock: Callable[[], datetime]) -> None:
        self.log = EventLog(pool, clock=clock)
        self.charges = Charges(pool, self.log)
        self.reader = LogReader(pool)
        self._streams = StreamReader(pool)

    async def authorize(self, name: str = "a", owner: str = OWNER, **terms: Any) -> None:
        command = Item(Authorize(name, (name,), Terms(**terms)))
        await self.log.execute(budgets.DECIDER, budget_stream(name), owner, [command])

    async def bind(self, name: str, hold_sats: int, authorization_id: str = "a") -> None:
        """A running worker that takes requests."""
        binding = {"authorization_id": authorization_id, "hold_sats": hold_sats, "prices": PRICES}
        heartbeat = {"source": "autopilot-desktop", "daemon": "on", "accepts_requests": True}
        stream = worker_stream(OWNER, name)
        await self.log.execute(workers.DECIDER, stream, OWNER, [Item(CreateWorker(name))])
        await self.append(name, "worker.heartbeat", heartbeat)
        await self.append(name, "worker.charging.set", binding)

    async def append(self, name: str, event_type: str, payload: Payload) -> list[Recorded]:
        command = Item(AppendEvent(event_type, payload))
        [outcome] = await self.log.execute(workers.DECIDER, worker_stream(OWNER, name), OWNER, [command])
        return list(outcome.events)

    async def meter(
        self, name: str, tokens: int, model: str | None = "small", turn_id: str | None = None
    ) -> list[Recorded]:
        """What the turn has used so far."""
        told = {"thread_id": "th", "turn_id": turn_id or f"t-{name}", "total_tokens": tokens, "model": model}
        return await self.append(name, "worker.turn.metered", told)

    async def report(
        self, name: str, tokens: int, model: str | None = "small", turn_id: str | None = None
    ) -> list[Recorded]:
        """Metered and charged."""
        events = await self.meter(name, tokens, model, turn_id)
        await self.charges.react(events)
        return events

    async def end(self, name: str, tokens: int, outcome: str = "completed") -> list[Recorded]:
        zeros = dict.fromkeys(("cached_input_tokens", "output_tokens", "reasoning_output_tokens"), 0)
        told = {"thread_id": "th", "turn_id": f"t-{name}", "outcome": outcome, "model": "small", **zeros}
        events = await self.append(name, "worker.turn.usage", told | {"input_tokens": tokens, "total_tokens": tokens})
        await self.charges.react(events)
        return events

    async def answer_requests(self, name: str) -> None:
        """As the daemon."""
        snapshot = await self._streams.get(workers.DECIDER, worker_stream(OWNER, name))
        assert snapshot
        for request_id in snapshot.state.open_requests:
            await self.append(name, "worker.response", {"request_id": request_id, "response": {}})

    async def budget(self, name: str = "a") -> Budget:
        snapshot = await self._streams.get(budgets.DECIDER, budget_stream(name))
        assert snapshot
        return snapshot.state

    async def totals(self) -> tuple[int, int]:
        """Spent and held, in sats."""
        budget = await self.budget()
        return budget.spent_sats, budget.reserved_sats

    async def hold(self, name: str) -> Hold | None:
        hold_id = holds.hold_id("a", f"worker/{name}", f"t-{name}")
        snapshot = await self._streams.get(holds.DECIDER, hold_stream(hold_id))
        return snapshot.state if snapshot else None

    async def interruptions(self, name: str) -> list[Payload]:
        events = await self.reader.read_stream(worker_stream(OWNER, name), 0, 1000)
        asked = [event.payload for event in events if event.type == "worker.request.received"]
        return [request["params"] for request in asked if request["method"] == "turn/interrupt"]

    async def notifications(self) -> list[Payload]:
        events = await self.reader.read_all(0, 100_000)
        return [event.payload for event in events if event.type == "notification.raised"]


@asynccontextmanager
async def desk_of(pool: "Pool[Any]", clock: Callable[[], datetime] = lambda: NOON) -> AsyncIterator[Desk]:
    desk = Desk(pool, clock)
    try:
        yield desk
    finally:
        await desk.log.close()
