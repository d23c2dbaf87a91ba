"""What an owner is told of a budget besides its totals: its path, what is below, holds, denials with their rules."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edge import spend_documents
from edge.spend import Call, Spend
from producers import budgets, policy_history, spend_history
from producers.budgets import Budget
from producers.eventlog.streams import StreamReader
from producers.policy_explanation import explained, fired
from schemas.events import Payload, Recorded
from schemas.names import budget_stream

if TYPE_CHECKING:
    import asyncpg

    Pool = asyncpg.Pool[Any]

_CHILDREN = 200


class SpendHistory:
    def __init__(self, pool: "Pool", streams: StreamReader, spend: Spend, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._streams = streams
        self._spend = spend
        self._clock = clock

    async def cards(self, owner: str, limit: int) -> list[dict[str, Any]]:
        """The owner's budgets, last changed first."""
        found = await self._streams.newest(budgets.DECIDER, owner, {}, limit)
        return self._told([snapshot.state for snapshot in found])

    async def get(self, call: Call) -> dict[str, Any]:
        """With the budgets above it from the root, and those right below."""
        budget = await self._spend.existing(call)
        above = [budget_stream(name) for name in budget.path[:-1]]
        found = await self._streams.some(budgets.DECIDER, above)
        below = await spend_history.children(self._pool, call.owner, call.authorization_id, _CHILDREN)
        return {
            **await self._spend.document(budget),
            **spend_documents.card(budget, self._clock()),
            "above": self._told([found[stream].state for stream in above if stream in found]),
            "below": self._told(below),
        }

    async def open_holds(self, call: Call, limit: int) -> list[dict[str, Any]]:
        await self._spend.existing(call)
        found = await spend_history.open_holds(self._pool, call.owner, call.authorization_id, limit)
        return [spend_documents.metered(hold) for hold in found]

    async def settled_holds(self, call: Call, limit: int) -> list[dict[str, Any]]:
        await self._spend.existing(call)
        found = await spend_history.settled_holds(self._pool, call.authorization_id, limit)
        return [spend_documents.metered(hold) for hold in found]

    async def denials(self, call: Call, limit: int) -> list[dict[str, Any]]:
        """Newest first, each with the rule that fired as its version of the set has it."""
        await self._spend.existing(call)
        found = await spend_history.denials(self._pool, call.owner, call.authorization_id, limit)
        sets = await self._sets(call.owner, found)
        return [spend_documents.denial(explained(event, sets.get(fired(event))), event.seq) for event in found]

    async def _sets(self, owner: str, denied: Sequence[Recorded]) -> dict[tuple[str, int] | None, Payload | None]:
        """Documents by name and version."""
        named = {by for by in map(fired, denied) if by}
        return {by: await policy_history.proposed(self._pool, owner, *by) for by in named}

    def _told(self, found: Sequence[Budget]) -> list[dict[str, Any]]:
        now = self._clock()
        return [spend_documents.card(budget, now) for budget in found]
