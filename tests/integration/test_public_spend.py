"""Budgets on the public API: how they stand, what they hold, what they refused and why (docs/budgets.md)."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from ops.run_records import RunRecords
from producers import policies
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.policies import ActivatePolicy, Command, ProposePolicy, document_hash
from schemas.names import policy_stream, user_owner
from tests.nodes import Caller, Node, node
from tests.run_calls import RunCalls
from tests.spend_calls import SpendCalls

Pool = asyncpg.Pool
SPEND = "/runtime/spend/authorizations"


@pytest.fixture
async def here(pool: "Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


async def budget(caller: Caller, **terms: Any) -> SpendCalls:
    """Made on the public API, with a run of its own; money moves on the signed one."""
    name = uuid.uuid4().hex
    spend = SpendCalls(caller, f"auth_{name}", f"run_{name}")
    made = await caller.public("POST", SPEND, json={"authorization_id": spend.authorization_id} | terms)
    assert made.status_code == 202, made.text
    await RunCalls(caller, spend.run_id).create()
    return spend


async def read(spend: SpendCalls, suffix: str = "", **query: Any) -> Any:
    answer = await spend.caller.public("GET", f"{SPEND}/{spend.authorization_id}{suffix}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def listing(caller: Caller) -> list[dict[str, Any]]:
    answer = await caller.public("GET", SPEND)
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def names_of(found: list[dict[str, Any]]) -> list[str]:
    return [each["authorization_id"] for each in found]


async def tell(pool: "Pool[Any]", caller: Caller, *commands: Command) -> None:
    """The caller's policy set `careful`."""
    owner, log = user_owner(caller.user_id), EventLog(pool, committers=1)
    try:
        await log.execute(policies.DECIDER, policy_stream(owner, "careful"), owner, [Item(each) for each in commands])
    finally:
        await log.close()


async def test_a_budget_says_how_it_stands(here: Node) -> None:
    """Runtime §1.8, §3.3: what the signed API says, and besides whether it counts and what today took of it."""
    spend = await budget(here.ada, max_total_sats=100, max_per_day_sats=50, metadata={"team": "desk"})
    await spend.reserve("a", 30)
    await spend.settle("commit", "a", amount_sats=10)
    await spend.reserve("b", 20)
    told = await read(spend)
    assert {name: told[name] for name in ("spent_sats", "reserved_sats", "remaining_sats", "today_sats")} == {
        "spent_sats": 10,
        "reserved_sats": 20,
        "remaining_sats": 70,
        "today_sats": 30,
    }
    signed = await spend.get()
    assert {name: told[name] for name in signed} == signed
    assert (told["status"], told["above"], told["below"]) == ("active", [], [])
    [listed] = [one for one in await listing(here.ada) if one["authorization_id"] == spend.authorization_id]
    assert listed == {name: told[name] for name in listed}


async def test_revoked_and_expired_budgets_say_so(here: Node) -> None:
    spend = await budget(here.ada)
    for status, reason in ((202, "enough"), (200, "again")):
        answer = await here.ada.public("POST", f"{SPEND}/{spend.authorization_id}/revoke", json={"reason": reason})
        assert answer.status_code == status
    assert (await read(spend))["status"] == "revoked"
    assert (await read(await budget(here.ada, expires_at="2020-01-01T00:00:00Z")))["status"] == "expired"


async def test_a_path_is_told_from_both_ends(here: Node) -> None:
    root = await budget(here.ada, max_total_sats=100)
    middle = await budget(here.ada, parent_authorization_id=root.authorization_id)
    leaf = await budget(here.ada, parent_authorization_id=middle.authorization_id)
    told = await read(leaf)
    assert names_of(told["above"]) == [root.authorization_id, middle.authorization_id]
    assert names_of((await read(middle))["below"]) == [leaf.authorization_id]
    await leaf.reserve("a", 5)
    assert (await read(root))["below"][0]["reserved_sats"] == 5


async def test_holds_are_told_on_the_whole_path(here: Node) -> None:
    """Runtime §3.5: open until they are settled, then as what became of them."""
    root = await budget(here.ada)
    leaf = await budget(here.ada, parent_authorization_id=root.authorization_id)
    for call in ("paid", "back", "open"):
        await leaf.reserve(call, 9, metadata={"tool": call})
    await leaf.settle("commit", "paid", amount_sats=4)
    await leaf.settle("release", "back", failure_reason="timeout")
    for spend in (root, leaf):
        [held] = await read(spend, "/holds")
        assert (held["tool_call_id"], held["state"], held["amount_sats"]) == ("open", "reserved", 9)
        assert (held["metadata"], held["authorization_id"]) == ({"tool": "open"}, leaf.authorization_id)
        settled = await read(spend, "/holds", state="settled")
        told = [(each["tool_call_id"], each["state"], each["spent_sats"], each["failure_reason"]) for each in settled]
        assert told == [("back", "released", None, "timeout"), ("paid", "committed", 4, None)]
        assert len(await read(spend, "/holds", state="settled", limit=1)) == 1


async def test_a_denial_tells_its_reason_and_who_refused(here: Node) -> None:
    """Runtime §3.6: on the budget that was asked, and on the one above it that refused."""
    root = await budget(here.ada, max_total_sats=10)
    leaf = await budget(here.ada, parent_authorization_id=root.authorization_id, max_per_call_sats=20)
    other = await budget(here.ada)
    await leaf.reserve("dear", 21)
    await leaf.reserve("too much", 15)
    [above, own] = await read(leaf, "/denials")
    assert [above["detail"], own["detail"]] == ["over_budget", "per_call"]
    assert own["reason_code"] == "policy_denied.budget_exhausted"
    assert (own["run_id"], own["seq"], own["tool_call_id"], own["amount_sats"]) == (leaf.run_id, 1, "dear", 21)
    assert own["inputs"]["refused_by"]["authorization_id"] == leaf.authorization_id
    assert own["same_again"] is True
    assert await read(root, "/denials") == [above]
    assert await read(leaf, "/denials", limit=1) == [above]
    assert await read(other, "/denials") == []


async def test_a_denial_tells_the_rule_that_fired_as_it_was_written(here: Node, pool: "Pool[Any]") -> None:
    """Runtime §3.1, §3.6: of the version that counted then."""
    rule = {"rule": "no-shell", "tools": ["shell"], "why": "nobody watches"}
    document = {"name": "careful", "deny": [rule]}
    await tell(pool, here.bob, ProposePolicy(document), ActivatePolicy(document_hash(document)))
    spend = await budget(here.bob)
    await spend.reserve("a", 5, metadata={"tool": "shell"})
    [denied] = await read(spend, "/denials")
    assert denied["rule"] == {"set": "careful", "version": 1, "rule": "no-shell"}
    assert denied["rule_text"] == rule
    assert denied["inputs"]["facts"]["tool"] == "shell"
    assert "nobody watches" in denied["detail"]


async def test_what_a_client_wrote_into_a_run_is_no_denial(here: Node, pool: "Pool[Any]") -> None:
    spend = await budget(here.ada)
    told = {"authorization_id": spend.authorization_id, "reason_code": "policy_denied.explicit_deny"}
    await RunRecords(pool, "ada").append(spend.run_id, "policy.decision", told)
    assert await read(spend, "/denials") == []


async def test_nobody_sees_somebody_elses(here: Node) -> None:
    """As for workers: 403; there is no such budget: 404."""
    spend = await budget(here.ada)
    for suffix in ("", "/holds", "/holds?state=settled", "/denials"):
        answer = await here.bob.public("GET", f"{SPEND}/{spend.authorization_id}{suffix}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        assert (await here.bob.public("GET", f"{SPEND}/nobodys{suffix}")).status_code == 404
    revoked = await here.bob.public("POST", f"{SPEND}/{spend.authorization_id}/revoke", json={})
    assert revoked.status_code == 403
    assert spend.authorization_id not in names_of(await listing(here.bob))
