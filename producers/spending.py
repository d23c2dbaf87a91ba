"""Spending: money is held on every budget of a path before its effect, then spent or given back (runtime §3.4, §3.5).

The rules are pure and joint (ADR 14): a command names a hold and the budgets it is taken on, root first, and writes all
of them or none. Nothing but these rules changes a budget's totals.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from producers import budgets, holds, ownership, refusals
from producers.budgets import Budget
from producers.errors import Conflict, InvalidRequest
from producers.eventlog.commands import Part, States
from producers.holds import Hold, RetryClass
from producers.policy_rules import Consulted
from producers.refusals import Denied, DeniedByRule
from schemas import sanitiser
from schemas.amounts import MAX_SATS, msats_of
from schemas.budgets import BudgetFreed, BudgetHeld, BudgetSpent, HoldCommitted, HoldReleased, HoldReserved
from schemas.events import NewEvent, Payload
from schemas.names import budget_stream, hold_stream, ownership_stream

Writes = list[tuple[str, NewEvent]]

RETRY_CLASSES: Final = ("safe_retry", "dedupe_reconcile_required")
DEFAULT_RETRY_CLASS: Final = "dedupe_reconcile_required"


class Target(msgspec.Struct, frozen=True):
    """The hold that a command is about (runtime §1.8), and the budgets it is taken on, from the root."""

    path: tuple[str, ...]
    run_id: str
    tool_call_id: str

    @property
    def authorization_id(self) -> str:
        return self.path[-1]

    @property
    def hold_id(self) -> str:
        return holds.hold_id(self.authorization_id, self.run_id, self.tool_call_id)

    @property
    def hold(self) -> str:
        return hold_stream(self.hold_id)


class Reserve(msgspec.Struct, frozen=True):
    """`approved`: somebody allowed this very call, None when nobody was asked; `consulted`: the owner's rules."""

    target: Target
    amount_msats: int
    retry_class: RetryClass = "dedupe_reconcile_required"
    approved: bool | None = None
    provider_idempotency_key: str | None = None
    metadata: Payload = {}
    consulted: Consulted | None = None


class Commit(msgspec.Struct, frozen=True):
    """The effect happened; without an amount it cost what was held."""

    target: Target
    amount_msats: int | None = None
    reconciled: bool = False
    provider_correlation_id: str | None = None
    provider_idempotency_key: str | None = None


class Release(msgspec.Struct, frozen=True):
    """The effect did not happen."""

    target: Target
    failure_reason: str | None = None
    reconciled: bool = False


class RequireReconcile(msgspec.Struct, frozen=True):
    """Nobody knows whether the effect happened; the money stays held."""

    target: Target
    reason: str = holds.UNKNOWN_OUTCOME


def parts(owner: str, target: Target) -> list[Part]:
    """What a hold's end writes."""
    of_path = [Part(budget_stream(name), owner, budgets.DECIDER) for name in target.path]
    return [Part(target.hold, owner, holds.DECIDER), *of_path]


def reserve_parts(owner: str, target: Target) -> list[Part]:
    """A run that is somebody else's is nobody's to spend for."""
    return [*parts(owner, target), Part(ownership_stream(target.run_id), owner, ownership.DECIDER)]


def amount_msats_of(amount_sats: Any) -> int:
    """Raises InvalidRequest unless it is a positive integer of sats."""
    if type(amount_sats) is not int or not 0 < amount_sats <= MAX_SATS:
        raise InvalidRequest("amount_sats must be a positive integer", reason_code=refusals.INVALID_AMOUNT)
    return msats_of(amount_sats)


def retry_class_of(name: Any) -> RetryClass:
    """Raises InvalidRequest for a class that there is not."""
    if name not in RETRY_CLASSES:
        raise InvalidRequest(
            f"retry_class must be one of {', '.join(RETRY_CLASSES)}", reason_code=refusals.INVALID_RETRY_CLASS
        )
    return name  # type: ignore[no-any-return]


# --- the ledger (runtime §3.5) --------------------------------------------------------------------------------------


def reserve(states: States, command: Reserve, now: datetime) -> Writes:
    """Held on the whole path, or Denied; a hold that is there already is found again."""
    target = command.target
    path = _path(states, target)
    if (hold := states[target.hold]) is not None:
        _check_again(hold, command)
        return []
    day = now.astimezone(UTC).date().isoformat()
    _check(path, states.get(ownership_stream(target.run_id)), command, day, now)
    _check_rules(path, command)
    held = BudgetHeld(hold_id=target.hold_id, amount_msats=command.amount_msats, day=day)
    return [*((budget_stream(name), held) for name in target.path), (target.hold, _reserved(command, day))]


def commit(states: States, command: Commit, now: datetime) -> Writes:
    """Also of a budget that was revoked or has expired since: what was held before may have its effect (DEC-29)."""
    hold = holds.required(states[command.target.hold])
    if hold.status == "committed":
        return []
    if not hold.is_open or not hold.path:
        raise holds.invalid_transition(hold)
    spent_msats = hold.amount_msats if command.amount_msats is None else command.amount_msats
    if spent_msats > hold.amount_msats:
        raise Conflict("a commit is never larger than its hold", reason_code=refusals.INVALID_AMOUNT)
    spent = BudgetSpent(
        hold_id=command.target.hold_id, held_msats=hold.amount_msats, spent_msats=spent_msats, day=hold.day
    )
    committed = HoldCommitted(
        spent_msats=spent_msats,
        reconciled=command.reconciled or hold.status == "reconcile_required",
        provider_correlation_id=_or_unset(command.provider_correlation_id),
        provider_idempotency_key=_or_unset(command.provider_idempotency_key),
    )
    return [*((budget_stream(name), spent) for name in hold.path), (command.target.hold, committed)]


def release(states: States, command: Release, now: datetime) -> Writes:
    hold = holds.required(states[command.target.hold])
    if hold.status == "released":
        return []
    if not hold.is_open:
        raise holds.invalid_transition(hold)
    freed = BudgetFreed(hold_id=command.target.hold_id, amount_msats=hold.amount_msats, day=hold.day)
    released = HoldReleased(
        reconciled=command.reconciled or hold.status == "reconcile_required",
        failure_reason=_or_unset(sanitiser.sanitise(command.failure_reason)),
    )
    return [*((budget_stream(name), freed) for name in hold.path), (command.target.hold, released)]


def require_reconcile(states: States, command: RequireReconcile, now: datetime) -> Writes:
    told = holds.decide(states[command.target.hold], holds.RequireReconcile(command.reason), now)
    return [(command.target.hold, event) for event in told]


def _path(states: States, target: Target) -> list[Budget]:
    return [budgets.required(states[budget_stream(name)]) for name in target.path]


def _reserved(command: Reserve, day: str) -> HoldReserved:
    target = command.target
    return HoldReserved(
        hold_id=target.hold_id,
        authorization_id=target.authorization_id,
        path=list(target.path),
        run_id=target.run_id,
        tool_call_id=target.tool_call_id,
        amount_msats=command.amount_msats,
        retry_class=command.retry_class,
        day=day,
        metadata=sanitiser.sanitise(command.metadata),
        provider_idempotency_key=_or_unset(command.provider_idempotency_key),
        approved=_or_unset(command.approved),
    )


def _check_again(hold: Hold, command: Reserve) -> None:
    """A hold of the same identity exists."""
    if hold.path and hold.amount_msats != command.amount_msats:
        raise Denied("it was reserved with another amount", budgets.IDEMPOTENCY_CONFLICT)
    if not hold.is_open:
        raise Denied(f"it is {hold.status} already", refusals.ALREADY_FINALIZED)
    if not hold.path or (hold.status, command.retry_class) == ("reconcile_required", "dedupe_reconcile_required"):
        raise Denied("it has to be reconciled first", refusals.RECONCILE_REQUIRED)


# --- what a path allows (runtime §3.3, §3.4; DEC-28, DEC-29) ---------------------------------------------------------


def _check(path: Sequence[Budget], run: Any, command: Reserve, day: str, now: datetime) -> None:
    """One rule after the other, each from the authorization up to the root."""
    thread_id = run.thread_id if run else None
    rules: tuple[Callable[[Budget], Denied | None], ...] = (
        lambda budget: standing(budget, now),
        lambda budget: _scope(budget, command.target.run_id, thread_id),
        lambda budget: _caps(budget, command.amount_msats, day),
        lambda budget: _approval(budget, command),
    )
    for rule in rules:
        for budget in reversed(path):
            if denied := rule(budget):
                raise denied


def _check_rules(path: Sequence[Budget], command: Reserve) -> None:
    """After all that the contract says (docs/policy.md)."""
    if command.consulted and (rule := command.consulted.refusal()):
        raise DeniedByRule(rule, command.consulted, path[-1])


def standing(budget: Budget, now: datetime) -> Denied | None:
    """Revoked, expired or deny, in this order (runtime §3.3); at the very moment counts as after it."""
    if budget.revoked_at is not None and budget.revoked_at <= now:
        return Denied("the authorization was revoked", refusals.REVOKED, budget)
    if budget.terms.expires_at is not None and budget.terms.expires_at <= now:
        return Denied("the authorization has expired", refusals.EXPIRED, budget)
    if budget.terms.mode == "deny":
        return Denied("the authorization denies", refusals.DENY, budget)
    return None


def _scope(budget: Budget, run_id: str, thread_id: str | None) -> Denied | None:
    """A budget of one run or thread pays for no other one."""
    terms = budget.terms
    if terms.run_id not in (None, run_id) or (thread_id is not None and terms.thread_id not in (None, thread_id)):
        return Denied("the authorization is for another run or thread", refusals.OTHER_SCOPE, budget)
    return None


def _caps(budget: Budget, amount_msats: int, day: str) -> Denied | None:
    cap = budget.passed(amount_msats, day)
    return Denied(f"{cap} would be passed", refusals.OVER_BUDGET, budget, cap) if cap else None


def _approval(budget: Budget, command: Reserve) -> Denied | None:
    if budget.asks(command.amount_msats) and command.approved is not True:
        return Denied("the authorization asks for approval of this call", refusals.APPROVAL_MISSING, budget, "approved")
    return None


def _or_unset(value: Any) -> Any:
    return msgspec.UNSET if value is None else value
