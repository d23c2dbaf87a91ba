"""Active policy sets are asked before money is held, on the real log (runtime §3.1, §3.6; docs/policy.md)."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from producers import policies
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.policies import ActivatePolicy, Command, ProposePolicy, RetirePolicy, document_hash
from schemas.events import Payload
from schemas.names import policy_stream, run_stream, user_owner
from tests.nodes import Caller, Node, node
from tests.run_calls import RunCalls
from tests.spend_calls import SpendCalls

Pool = asyncpg.Pool


@pytest.fixture
async def here(pool: "Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


async def tell(pool: "Pool[Any]", caller: Caller, name: str, *commands: Command) -> None:
    log, owner = EventLog(pool, committers=1), user_owner(caller.user_id)
    try:
        await log.execute(policies.DECIDER, policy_stream(owner, name), owner, [Item(each) for each in commands])
    finally:
        await log.close()


async def activate(pool: "Pool[Any]", caller: Caller, *deny: Payload) -> None:
    document = {"name": "careful", "deny": list(deny)}
    await tell(pool, caller, "careful", ProposePolicy(document), ActivatePolicy(document_hash(document)))


async def budget_of(caller: Caller) -> SpendCalls:
    """With 1 000 sats, and a run of its own."""
    name = uuid.uuid4().hex
    spend = SpendCalls(caller, f"auth_{name}", f"run_{name}")
    await RunCalls(caller, spend.run_id).create()
    await spend.authorize(max_total_sats=1_000)
    return spend


async def reserved(spend: SpendCalls, call: str, sats: int, **about: Any) -> list[str]:
    """Nothing, or the reasons of the refusal."""
    answer = await spend.reserve(call, sats, metadata=about)
    if answer.status_code == 202:
        return []
    assert answer.status_code == 409, answer.text
    return [detail["reason_code"] for detail in answer.json()["error"]["details"]]


async def test_a_set_is_enforced_while_it_is_active(here: Node, pool: "Pool[Any]") -> None:
    """Of its owner alone; the denial is in the run's log with the rule."""
    await activate(pool, here.ada, {"rule": "inside", "hosts": ["*.internal.example"]})
    spend, theirs = await budget_of(here.ada), await budget_of(here.bob)
    inside = {"tool": "fetch", "url": "https://DB.internal.example/x"}
    assert await reserved(spend, "a", 5, **inside) == ["policy_rule", "policy_denied.explicit_deny"]
    assert await reserved(theirs, "a", 5, **inside) == []
    assert await reserved(spend, "b", 5, tool="fetch", host="example.com") == []
    [event] = await LogReader(pool).read_stream(run_stream(spend.run_id), 0, 10)
    assert event.payload["rule"] == {"set": "careful", "version": 1, "rule": "inside"}
    await tell(pool, here.ada, "careful", RetirePolicy())
    assert await reserved(spend, "a", 5, **inside) == []


async def test_a_rate_counts_the_reservations_before(here: Node, pool: "Pool[Any]") -> None:
    await activate(pool, here.ada, {"rule": "twice", "tools": ["mail.*"], "above_rate": "2/day"})
    spend = await budget_of(here.ada)
    tools = ["mail.send", "pay", "mail.read", "pay", "mail.send"]
    answers = [await reserved(spend, str(number), 1, tool=tool) for number, tool in enumerate(tools)]
    assert answers == [[], [], [], [], ["policy_rule", "policy_denied.budget_exhausted"]]


async def test_a_denial_by_a_rule_is_counted(here: Node, pool: "Pool[Any]") -> None:
    """DEC-37, runtime §9."""
    labels = {"decision": "denied", "authorization_mode": "delegated_budget", "settlement_boundary": "true"}

    def denied() -> float:
        return REGISTRY.get_sample_value("openagents_runtime_policy_decision_count_total", labels) or 0.0

    await activate(pool, here.ada, {"rule": "no", "tools": ["*"]})
    spend, before = await budget_of(here.ada), denied()
    await reserved(spend, "a", 5)
    assert denied() == before + 1
