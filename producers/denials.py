"""Denials are facts: what a run's log keeps of a reservation that was refused (runtime §1.5, §3.6; ADR 14)."""

from datetime import datetime
from typing import Any, Final

from msgspec import UNSET, structs

from producers import runs, spending
from producers.budgets import Budget
from producers.errors import Rejection
from producers.eventlog.commands import Part, States
from producers.policy import Decision, decision_id, evaluate
from producers.refusals import Denied, DeniedByRule, detail_of, policy_code
from producers.spending import Reserve, Target, Writes
from schemas import reasons
from schemas.amounts import sats_of
from schemas.events import NewEvent, Payload
from schemas.names import budget_stream, ownership_stream, run_stream
from schemas.runs_generated import PolicyBudgetExhausted, PolicyDecision

POLICY_ID: Final = "spend.authorization.v1"


def parts(owner: str, target: Target) -> list[Part]:
    """What `reserve` may touch."""
    return [*spending.reserve_parts(owner, target), Part(run_stream(target.run_id), owner, runs.DECIDER)]


def reserve(states: States, command: Reserve, now: datetime) -> Writes:
    """As `spending.reserve`, but a denial is written into the run's log and not raised.

    The same one twice in a row is raised, and so is one of a run that nobody made: it has no log.
    """
    target = command.target
    try:
        return spending.reserve(states, command, now)
    except Denied as denied:
        told = facts(denied, target, states[budget_stream(target.authorization_id)], sats_of(command.amount_msats))
        run = states[run_stream(target.run_id)]
        if states[ownership_stream(target.run_id)] is None or (
            run is not None and run.last_decision_id == told[0].body()["policy_decision_id"]
        ):
            raise
        return [(run_stream(target.run_id), event) for event in told]


def facts(rejection: Rejection, target: Target, budget: Budget | None, amount_sats: int | None) -> list[NewEvent]:
    """What the run's log keeps: the decision with what it was made from, and once more when money is used up.

    `budget` is the authorization's, also when one above it refused; `amount_sats` is what was asked for.
    """
    decision = denial(rejection, target, budget)
    code = decision.reason_code
    told: dict[str, Any] = {
        "decision": decision.decision,
        "reason_code": code,
        "tool_call_id": target.tool_call_id,
        "authorization_id": target.authorization_id or UNSET,
        "authorization_mode": budget.terms.mode if budget else UNSET,
        "budget": decision.budget,
        "policy_decision_id": decision_id(
            target.run_id, target.tool_call_id, code, target.authorization_id, decision.budget
        ),
        "amount_sats": UNSET if amount_sats is None else amount_sats,
        "detail": detail_of(rejection),
        "rule": decision.rule.told() if decision.rule else UNSET,
        "inputs": decision.inputs() | _more(rejection),
    }
    fact = PolicyDecision(**told)
    return [fact, PolicyBudgetExhausted(**told)] if code == reasons.BUDGET_EXHAUSTED else [fact]


def denial(rejection: Rejection, target: Target, budget: Budget | None) -> Decision:
    """The ledger's refusal as policy sees it (runtime §3.1)."""
    asked, snapshot = policy_of(target.authorization_id, budget), budget.snapshot if budget else {}
    if isinstance(rejection, DeniedByRule):
        return evaluate(asked, snapshot, {}, *rejection.consulted)
    return evaluate(asked | {"decision": "denied", "reason_code": policy_code(rejection)}, snapshot, {})


def allowance(command: Reserve, held: Budget) -> Decision:
    """What the budget was asked before it held this."""
    before = structs.replace(held, held_msats=held.held_msats - command.amount_msats)
    return evaluate(policy_of(before.authorization_id, before), before.snapshot, {})


def policy_of(authorization_id: str, budget: Budget | None) -> Payload:
    """What the evaluator is asked (runtime §3.3)."""
    mode = {"authorization_mode": budget.terms.mode} if budget else {}
    return {"policy_id": POLICY_ID, "authorization_id": authorization_id, **mode}


def _more(rejection: Rejection) -> Payload:
    """What was decided on besides the contract's inputs."""
    if isinstance(rejection, DeniedByRule):
        return {"facts": rejection.consulted.facts.told()}
    by = rejection.by if isinstance(rejection, Denied) else None
    return {"refused_by": {"authorization_id": by.authorization_id, **by.snapshot}} if by else {}
