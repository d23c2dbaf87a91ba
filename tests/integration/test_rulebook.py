"""What counts for an owner right now, read from the log (docs/policy.md)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from producers import policies
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.policies import ActivatePolicy, Command, ProposePolicy, RetirePolicy, document_hash
from producers.policy_rules import Facts
from producers.rulebook import Rulebook
from schemas import hashing
from schemas.events import Payload, Recorded
from schemas.names import policy_stream
from tests.worker_events import commit

Pool = asyncpg.Pool
OWNER, OTHER = "user:41", "user:42"
NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
NO_SHELL: Payload = {"name": "a", "deny": [{"rule": "shell", "tools": ["shell"]}]}
TWICE: Payload = {"name": "b", "deny": [{"rule": "twice", "tools": ["pay"], "above_rate": "2/hour"}]}


class Desk:
    """An owner's sets and calls, and what is refused of them."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.log = EventLog(pool, committers=1, clock=lambda: NOON)
        self.rulebook = Rulebook(pool)

    async def activate(self, document: Payload, owner: str = OWNER) -> None:
        items: list[Item[Command]] = [
            Item(ProposePolicy(document)),
            Item(ActivatePolicy(document_hash(document))),
        ]
        await self.log.execute(policies.DECIDER, policy_stream(owner, document["name"]), owner, items)

    async def retire(self, name: str) -> None:
        await self.log.execute(policies.DECIDER, policy_stream(OWNER, name), OWNER, [Item(RetirePolicy())])

    async def called(self, tool: str, at: datetime, *, owner: str = OWNER, type_: str = "tool.call") -> None:
        head = await self.pool.fetchval("select position from log_head")
        payload = {"tool_call_id": f"tc-{head}", "tool_name": tool}
        stream, digest = f"run/run-{head}", hashing.digest(payload)
        event = Recorded(head + 1, "run", stream, 1, type_, 1, owner, payload, digest, {}, at)
        await commit(self.pool, [event])

    async def refused(self, tool: str, at: datetime = NOON, owner: str = OWNER) -> str | None:
        rules, facts = await self.rulebook.consult(owner, Facts(tool, at))
        fired = rules.refusal(facts)
        return fired.rule if fired else None


@pytest.fixture
async def desk(pool: Pool) -> AsyncIterator[Desk]:
    await pool.execute("truncate events, streams, commands")
    desk = Desk(pool)
    yield desk
    await desk.log.close()


async def test_a_set_counts_from_its_activation_to_its_retirement(desk: Desk) -> None:
    assert await desk.refused("shell") is None
    await desk.activate(NO_SHELL)
    assert await desk.refused("shell") == "shell"
    assert await desk.refused("git") is None
    await desk.retire("a")
    assert await desk.refused("shell") is None


async def test_a_newer_version_takes_the_place_of_the_one_before(desk: Desk) -> None:
    await desk.activate(NO_SHELL)
    assert await desk.refused("shell") == "shell"
    await desk.activate({"name": "a", "deny": [{"rule": "git", "tools": ["git"]}]})
    assert (await desk.refused("shell"), await desk.refused("git")) == (None, "git")


async def test_an_owner_has_the_rules_of_all_his_sets_and_of_nobody_else(desk: Desk) -> None:
    await desk.activate(NO_SHELL)
    await desk.activate({"name": "z", "deny": [{"rule": "git", "tools": ["git"]}]})
    await desk.activate({"name": "a", "deny": [{"rule": "all", "tools": ["*"]}]}, owner=OTHER)
    assert [await desk.refused(tool) for tool in ("shell", "git", "mail")] == ["shell", "git", None]
    assert await desk.refused("mail", owner=OTHER) == "all"


async def test_calls_of_the_last_hour_are_counted_and_then_forgotten(desk: Desk) -> None:
    await desk.activate(TWICE)
    await desk.called("pay", NOON - timedelta(minutes=30))
    await desk.called("mail", NOON - timedelta(minutes=20))
    await desk.called("pay", NOON - timedelta(minutes=20), owner=OTHER)
    assert await desk.refused("pay") is None
    await desk.called("pay", NOON)
    assert await desk.refused("pay") == "twice"
    assert await desk.refused("pay", owner=OTHER) is None
    assert await desk.refused("pay", NOON + timedelta(minutes=31)) is None


async def test_what_was_denied_did_not_go_through(desk: Desk) -> None:
    await desk.activate(TWICE)
    for _ in range(3):
        await desk.called("pay", NOON, type_="policy.decision")
    assert await desk.refused("pay") is None


async def test_a_new_version_of_a_rule_knows_the_calls_before_it(desk: Desk) -> None:
    await desk.activate(TWICE)
    for _ in range(2):
        await desk.called("pay", NOON)
    assert await desk.refused("pay") == "twice"
    await desk.activate({"name": "b", "deny": [{"rule": "thrice", "tools": ["pay"], "above_rate": "3/hour"}]})
    assert await desk.refused("pay") is None
    await desk.called("pay", NOON)
    assert await desk.refused("pay") == "thrice"


async def test_who_asks_at_once_is_told_the_same(desk: Desk) -> None:
    """Nothing is counted twice."""
    await desk.activate(TWICE)
    await desk.called("pay", NOON)
    assert await asyncio.gather(*(desk.refused("pay") for _ in range(8))) == [None] * 8
    await desk.called("pay", NOON)
    assert await asyncio.gather(*(desk.refused("pay") for _ in range(8))) == ["twice"] * 8
