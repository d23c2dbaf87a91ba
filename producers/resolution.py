"""Which authorization a run spends by: the most particular one of its owner, and no other when that says no (§3.3)."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from producers import refusals
from producers.budgets import Budget
from producers.denials import policy_of
from producers.errors import Conflict, NotFound
from producers.ownership import Ownership
from producers.policy import Decision, evaluate
from producers.refusals import Denied
from producers.spending import standing

RUN_NOT_FOUND, THREAD_MISMATCH = "run_not_found", "thread_mismatch"


class Scope(NamedTuple):
    """What an authorization is looked for; the thread is the run's."""

    run_id: str
    thread_id: str
    autopilot_id: str | None


class Resolved(NamedTuple):
    budget: Budget
    decision: Decision
    scope: Scope
    resolved_at: datetime


def resolve(
    candidates: Iterable[Budget],
    run_id: str,
    run: Ownership | None,
    now: datetime,
    *,
    thread_id: str | None = None,
    autopilot_id: str | None = None,
) -> Resolved:
    """The winner alone is judged: there is no way round it to a broader one.

    Raises NotFound without the run or without any candidate, Conflict for another thread, Denied for what the winner
    refuses.
    """
    if run is None:
        raise NotFound("no such run", reason_code=RUN_NOT_FOUND)
    if thread_id not in (None, run.thread_id):
        raise Conflict("the run is of another thread", reason_code=THREAD_MISMATCH)
    scope = Scope(run_id, run.thread_id, autopilot_id)
    winner = covering(candidates, run, scope)[0]
    if denied := standing(winner, now):
        raise denied
    decision = evaluate(policy_of(winner.authorization_id, winner), winner.snapshot, {})
    if decision.decision == "denied":
        raise Denied("nothing is left", refusals.OVER_BUDGET, winner, "max_total_sats")
    return Resolved(winner, decision, scope, now)


def covering(candidates: Iterable[Budget], run: Ownership, scope: Scope) -> list[Budget]:
    """The owner's that are for this run, the winner first. Raises Denied when there is none."""
    found = [budget for budget in candidates if budget.owner == run.owner and _covers(budget, scope)]
    if not found:
        raise Denied("no authorization is for this run", refusals.MISSING)
    return sorted(found, key=_precedence, reverse=True)


def _covers(budget: Budget, scope: Scope) -> bool:
    """One for autopilots is for those that ask for them."""
    terms = budget.terms
    return (
        terms.run_id in (None, scope.run_id)
        and terms.thread_id in (None, scope.thread_id)
        and terms.autopilot_id in (None, scope.autopilot_id)
    )


def _precedence(budget: Budget) -> tuple[bool, bool, bool, datetime, str]:
    terms = budget.terms
    return (
        terms.run_id is not None,
        terms.thread_id is not None,
        terms.autopilot_id is not None,
        budget.issued_at,
        budget.authorization_id,
    )
