"""The rules that count for an owner right now, and how often calls went through lately, both as the log has them."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from producers import policy_history
from producers.eventlog.reader import LogReader
from producers.eventlog.recent import Recent
from producers.policies import rules_of
from producers.policy_calls import LONGEST_WINDOW, Passed, facts_of
from producers.policy_history import Versions
from producers.policy_rules import Consulted, Facts, Rules
from producers.spending import Reserve
from schemas.amounts import sats_of

if TYPE_CHECKING:
    import asyncpg

    Pool = asyncpg.Pool[Any]

_MOST_OWNERS: Final = 1_000


class Rulebook:
    """For decision points, one a process: what was compiled and counted is kept, what is new is read each time.

    Counts are of what is committed: calls that are decided at one moment do not see each other.
    """

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._compiled: Recent[Versions, Rules] = Recent(_MOST_OWNERS)
        self._counting: Recent[str, _Counting] = Recent(_MOST_OWNERS)

    async def consult(self, owner: str, facts: Facts) -> Consulted:
        """What `producers.policy.evaluate` takes besides the contract's inputs."""
        rules = await self._rules(owner)
        if not rules.counted(facts):
            return Consulted(rules, facts)
        counting = self._counting.get(owner)
        if counting is None or counting.rules is not rules:
            counting = _Counting(self._pool, owner, rules)
            self._counting.put(owner, counting)
        return Consulted(rules, await counting.counted(facts))

    async def consulted(self, owner: str, command: Reserve, now: datetime) -> Reserve:
        """With what the owner's rules say of it."""
        facts = facts_of(command.metadata, now, sats=sats_of(command.amount_msats))
        return structs.replace(command, consulted=await self.consult(owner, facts))

    async def _rules(self, owner: str) -> Rules:
        rules = self._compiled.get(await policy_history.versions_of_owner(self._pool, owner))
        if rules is None:
            versions, sets = await policy_history.sets_of_owner(self._pool, owner)
            rules = rules_of(sets)
            self._compiled.put(versions, rules)
        return rules


class _Counting:
    """One owner's calls, counted from a day back on and then from where it was left."""

    def __init__(self, pool: "Pool", owner: str, rules: Rules) -> None:
        self.rules = rules
        self._pool = pool
        self._owner = owner
        self._reader = LogReader(pool)
        self._passed = Passed(rules)
        self._through: int | None = None
        self._reading = asyncio.Lock()

    async def counted(self, facts: Facts) -> Facts:
        async with self._reading:
            await self._read_on(facts)
            return self._passed.with_counts(facts)

    async def _read_on(self, facts: Facts) -> None:
        head = (await self._reader.head()).position
        if self._through is None:
            self._through = await self._reader.position_before(facts.now - LONGEST_WINDOW)
        async for event in policy_history.calls(self._pool, self._owner, self._through, head):
            call = self._passed.call_of(event)
            if call and not call.denied:
                self._passed.add(call)
            self._through = event.position
        self._through = max(self._through, head)
