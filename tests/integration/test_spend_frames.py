"""Spend requests that come as frames: answered once, with the hold, whoever is told of them how often (ADR 14)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from processors.budgets import SpendFrames
from processors.executor import Executor
from producers import budgets, policies
from producers.budgets import Authorize, Revoke, Terms
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.streams import StreamReader
from producers.policies import ActivatePolicy, ProposePolicy, document_hash
from schemas.events import Payload, Recorded
from schemas.names import budget_stream, policy_stream
from tests.run_log import OWNER, RunLog
from tests.submissions import NOON

Pool = asyncpg.Pool


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


class Desk:
    """Budgets, a run called r that the executor takes its frames of, and who answers them."""

    def __init__(self, pool: "Pool[Any]") -> None:
        self.now = NOON
        self.log = EventLog(pool, clock=lambda: self.now)
        self.run = RunLog(pool, self.log)
        self.executor = Executor(pool, self.log, "a")
        self.frames = SpendFrames(pool, self.log)
        self._streams = StreamReader(pool)
        self._sent = 0

    async def authorize(self, name: str, parent: str | None = None, *, owner: str = OWNER, **terms: Any) -> None:
        self.now += timedelta(seconds=1)
        above = (await self.budget(parent)).path if parent else ()
        command = Authorize(name, (*above, name), Terms(parent_authorization_id=parent, **terms))
        await self.log.execute(budgets.DECIDER, budget_stream(name), owner, [Item(command)])

    async def budget(self, name: str) -> budgets.Budget:
        snapshot = await self._streams.get(budgets.DECIDER, budget_stream(name))
        assert snapshot
        return snapshot.state

    async def totals(self, name: str) -> tuple[int, int]:
        """Spent and held, in sats."""
        budget = await self.budget(name)
        return budget.spent_sats, budget.reserved_sats

    async def send(self, payload: Payload, run_id: str = "r") -> list[Recorded]:
        """What the run's log says of the frame, before somebody answers."""
        self._sent += 1
        frames = await self.run.send(run_id, f"f-{self._sent}", "spend_request", payload)
        await self.executor.react(frames)
        told = await self.run.told(run_id)
        return [event for event in told if event.payload.get("frame_id") == f"f-{self._sent}"]

    async def ask(self, operation: str, call: str = "tc", *, run_id: str = "r", **fields: Any) -> Payload:
        consumed = await self.send({"operation": operation, "tool_call_id": call} | fields, run_id)
        return await self.answer(consumed)

    async def answer(self, consumed: Sequence[Recorded]) -> Payload:
        await self.frames.react(consumed)
        answers = [event.payload for event in await self.run.told(consumed[0].stream[4:]) if _answers(event, consumed)]
        assert len(answers) == 1
        return answers[0]


def _answers(event: Recorded, consumed: Sequence[Recorded]) -> bool:
    return event.type == "spend.answered" and event.payload["frame_id"] == consumed[0].payload["frame_id"]


@pytest.fixture
async def desk(pool: "Pool[Any]") -> AsyncIterator[Desk]:
    desk = Desk(pool)
    await desk.run.create("r")
    yield desk
    await desk.log.close()


def decisions(decision: str) -> float:
    labels = {"decision": decision, "authorization_mode": "delegated_budget", "settlement_boundary": "true"}
    return REGISTRY.get_sample_value("openagents_runtime_policy_decision_count_total", labels) or 0.0


async def test_a_hold_is_taken_and_answered_in_one_transaction(desk: Desk) -> None:
    """runtime §3.5, ADR 14: with the frame's id, on every budget of the path"""
    await desk.authorize("root", max_total_sats=100)
    await desk.authorize("leaf", "root")
    answered = await desk.ask("reserve", authorization_id="leaf", amount_sats=70)
    assert answered == {
        "frame_id": "f-1",
        "tool_call_id": "tc",
        "operation": "reserve",
        "ok": True,
        "reservation": {
            "authorization_id": "leaf",
            "run_id": "r",
            "tool_call_id": "tc",
            "state": "reserved",
            "amount_sats": 70,
            "spent_sats": None,
        },
    }
    assert (await desk.totals("root"), await desk.totals("leaf")) == ((0, 70), (0, 70))
    [held, _, reserved, answer] = (await desk.run.everything())[-4:]
    assert (held.stream, reserved.type, answer.type) == ("budget/root", "hold.reserved", "spend.answered")
    assert held.recorded_at == answer.recorded_at


@pytest.mark.parametrize(
    ("operation", "state", "totals"),
    [("commit", "committed", (70, 0)), ("release", "released", (0, 0)), ("reconcile_required", None, (0, 70))],
)
async def test_a_hold_is_settled(desk: Desk, operation: str, state: str | None, totals: tuple[int, int]) -> None:
    """runtime §3.5: the same rules as the signed API's"""
    await desk.authorize("a")
    await desk.ask("reserve", authorization_id="a", amount_sats=70)
    answered = await desk.ask(operation, authorization_id="a")
    assert (answered["ok"], answered["reservation"]["state"]) == (True, state or "reconcile_required")
    assert await desk.totals("a") == totals


async def test_a_commit_may_be_smaller_and_never_larger_than_its_hold(desk: Desk) -> None:
    """DEC-50"""
    await desk.authorize("a")
    await desk.ask("reserve", authorization_id="a", amount_sats=70)
    larger = await desk.ask("commit", authorization_id="a", amount_sats=71)
    assert (larger["ok"], larger["reason_code"]) == (False, "invalid_amount")
    smaller = await desk.ask("commit", authorization_id="a", amount_sats=50, provider_correlation_id="p-1")
    assert smaller["reservation"]["spent_sats"] == 50
    assert await desk.totals("a") == (50, 0)


async def test_a_frame_is_answered_once_however_often_it_is_told(desk: Desk, pool: "Pool[Any]") -> None:
    """ADR 14: at least once told, exactly once answered, also by two processes at once"""
    await desk.authorize("a")
    consumed = await desk.send(
        {"operation": "reserve", "tool_call_id": "tc", "authorization_id": "a", "amount_sats": 70}
    )
    elsewhere = EventLog(pool, clock=lambda: NOON)
    others = [SpendFrames(pool, elsewhere), desk.frames, desk.frames]
    await asyncio.gather(*(one.react(consumed) for one in others))
    await SpendFrames(pool, elsewhere).react(consumed)
    await elsewhere.close()
    assert await desk.run.types("r") == ["run.started", "run.frame_consumed", "spend.answered"]
    assert await desk.totals("a") == (0, 70)


async def test_an_answer_stays_what_it_was(desk: Desk) -> None:
    """ADR 14: a reservation that is told again after its commit was answered before"""
    await desk.authorize("a")
    reserve = await desk.send(
        {"operation": "reserve", "tool_call_id": "tc", "authorization_id": "a", "amount_sats": 70}
    )
    before = await desk.answer(reserve)
    await desk.ask("commit", authorization_id="a")
    assert await desk.answer(reserve) == before
    assert await desk.totals("a") == (70, 0)


async def test_what_is_refused_is_a_fact_and_an_answer(desk: Desk) -> None:
    """runtime §3.6, DEC-37: 103 with policy.budget_exhausted; the same again is told once"""
    await desk.authorize("a", max_total_sats=100)
    before = decisions("denied")
    for call in ("tc", "tc"):
        answered = await desk.ask("reserve", call, authorization_id="a", amount_sats=101)
        assert (answered["ok"], answered["reason_code"]) == (False, "over_budget")
        assert "reservation" not in answered
    types = await desk.run.types("r")
    assert types[2:] == [
        *("policy.decision", "policy.budget_exhausted", "spend.answered"),
        *("run.frame_consumed", "spend.answered"),
    ]
    assert decisions("denied") - before == 2
    assert await desk.totals("a") == (0, 0)


async def test_what_is_allowed_is_counted_once(desk: Desk) -> None:
    """DEC-37"""
    await desk.authorize("a")
    before = decisions("allowed")
    for _ in range(2):
        await desk.ask("reserve", authorization_id="a", amount_sats=70)
    assert decisions("allowed") - before == 1


MALFORMED: dict[str, tuple[Payload, str]] = {
    "no operation": ({"tool_call_id": "tc"}, "invalid_request"),
    "another operation": ({"operation": "steal", "tool_call_id": "tc"}, "invalid_request"),
    "an operation that is no word": ({"operation": {}, "tool_call_id": "tc"}, "invalid_request"),
    "no call": ({"operation": "reserve"}, "invalid_request"),
    "a call of no characters": ({"operation": "reserve", "tool_call_id": ""}, "invalid_request"),
    "a call that does not print": ({"operation": "reserve", "tool_call_id": "a\nb"}, "invalid_request"),
    "a call too long": ({"operation": "reserve", "tool_call_id": "x" * 256}, "invalid_request"),
    "no amount": ({"operation": "reserve", "tool_call_id": "tc", "authorization_id": "a"}, "invalid_amount"),
    "an amount that is no number": (
        {"operation": "reserve", "tool_call_id": "tc", "authorization_id": "a", "amount_sats": "7"},
        "invalid_amount",
    ),
    "a commit below nothing": (
        {"operation": "commit", "tool_call_id": "tc", "authorization_id": "a", "amount_sats": -1},
        "invalid_request",
    ),
    "another class": (
        {
            "operation": "reserve",
            "tool_call_id": "tc",
            "authorization_id": "a",
            "amount_sats": 7,
            "retry_class": "x",
        },
        "invalid_retry_class",
    ),
    "nobody's authorization": (
        {"operation": "reserve", "tool_call_id": "tc", "authorization_id": "none", "amount_sats": 7},
        "authorization_not_found",
    ),
    "somebody else's authorization": (
        {"operation": "reserve", "tool_call_id": "tc", "authorization_id": "theirs", "amount_sats": 7},
        "forbidden",
    ),
    "no hold": ({"operation": "commit", "tool_call_id": "none", "authorization_id": "a"}, "reservation_not_found"),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_cannot_be_asked_is_answered_too(desk: Desk, name: str) -> None:
    """runtime §3.5, §3.6: with a reason, and nothing is held"""
    payload, reason = MALFORMED[name]
    await desk.authorize("a")
    await desk.authorize("theirs", owner="user:42")
    answered = await desk.answer(await desk.send(payload))
    assert (answered["ok"], answered["reason_code"]) == (False, reason)
    assert await desk.totals("a") == (0, 0)
    denied = "policy.decision" in await desk.run.types("r")
    assert denied == (payload.get("operation") == "reserve")


async def test_what_would_not_fit_into_an_event_is_answered(desk: Desk) -> None:
    """DEC-49: the hold's copy of what the frame says is an event of its own"""
    await desk.authorize("a" * 200)
    large = {"x": "y" * (512 * 1024 - 500)}
    answered = await desk.ask("reserve", authorization_id="a" * 200, amount_sats=7, metadata=large)
    assert (answered["ok"], answered["reason_code"]) == (False, "invalid_request")


async def test_frames_of_other_types_and_what_clients_write_ask_for_nothing(desk: Desk) -> None:
    asked = {"operation": "reserve", "tool_call_id": "tc", "amount_sats": 7}
    await desk.executor.react(await desk.run.send("r", "f-1", "note", asked))
    told = {"frame_id": "f-2", "frame_type": "spend_request", "payload": asked}
    await desk.run.append("r", "run.frame_consumed", told)
    await desk.frames.react(await desk.run.told("r"))
    assert "spend.answered" not in await desk.run.types("r")


# --- which authorization pays ----------------------------------------------------------------------------------------


async def test_without_an_authorization_the_narrowest_scope_pays(desk: Desk) -> None:
    """runtime §3.3: run, then thread, then autopilot, then the newest"""
    order = ["newer", "auto", "thread", "run"]
    scopes: list[dict[str, Any]] = [{}, {"autopilot_id": "p"}, {"thread_id": "thr_demo"}, {"run_id": "r"}]
    await desk.authorize("older")
    for number, (name, scope) in enumerate(zip(order, scopes, strict=True)):
        await desk.authorize(name, **scope)
        answered = await desk.ask("reserve", f"tc-{number}", amount_sats=1, autopilot_id="p")
        assert answered["reservation"]["authorization_id"] == name


async def test_what_is_of_others_never_pays(desk: Desk) -> None:
    """runtime §3.3: null or equal, and an autopilot's only when it asks"""
    await desk.authorize("run", run_id="s")
    await desk.authorize("thread", thread_id="thr_other")
    await desk.authorize("auto", autopilot_id="p")
    await desk.authorize("owner", owner="user:42")
    answered = await desk.ask("reserve", amount_sats=1)
    assert answered["reason_code"] == "authorization_missing"
    [decision] = [event.payload for event in await desk.run.told("r") if event.type == "policy.decision"]
    assert decision["reason_code"] == "policy_denied.authorization_missing"
    assert "authorization_id" not in decision


async def test_there_is_no_fallback_to_a_broader_authorization(desk: Desk) -> None:
    """runtime §3.3: only the winner is evaluated; DEC-29"""
    await desk.authorize("broad")
    await desk.authorize("narrow", run_id="r")
    await desk.log.execute(budgets.DECIDER, budget_stream("narrow"), OWNER, [Item(Revoke())])
    answered = await desk.ask("reserve", amount_sats=1)
    assert answered["reason_code"] == "authorization_revoked"


async def test_a_call_is_settled_where_it_is_held(desk: Desk) -> None:
    """runtime §3.3, §3.5: whatever was authorized since"""
    await desk.authorize("older")
    await desk.ask("reserve", amount_sats=7)
    await desk.authorize("newer", run_id="r")
    again = await desk.ask("reserve", amount_sats=7)
    committed = await desk.ask("commit")
    assert [one["reservation"]["authorization_id"] for one in (again, committed)] == ["older", "older"]
    assert await desk.totals("older") == (7, 0)


async def test_an_owners_rules_are_asked_too(desk: Desk) -> None:
    """runtime §3.1, docs/policy.md: the denial is in the run's log, with the rule"""
    document = {"name": "careful", "deny": [{"rule": "dear", "tools": ["pay"], "above_sats": 10}]}
    commands: list[policies.Command] = [ProposePolicy(document), ActivatePolicy(document_hash(document))]
    items = [Item(command) for command in commands]
    await desk.log.execute(policies.DECIDER, policy_stream(OWNER, "careful"), OWNER, items)
    await desk.authorize("auth", max_total_sats=100)
    about: Payload = {"authorization_id": "auth", "metadata": {"tool": "pay"}}
    answered = await desk.ask("reserve", "dear", amount_sats=11, **about)
    assert (answered["ok"], answered["reason_code"]) == (False, "policy_rule")
    [decision] = [event for event in await desk.run.told("r") if event.type == "policy.decision"]
    assert decision.payload["rule"] == {"set": "careful", "version": 1, "rule": "dear"}
    assert (await desk.ask("reserve", "cheap", amount_sats=10, **about))["ok"]
