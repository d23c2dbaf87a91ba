"""What callers see of budgets and holds: sats, rounded up (runtime §1.8, §3.3; DEC-50)."""

from datetime import UTC, datetime
from typing import Any

from producers.budgets import Budget
from producers.holds import Hold
from producers.policy_explanation import Explanation
from schemas.amounts import sats_of
from schemas.events import Payload
from schemas.names import owner_guest_scope, owner_user_id
from schemas.times import iso6


def authorization(budget: Budget) -> dict[str, Any]:
    terms = budget.terms
    return {
        "authorization_id": budget.authorization_id,
        "owner_user_id": owner_user_id(budget.owner),
        "owner_guest_scope": owner_guest_scope(budget.owner),
        "run_id": terms.run_id,
        "thread_id": terms.thread_id,
        "autopilot_id": terms.autopilot_id,
        "parent_authorization_id": terms.parent_authorization_id,
        "path": list(budget.path),
        "mode": terms.mode,
        **snapshot(budget),
        "issued_at": iso6(budget.issued_at),
        "expires_at": _moment(terms.expires_at),
        "revoked_at": _moment(budget.revoked_at),
    }


def card(budget: Budget, now: datetime) -> dict[str, Any]:
    """For its owner: besides the terms how it stands, and what was held or spent on this UTC day."""
    today = budget.days.get(now.astimezone(UTC).date().isoformat(), 0)
    return {**authorization(budget), "status": _status(budget, now), "today_sats": sats_of(today)}


def _status(budget: Budget, now: datetime) -> str:
    if budget.revoked_at:
        return "revoked"
    expires_at = budget.terms.expires_at
    return "expired" if expires_at and expires_at <= now else "active"


def snapshot(budget: Budget) -> dict[str, Any]:
    """The budget snapshot of runtime §3.3."""
    terms = budget.terms
    return {
        "max_total_sats": terms.max_total_sats,
        "max_per_call_sats": terms.max_per_call_sats,
        "max_per_day_sats": terms.max_per_day_sats,
        "threshold_sats": terms.threshold_sats,
        **budget.snapshot,
    }


def attached(authorized: Payload) -> dict[str, Any]:
    """What is not in a budget's state, because every hold writes that."""
    return {name: authorized.get(name, {}) for name in ("constraints", "metadata")}


def reservation(hold: Hold) -> dict[str, Any]:
    return {
        "authorization_id": hold.authorization_id,
        "run_id": hold.run_id,
        "tool_call_id": hold.tool_call_id,
        "state": hold.status,
        "amount_sats": sats_of(hold.amount_msats),
        "spent_sats": None if hold.spent_msats is None else sats_of(hold.spent_msats),
        "retry_class": hold.retry_class,
        "approved": hold.approved,
        "provider_correlation_id": hold.provider_correlation_id,
        "provider_idempotency_key": hold.provider_idempotency_key,
        "failure_reason": hold.reason,
        "metadata": hold.metadata,
        "reserved_at": iso6(hold.reserved_at),
        "committed_at": _moment(hold.committed_at),
        "released_at": _moment(hold.released_at),
        "reconciled_at": _moment(hold.reconciled_at),
    }


def metered(hold: Hold) -> dict[str, Any]:
    """With what was used of it so far (docs/charging.md)."""
    return {**reservation(hold), "charged_sats": sats_of(hold.charged_msats), "touched_at": iso6(hold.touched_at)}


def denial(explanation: Explanation, seq: int) -> dict[str, Any]:
    """A `policy.decision` of a run's log: code, detail and inputs as they were written, the rule also as it reads."""
    told = explanation.told
    return {
        "run_id": explanation.run_id,
        "seq": seq,
        "decided_at": explanation.at,
        **{name: told.get(name) for name in _OF_DENIALS},
        "rule_text": explanation.rule,
        "same_again": explanation.again,
    }


_OF_DENIALS = (
    *("policy_decision_id", "authorization_id", "tool_call_id", "amount_sats"),
    *("reason_code", "detail", "rule", "inputs", "budget"),
)


def _moment(at: datetime | None) -> str | None:
    return iso6(at) if at else None
