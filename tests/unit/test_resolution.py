"""Which authorization a run spends by (runtime §3.3)."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from producers.budgets import Budget, Terms
from producers.errors import Rejection
from producers.ownership import Ownership
from producers.resolution import Resolved, Scope, resolve
from tests.books import NOON, OWNER

DESK = Ownership("thread_desk", OWNER, NOON)
HOUR = timedelta(hours=1)


def budget(name: str = "a", *, age: timedelta = HOUR, owner: str = OWNER, spent_sats: int = 0, **terms: Any) -> Budget:
    return Budget(name, owner, (name,), Terms(**terms), "", NOON - age, spent_msats=spent_sats * 1000)


def resolved(*candidates: Budget, run: Ownership | None = DESK, **asked: Any) -> Resolved:
    return resolve(candidates, "run_desk", run, NOON, **asked)


def refusal(*candidates: Budget, **asked: Any) -> str | None:
    with pytest.raises(Rejection) as caught:
        resolved(*candidates, **asked)
    return caught.value.reason_code


def test_the_run_must_be_there_and_of_the_thread() -> None:
    """Runtime §3.3, step 1."""
    assert refusal(budget(), run=None) == "run_not_found"
    assert refusal(budget(), thread_id="thread_other") == "thread_mismatch"
    assert resolved(budget(), thread_id="thread_desk").budget == budget()


@pytest.mark.parametrize(
    "other",
    [
        budget(owner="user:42"),
        budget(run_id="run_other"),
        budget(thread_id="thread_other"),
        budget(autopilot_id="pilot"),
    ],
)
def test_what_is_for_others_is_no_candidate(other: Budget) -> None:
    """Runtime §3.3, steps 2 and 3."""
    assert refusal(other) == "authorization_missing"
    assert refusal() == "authorization_missing"


def test_an_autopilot_that_was_asked_for_may_spend_its_own() -> None:
    """Runtime §3.3, step 3."""
    assert refusal(budget(autopilot_id="other"), autopilot_id="pilot") == "authorization_missing"
    for own in (budget(), budget(autopilot_id="pilot")):
        assert resolved(own, autopilot_id="pilot").scope == Scope("run_desk", "thread_desk", "pilot")


def test_the_most_particular_one_wins_then_the_newest_then_the_highest_id() -> None:
    """Runtime §3.3, step 4: from the weakest to the strongest."""
    rising = [
        budget("b"),
        budget("c"),
        budget("a", age=HOUR / 2),
        budget("b", autopilot_id="pilot"),
        budget("a", thread_id="thread_desk"),
        budget("b", thread_id="thread_desk", autopilot_id="pilot"),
        budget("a", run_id="run_desk"),
        budget("b", run_id="run_desk", thread_id="thread_desk"),
    ]
    for weaker, stronger in pairwise(rising):
        assert resolved(stronger, weaker, autopilot_id="pilot").budget == stronger
        assert resolved(weaker, stronger, autopilot_id="pilot").budget == stronger


@pytest.mark.parametrize(
    ("winner", "code"),
    [
        (budget(run_id="run_desk", expires_at=NOON), "authorization_expired"),
        (budget(run_id="run_desk", mode="deny"), "explicit_deny"),
        (budget(run_id="run_desk", max_total_sats=5, spent_sats=5), "over_budget"),
    ],
)
def test_the_winner_alone_is_judged(winner: Budget, code: str) -> None:
    """Runtime §3.3, step 5: no fallback to a broader one."""
    assert refusal(budget("broad"), winner) == code


def test_a_revoked_one_is_revoked_before_it_is_anything_else() -> None:
    """Runtime §3.3, step 5."""
    winner = Budget("a", OWNER, ("a",), Terms(mode="deny", expires_at=NOON), "", NOON, revoked_at=NOON)
    assert refusal(winner) == "authorization_revoked"


def test_what_was_resolved_says_by_what_and_when() -> None:
    """Runtime §3.3, step 6."""
    found = resolved(budget(max_total_sats=5, spent_sats=4))
    assert found.decision.decision == "allowed"
    assert found.decision.policy == {
        "policy_id": "spend.authorization.v1",
        "authorization_id": "a",
        "authorization_mode": "delegated_budget",
    }
    assert found.decision.budget == {"spent_sats": 4, "reserved_sats": 0, "remaining_sats": 1}
    assert (found.scope, found.resolved_at) == (Scope("run_desk", "thread_desk", None), NOON)
