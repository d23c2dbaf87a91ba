"""Budgets on the signed API, against the real log (runtime §1.8, §3.3–3.5, §2.18; DEC-28, 29, 36, 50)."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY

from processors.audit.ledgers import ledger_differences
from producers.eventlog.reader import LogReader
from producers.eventlog.timers import Timers
from producers.nouns import DECIDERS
from schemas.names import run_stream
from tests.nodes import Caller, Node, node
from tests.run_calls import RunCalls
from tests.spend_calls import SpendCalls

Pool = asyncpg.Pool


@pytest.fixture
async def here(pool: "Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


def calls(caller: Caller, **more: Any) -> SpendCalls:
    """On an authorization and a run of one's own."""
    name = uuid.uuid4().hex
    return SpendCalls(caller, f"auth_{name}", f"run_{name}", **more)


def reasons(answer: httpx.Response) -> list[str]:
    return [detail["reason_code"] for detail in answer.json()["error"]["details"]]


async def test_an_authorization_is_made_once_and_found_again(here: Node) -> None:
    """Runtime §1.8, §1.10, §3.3."""
    spend = calls(here.ada)
    fields = {"max_total_sats": 100, "metadata": {"team": "desk"}, "expires_at": "2036-01-01T01:00:00+01:00"}
    made, again = await spend.authorize(**fields), await spend.authorize(**fields)
    assert (made.status_code, again.status_code) == (202, 200)
    told = made.json()["data"]
    assert told == {
        "authorization_id": spend.authorization_id,
        "owner_user_id": here.ada.user_id,
        "owner_guest_scope": None,
        "run_id": None,
        "thread_id": None,
        "autopilot_id": None,
        "parent_authorization_id": None,
        "path": [spend.authorization_id],
        "mode": "delegated_budget",
        "max_total_sats": 100,
        "max_per_call_sats": None,
        "max_per_day_sats": None,
        "threshold_sats": None,
        "spent_sats": 0,
        "reserved_sats": 0,
        "remaining_sats": 100,
        "issued_at": told["issued_at"],
        "expires_at": "2036-01-01T00:00:00.000000Z",
        "revoked_at": None,
        "constraints": {},
        "metadata": {"team": "desk"},
        "idempotent_replay": False,
    }
    assert again.json()["data"] == told | {"idempotent_replay": True}
    other = await spend.authorize(max_total_sats=101)
    assert (other.status_code, reasons(other)) == (409, ["idempotency_conflict"])


async def test_an_authorization_without_an_id_gets_one(here: Node) -> None:
    """Runtime §1.8: `auth_` and 32 hex digits."""
    answer = await here.ada.signed("POST", "/spend/authorizations", json={})
    made = answer.json()["data"]["authorization_id"]
    assert (len(made), made[:5]) == (37, "auth_")
    listed = (await here.ada.signed("GET", "/spend/authorizations")).json()["data"]
    assert listed[0]["authorization_id"] == made
    assert made not in str((await here.bob.signed("GET", "/spend/authorizations")).json())


async def test_a_hold_is_committed_and_another_released(here: Node) -> None:
    """Runtime A.4, §2.18: what is read follows what was answered."""
    spend = calls(here.ada)
    await spend.authorize(max_total_sats=100)
    a = await spend.reserve("A", 70, metadata={"tool": "t"}, retry_class="safe_retry")
    assert a.status_code == 202
    told = a.json()["data"]
    assert told["budget"] == {
        "max_total_sats": 100,
        "max_per_call_sats": None,
        "max_per_day_sats": None,
        "threshold_sats": None,
        "spent_sats": 0,
        "reserved_sats": 70,
        "remaining_sats": 30,
    }
    assert (told["state"], told["amount_sats"], told["idempotent_replay"]) == ("reserved", 70, False)
    assert (await spend.reserve("A", 70)).status_code == 200
    over = await spend.reserve("B", 40)
    assert (over.status_code, over.json()["error"]["code"]) == (409, "conflict")
    assert reasons(over) == ["over_budget", "policy_denied.budget_exhausted"]
    assert (await spend.reserve("B", 30)).status_code == 202
    committed = await spend.settle("commit", "A", provider_correlation_id="c")
    assert (committed.status_code, committed.json()["data"]["state"]) == (202, "committed")
    assert (await spend.settle("commit", "A")).status_code == 200
    assert [hold["tool_call_id"] for hold in await spend.open_reservations()] == ["B"]
    assert (await spend.settle("release", "B", failure_reason="crash")).json()["data"]["failure_reason"] == "crash"
    read = await spend.get()
    assert (read["spent_sats"], read["reserved_sats"], read["remaining_sats"]) == (70, 0, 30)
    assert reasons(await spend.reserve("A", 70))[0] == "already_finalized"
    assert reasons(await spend.settle("release", "A")) == ["invalid_transition"]
    assert await spend.open_reservations() == []


async def test_bad_input_and_what_is_not_there_have_the_ledgers_codes(here: Node) -> None:
    """Runtime §3.5."""
    spend = calls(here.ada)
    nobody = await spend.reserve("a", 5)
    assert (nobody.status_code, reasons(nobody)) == (404, ["authorization_not_found"])
    await spend.authorize()
    amount, retry_class = await spend.reserve("a", 0), await spend.reserve("a", 5, retry_class="always")
    assert (amount.status_code, reasons(amount)) == (400, ["invalid_amount"])
    assert (retry_class.status_code, reasons(retry_class)) == (400, ["invalid_retry_class"])
    missing = await spend.settle("commit", "nobody")
    assert (missing.status_code, reasons(missing)) == (404, ["reservation_not_found"])


async def test_a_denial_is_in_the_runs_log_before_it_is_answered(here: Node, pool: "Pool[Any]") -> None:
    """ADR 14, runtime §3.6: once, with rule and inputs."""
    spend = calls(here.ada)
    run = RunCalls(here.ada, spend.run_id)
    await run.create()
    await spend.authorize(max_per_call_sats=4)
    for _ in range(2):
        denied = await spend.reserve("a", 5)
        assert (denied.status_code, reasons(denied)) == (409, ["over_budget", "policy_denied.budget_exhausted"])
        assert denied.json()["error"]["details"][0]["path"] == "max_per_call_sats"
    events = await LogReader(pool).read_stream(run_stream(spend.run_id), 0, 10)
    assert [event.type for event in events] == ["policy.decision", "policy.budget_exhausted"]
    assert events[0].payload["detail"] == "per_call"
    assert [data["payload"]["tool_call_id"] for _, data in await run.frames_above(0) if data != "[DONE]"] == ["a"] * 2
    unwritten = calls(here.ada)
    await unwritten.authorize(max_per_call_sats=4)
    assert (await unwritten.reserve("a", 5)).status_code == 409
    assert await LogReader(pool).read_stream(run_stream(unwritten.run_id), 0, 10) == []


async def test_what_is_somebody_elses_is_refused(here: Node) -> None:
    """Runtime §2.3: their authorization, their parent, their run."""
    theirs = calls(here.bob)
    await theirs.authorize()
    assert (await SpendCalls(here.ada, theirs.authorization_id).authorize()).status_code == 403
    assert (await SpendCalls(here.ada, theirs.authorization_id).reserve("a", 5)).status_code == 403
    ours = calls(here.ada)
    assert (await ours.authorize(parent_authorization_id=theirs.authorization_id)).status_code == 403
    await ours.authorize()
    await RunCalls(here.bob, theirs.run_id).create()
    assert (await SpendCalls(here.ada, ours.authorization_id, theirs.run_id).reserve("a", 5)).status_code == 403


async def test_a_path_is_held_together_and_ends_with_its_root(here: Node) -> None:
    """ADR 14, DEC-29."""
    root, leaf = calls(here.ada), calls(here.ada)
    await root.authorize(max_total_sats=5)
    await leaf.authorize(parent_authorization_id=root.authorization_id)
    assert (await leaf.get())["path"] == [root.authorization_id, leaf.authorization_id]
    assert (await leaf.reserve("a", 5)).status_code == 202
    assert (await root.get())["reserved_sats"] == 5
    revoked = await root.revoke(reason="enough")
    assert (revoked.status_code, revoked.json()["data"]["revoked_at"] is not None) == (202, True)
    assert (await root.revoke()).status_code == 200
    denied = await leaf.reserve("b", 5)
    assert reasons(denied) == ["authorization_revoked", "policy_denied.authorization_revoked"]
    assert (await leaf.settle("commit", "a", amount_sats=2)).json()["data"]["spent_sats"] == 2
    assert (await root.get())["spent_sats"] == 2


async def test_an_interactive_call_is_approved_in_its_request(here: Node) -> None:
    """DEC-28."""
    spend = calls(here.ada)
    await spend.authorize(mode="interactive")
    asked = await spend.reserve("a", 5)
    assert reasons(asked) == ["approval_missing", "policy_denied.explicit_deny"]
    assert (await spend.reserve("a", 5, approved=True)).json()["data"]["approved"] is True


@pytest.mark.invariant("I7")
async def test_of_two_at_once_that_are_too_much_one_succeeds(here: Node) -> None:
    """Runtime §3.5."""
    spend = calls(here.ada)
    await spend.authorize(max_total_sats=100)
    answers = await asyncio.gather(*(spend.reserve(str(number), 60) for number in range(2)))
    assert sorted(answer.status_code for answer in answers) == [202, 409]
    assert (await spend.get())["reserved_sats"] == 60


async def test_a_hold_that_nobody_ends_is_found_by_the_timers(here: Node, pool: "Pool[Any]") -> None:
    """DEC-36, runtime §3.5: after 60 seconds."""
    spend = calls(here.ada)
    await spend.authorize()
    await spend.reserve("a", 5)
    await Timers(pool, DECIDERS, lambda: datetime.now(UTC) + timedelta(seconds=50)).sweep()
    assert [hold["state"] for hold in await spend.open_reservations()] == ["reserved"]
    await Timers(pool, DECIDERS, lambda: datetime.now(UTC) + timedelta(seconds=62)).sweep()
    [hold] = await spend.open_reservations()
    assert (hold["state"], hold["failure_reason"]) == ("reconcile_required", "stale_reservation")
    assert (await spend.settle("commit", "a")).json()["data"]["reconciled_at"] is not None


@pytest.mark.invariant("I7")
async def test_the_audit_reads_the_ledger_back(here: Node, pool: "Pool[Any]") -> None:
    """DESIGN I7: silent about what was written, and never about what was not."""
    spend = calls(here.ada)
    await spend.authorize(max_total_sats=10)
    for tool_call_id in ("a", "b"):
        await spend.reserve(tool_call_id, 5)
    await spend.settle("commit", "a", amount_sats=2)
    last = (await LogReader(pool).head()).position
    for after in (0, last - 3, last - 2, last - 1, last):
        assert await ledger_differences(pool, after, lambda _: True) == []
    await pool.execute(
        "update events set payload = replace(payload::text, '2000', '3000')::json where position = $1", last - 1
    )
    [difference] = await ledger_differences(pool, 0, lambda _: True)
    assert f"position {last}" in difference
    assert await ledger_differences(pool, last, lambda _: True) == []
    assert await ledger_differences(pool, 0, lambda events: events < 5) == []


async def test_every_decision_is_counted(here: Node) -> None:
    """DEC-37, runtime §9: with the budget it was made on."""

    def counted(decision: str) -> float:
        labels = {"decision": decision, "authorization_mode": "delegated_budget", "settlement_boundary": "true"}
        return REGISTRY.get_sample_value("openagents_runtime_policy_decision_count_total", labels) or 0.0

    spend = calls(here.ada)
    await spend.authorize(max_total_sats=5)
    before = counted("allowed"), counted("denied")
    for tool_call_id in ("a", "a", "b"):
        await spend.reserve(tool_call_id, 5)
    assert (counted("allowed") - before[0], counted("denied") - before[1]) == (1, 1)
