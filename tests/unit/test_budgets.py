"""Budgets and holds on them: every row of runtime §1.8, §3.4 and §3.5, and what DEC-28, 29, 36 and 50 make of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from producers import budgets, holds, spending
from producers.budgets import Authorize, Terms
from producers.errors import Conflict, Forbidden, InvalidRequest, NotFound, Rejection
from producers.refusals import POLICY_CODES, Denied
from schemas import reasons
from schemas.amounts import MAX_SATS, msats_of, sats_of
from schemas.budgets import BudgetAuthorized, BudgetHeld, BudgetSpent, HoldCommitted, HoldReserved
from schemas.names import budget_stream
from tests.books import NOON, OWNER, Books, said, told


def refusal(call: Callable[[], Any]) -> Rejection:
    with pytest.raises(Rejection) as caught:
        call()
    return caught.value


@pytest.fixture
def books() -> Books:
    """With a budget of 100 sats."""
    books = Books()
    books.authorize(max_total_sats=100)
    return books


# --- amounts (DEC-50) -----------------------------------------------------------------------------------------------


def test_sats_are_millisats_rounded_up() -> None:
    """DEC-50."""
    assert [sats_of(msats) for msats in (0, 1, 999, 1000, 1001)] == [0, 1, 1, 1, 2]
    assert sats_of(msats_of(7)) == 7


def test_what_the_wire_says_is_left_is_never_more_than_there_is() -> None:
    """DEC-50, runtime §3.3: 0.5 spent and 0.5 held are a sat each."""
    books = Books()
    books.authorize(max_total_sats=10)
    target = books.target("a")
    books.execute(spending.reserve, spending.reserve_parts(OWNER, target), spending.Reserve(target, 500))
    books.reserve("b", 1)
    target = books.target("b")
    books.execute(spending.commit, spending.parts(OWNER, target), spending.Commit(target, 500))
    assert books.totals() == (1, 1, 8)


# --- authorizations (runtime §1.8) ----------------------------------------------------------------------------------


def test_a_new_authorization_keeps_what_it_was_made_of() -> None:
    """Runtime §1.8."""
    books = Books()
    terms = Terms(mode="delegated_budget_with_threshold", run_id="r", max_total_sats=5, threshold_sats=0)
    command = Authorize("a", ("a",), terms, {"tools": ["x"]}, {"team": "desk"})
    [event] = books.alone(budgets.DECIDER, budget_stream("a"), command).events
    assert event.payload == {
        "authorization_id": "a",
        "path": ["a"],
        "mode": "delegated_budget_with_threshold",
        "run_id": "r",
        "max_total_sats": 5,
        "threshold_sats": 0,
        "constraints": {"tools": ["x"]},
        "metadata": {"team": "desk"},
        "issued_at": "2026-02-20T12:00:00.000000Z",
    }
    budget = books.budget("a")
    assert (budget.terms, budget.path, budget.owner, budget.issued_at) == (terms, ("a",), OWNER, NOON)


def test_the_same_authorization_again_is_found_whenever_that_is(books: Books) -> None:
    """Runtime §1.10."""
    books.later(days=400)
    assert told(books.authorize(max_total_sats=100)) == []


@pytest.mark.parametrize("changed", [{"max_total_sats": 101}, {"max_total_sats": 100, "run_id": "r"}])
def test_an_authorization_of_the_same_id_with_other_content_is_a_conflict(books: Books, changed: Any) -> None:
    """Runtime §1.10."""
    error = refusal(lambda: books.authorize(**changed))
    assert isinstance(error, Conflict)
    assert error.reason_code == "idempotency_conflict"


def test_an_authorization_is_its_owners(books: Books) -> None:
    """Runtime §2.3."""
    assert isinstance(refusal(lambda: books.authorize(max_total_sats=100, owner="user:42")), Forbidden)
    assert isinstance(refusal(lambda: books.reserve("a", 1, owner="user:42")), Forbidden)


@pytest.mark.parametrize(
    "terms",
    [
        {"threshold_sats": 5},
        {"mode": "interactive", "threshold_sats": 5},
        {"mode": "delegated_budget_with_threshold"},
        {"max_total_sats": -1},
        {"max_per_call_sats": MAX_SATS + 1},
    ],
)
def test_terms_that_no_budget_can_have(terms: dict[str, Any]) -> None:
    """Runtime §1.8: a threshold belongs to its mode, amounts are 0 or more."""
    assert isinstance(refusal(lambda: Books().authorize(**terms)), InvalidRequest)


@pytest.mark.parametrize("name", ["", "a/b", "x" * 256, "a\x1fb"])
def test_ids_that_no_budget_can_have(name: str) -> None:
    """Runtime §0.3, DEC-49."""
    assert isinstance(refusal(lambda: Books().authorize(name)), InvalidRequest)


def test_what_metadata_should_not_say_is_redacted() -> None:
    books = Books()
    command = Authorize("a", ("a",), Terms(), {"api_key": "k"}, {"who": "ada@lane.test"})
    [made] = said(books.alone(budgets.DECIDER, budget_stream("a"), command), BudgetAuthorized)
    assert isinstance(made, BudgetAuthorized)
    assert (made.constraints, made.metadata) == ({"api_key": "[REDACTED]"}, {"who": "[REDACTED_EMAIL]"})


def test_a_path_ends_somewhere() -> None:
    books, above = Books(), None
    for depth in range(budgets.MAX_PATH):
        books.authorize(f"a{depth}", above)
        above = f"a{depth}"
    assert isinstance(refusal(lambda: books.authorize("deeper", above)), InvalidRequest)


# --- the ledger (runtime §3.5) --------------------------------------------------------------------------------------


def test_budget_arithmetic(books: Books) -> None:
    """Runtime A.4."""
    books.reserve("A", 70)
    assert books.totals() == (0, 70, 30)
    assert refusal(lambda: books.reserve("B", 40)).reason_code == "over_budget"
    books.reserve("B", 30)
    assert books.totals() == (0, 100, 0)
    books.commit("A")
    assert books.totals() == (70, 30, 0)
    books.release("B")
    assert books.totals() == (70, 0, 30)
    assert refusal(lambda: books.reserve("A", 70)).reason_code == "already_finalized"
    assert told(books.commit("A")) == []
    assert books.totals() == (70, 0, 30)


@pytest.mark.parametrize("amount", [0, -1, 1.0, "5", True, None, MAX_SATS + 1])
def test_an_amount_is_a_positive_integer(amount: Any) -> None:
    """Runtime §3.5."""
    assert refusal(lambda: spending.amount_msats_of(amount)).reason_code == "invalid_amount"
    assert spending.amount_msats_of(5) == 5000


def test_a_retry_class_is_one_of_two() -> None:
    """Runtime §3.5."""
    for name in ("always", None, 5, ["safe_retry"]):
        assert refusal(lambda name=name: spending.retry_class_of(name)).reason_code == "invalid_retry_class"  # type: ignore[misc]
    assert spending.retry_class_of("safe_retry") == "safe_retry"


def test_an_unknown_authorization() -> None:
    """Runtime §3.5."""
    error = refusal(lambda: Books().reserve("a", 1, "nobody"))
    assert isinstance(error, NotFound)
    assert error.reason_code == "authorization_not_found"


def test_a_new_reservation_is_held_with_its_budget_in_one_step(books: Books) -> None:
    """Runtime §3.5, DESIGN I7."""
    outcome = books.reserve("a", 5, retry_class="safe_retry", provider_idempotency_key="k", metadata={"tool": "t"})
    hold_id = books.target("a").hold_id
    held = BudgetHeld(hold_id=hold_id, amount_msats=5000, day="2026-02-20")
    assert said(outcome, BudgetHeld) == [held]
    [reserved] = said(outcome, HoldReserved)
    assert reserved == HoldReserved(
        hold_id=hold_id,
        authorization_id="auth_desk",
        path=["auth_desk"],
        run_id="run_desk",
        tool_call_id="a",
        amount_msats=5000,
        retry_class="safe_retry",
        day="2026-02-20",
        metadata={"tool": "t"},
        provider_idempotency_key="k",
    )
    assert told(outcome) == [BudgetHeld.type, HoldReserved.type]


def test_reserving_again_what_is_reserved_is_a_replay(books: Books) -> None:
    """Runtime §3.5, §1.10."""
    books.reserve("a", 5)
    for retry_class in spending.RETRY_CLASSES:
        assert told(books.reserve("a", 5, retry_class=retry_class)) == []
    assert books.totals() == (0, 5, 95)


@pytest.mark.parametrize("state", ["reserved", "reconcile_required", "committed", "released"])
def test_reserving_again_with_another_amount_is_a_conflict(books: Books, state: str) -> None:
    """Runtime §3.5, §1.10."""
    brought_to(books, state)
    assert refusal(lambda: books.reserve("a", 6)).reason_code == "idempotency_conflict"


def test_reserving_again_what_has_to_be_reconciled(books: Books) -> None:
    """Runtime §3.5: blocked for whoever must not do it twice, a replay for whoever may."""
    brought_to(books, "reconcile_required")
    blocked = refusal(lambda: books.reserve("a", 5, retry_class="dedupe_reconcile_required"))
    assert blocked.reason_code == "reconcile_required"
    assert told(books.reserve("a", 5, retry_class="safe_retry")) == []


@pytest.mark.parametrize("state", ["committed", "released"])
def test_reserving_again_what_is_final(books: Books, state: str) -> None:
    """Runtime §3.5."""
    brought_to(books, state)
    assert refusal(lambda: books.reserve("a", 5)).reason_code == "already_finalized"


@pytest.mark.invariant("I7")
def test_what_would_pass_the_total_is_refused_and_nothing_is_written(books: Books) -> None:
    """Runtime §3.4, §3.5: equal is allowed."""
    books.reserve("a", 60)
    before = list(books.events)
    assert refusal(lambda: books.reserve("b", 41)).reason_code == "over_budget"
    assert books.events == before
    books.reserve("b", 40)


@pytest.mark.invariant("I7")
def test_what_was_spent_counts_like_what_is_held(books: Books) -> None:
    """Runtime §3.4: what was given back does not."""
    for name in ("spent", "held", "released"):
        books.reserve(name, 30)
    books.commit("spent", 20)
    books.release("released")
    assert refusal(lambda: books.reserve("a", 51)).reason_code == "over_budget"
    books.reserve("a", 50)


@pytest.mark.parametrize("state", ["reserved", "reconcile_required"])
def test_a_commit_spends_what_was_held(books: Books, state: str) -> None:
    """Runtime §3.5: reconciled when it came from there."""
    brought_to(books, state)
    outcome = books.commit("a", provider_correlation_id="c", provider_idempotency_key="k")
    hold = books.hold("a")
    assert said(outcome, BudgetSpent) == [
        BudgetSpent(hold_id=books.target("a").hold_id, held_msats=5000, spent_msats=5000, day="2026-02-20")
    ]
    assert (hold.status, hold.spent_msats, hold.committed_at) == ("committed", 5000, NOON)
    assert (hold.provider_correlation_id, hold.provider_idempotency_key) == ("c", "k")
    assert hold.reconciled_at == (NOON if state == "reconcile_required" else None)
    assert books.totals() == (5, 0, 95)


def test_a_commit_may_say_that_it_was_reconciled(books: Books) -> None:
    """Runtime §3.5."""
    brought_to(books, "reserved")
    [committed] = said(books.commit("a", reconciled=True), HoldCommitted)
    assert isinstance(committed, HoldCommitted)
    assert committed.reconciled
    assert books.hold("a").reconciled_at == NOON


@pytest.mark.invariant("I7")
def test_a_commit_may_be_smaller_than_its_hold_and_never_larger(books: Books) -> None:
    """DEC-50."""
    books.reserve("a", 5)
    larger = refusal(lambda: books.commit("a", 6))
    assert isinstance(larger, Conflict)
    assert larger.reason_code == "invalid_amount"
    books.commit("a", 2)
    assert books.totals() == (2, 0, 98)


@pytest.mark.invariant("I7")
@pytest.mark.parametrize("state", ["reserved", "reconcile_required"])
def test_a_release_gives_back_what_was_held(books: Books, state: str) -> None:
    """Runtime §3.5."""
    brought_to(books, state)
    books.release("a", failure_reason="the tool crashed")
    hold = books.hold("a")
    assert (hold.status, hold.reason, hold.released_at) == ("released", "the tool crashed", NOON)
    assert hold.reconciled_at == (NOON if state == "reconcile_required" else None)
    assert books.totals() == (0, 0, 100)


@pytest.mark.parametrize("final", ["committed", "released"])
def test_the_same_end_again_is_a_replay_and_another_one_is_none(books: Books, final: str) -> None:
    """Runtime §3.5, §1.10."""
    brought_to(books, final)
    totals = books.totals()
    same, other = (books.commit, books.release) if final == "committed" else (books.release, books.commit)
    assert told(same("a")) == []
    assert refusal(lambda: other("a")).reason_code == "invalid_transition"
    assert refusal(lambda: books.require_reconcile("a")).reason_code == "invalid_transition"
    assert books.totals() == totals


def test_what_has_to_be_reconciled_stays_held(books: Books) -> None:
    """Runtime §3.5: with a reason of its own."""
    books.reserve("a", 5)
    books.require_reconcile("a")
    assert (books.hold("a").status, books.hold("a").reason) == ("reconcile_required", "unknown_settlement_outcome")
    assert told(books.require_reconcile("a", reason="another")) == []
    assert books.totals() == (0, 5, 95)


@pytest.mark.parametrize("call", [Books.commit, Books.release, Books.require_reconcile])
def test_there_is_no_such_reservation(books: Books, call: Callable[[Books, str], Any]) -> None:
    """Runtime §3.5."""
    error = refusal(lambda: call(books, "nobody"))
    assert isinstance(error, NotFound)
    assert error.reason_code == "reservation_not_found"


def test_a_hold_nobody_is_heard_of_has_to_be_reconciled(books: Books) -> None:
    """Runtime §3.5, DEC-36: after a minute, and its money stays held."""
    books.reserve("a", 5)
    hold = books.hold("a")
    assert holds.wake_at(hold) == NOON + timedelta(seconds=60)
    books.later(seconds=59.9)
    assert told(books.wake("a")) == []
    books.later(seconds=0.1)
    books.wake("a")
    assert (books.hold("a").status, books.hold("a").reason) == ("reconcile_required", "stale_reservation")
    assert holds.wake_at(books.hold("a")) is None
    assert told(books.wake("a")) == []
    assert books.totals() == (0, 5, 95)


def test_timers_are_set_to_whole_seconds_and_never_early(books: Books) -> None:
    """DEC-36."""
    books.later(milliseconds=1)
    books.reserve("a", 5)
    assert holds.wake_at(books.hold("a")) == NOON + timedelta(seconds=61)


@pytest.mark.parametrize("state", ["committed", "released"])
def test_nobody_is_woken_for_what_is_over(books: Books, state: str) -> None:
    """DEC-36."""
    brought_to(books, state)
    assert holds.wake_at(books.hold("a")) is None
    books.later(hours=1)
    assert told(books.wake("a")) == []


def test_a_hold_that_is_metered_is_heard_of(books: Books) -> None:
    """ADR 14: sums, so that a repeated one counts once."""
    books.reserve("a", 5)
    stream = books.target("a").hold
    books.later(seconds=50)
    books.alone(holds.DECIDER, stream, holds.Charge(3000, {"turn": "t1"}))
    assert told(books.alone(holds.DECIDER, stream, holds.Charge(3000))) == []
    assert books.hold("a").charged_msats == 3000
    assert holds.wake_at(books.hold("a")) == NOON + timedelta(seconds=110)
    assert books.totals() == (0, 5, 95)
    books.commit("a", 3)
    error = refusal(lambda: books.alone(holds.DECIDER, stream, holds.Charge(4000)))
    assert error.reason_code == "invalid_transition"


# --- what is enforced (runtime §3.4; DEC-28, DEC-29) -----------------------------------------------------------------


def test_a_call_may_cost_so_much() -> None:
    """DEC-28, runtime §3.4."""
    books = Books()
    books.authorize(max_per_call_sats=10)
    books.reserve("a", 10)
    error = refusal(lambda: books.reserve("b", 11))
    assert error.details == [
        {"reason_code": "over_budget", "path": "max_per_call_sats", "message": error.message},
        {"reason_code": "policy_denied.budget_exhausted"},
    ]


def test_a_day_may_cost_so_much() -> None:
    """DEC-28, runtime §3.4: open holds and what was spent of those that were made on this UTC day."""
    books = Books()
    books.authorize(max_per_day_sats=10)
    books.reserve("spent", 4)
    books.commit("spent")
    books.reserve("open", 4)
    error = refusal(lambda: books.reserve("a", 3))
    assert isinstance(error, Denied)
    assert (error.reason_code, error.cap) == ("over_budget", "max_per_day_sats")
    books.reserve("a", 2)
    books.later(hours=11, minutes=59)
    assert refusal(lambda: books.reserve("b", 1)).reason_code == "over_budget"
    books.later(minutes=1)
    books.reserve("b", 10)


def test_a_hold_counts_on_the_day_it_was_made() -> None:
    """DEC-50: what comes back the day after makes no room in it, and spending it takes none."""
    books = Books()
    books.authorize(max_per_day_sats=10)
    for name in ("late", "later"):
        books.reserve(name, 5)
    books.later(hours=12)
    books.reserve("early", 6)
    books.commit("late", 1)
    books.release("later")
    assert refusal(lambda: books.reserve("b", 5)).reason_code == "over_budget"
    books.reserve("b", 4)


def test_a_smaller_commit_gives_the_difference_back_on_its_day() -> None:
    """DEC-50."""
    books = Books()
    books.authorize(max_per_day_sats=10)
    books.reserve("a", 10)
    books.commit("a", 3)
    books.reserve("b", 7)


def test_a_clock_that_is_behind_finds_its_day_as_it_was() -> None:
    """DEC-28: nodes may disagree around midnight."""
    books = Books()
    books.authorize(max_per_day_sats=10)
    books.reserve("a", 10)
    books.later(hours=12)
    books.reserve("b", 10)
    books.later(seconds=-1)
    assert refusal(lambda: books.reserve("c", 1)).reason_code == "over_budget"


def test_days_are_not_kept_for_ever() -> None:
    books = Books()
    books.authorize()
    for day in range(9):
        books.reserve(str(day), 1)
        books.later(days=1)
    assert books.budget().days == {"2026-02-27": 1000, "2026-02-28": 1000}


def test_an_interactive_budget_asks_for_every_call() -> None:
    """DEC-28, runtime §3.4."""
    books = Books()
    books.authorize(mode="interactive")
    for approved in (None, False):
        error = refusal(lambda approved=approved: books.reserve("a", 1, approved=approved))  # type: ignore[misc]
        assert [detail["reason_code"] for detail in error.details] == ["approval_missing", reasons.EXPLICIT_DENY]
    books.reserve("a", 1, approved=True)
    assert books.hold("a").approved


def test_a_threshold_asks_for_what_is_above_it() -> None:
    """DEC-28, runtime §3.4."""
    books = Books()
    books.authorize(mode="delegated_budget_with_threshold", threshold_sats=5)
    books.reserve("a", 5)
    assert refusal(lambda: books.reserve("b", 6)).reason_code == "approval_missing"
    books.reserve("b", 6, approved=True)


def test_nobody_is_asked_for_what_there_is_no_money_for() -> None:
    """DEC-28: also an approved call stays within its caps."""
    books = Books()
    books.authorize(mode="interactive", max_total_sats=5)
    for approved in (None, True):
        error = refusal(lambda approved=approved: books.reserve("a", 6, approved=approved))  # type: ignore[misc]
        assert error.reason_code == "over_budget"


def test_a_denying_budget_holds_nothing() -> None:
    """DEC-29, runtime §3.4."""
    books = Books()
    books.authorize(mode="deny")
    error = refusal(lambda: books.reserve("a", 1, approved=True))
    assert [detail["reason_code"] for detail in error.details] == ["explicit_deny", reasons.EXPLICIT_DENY]


def test_what_was_revoked_holds_nothing_more_and_settles_what_it_held(books: Books) -> None:
    """DEC-29: looked at in the transaction that holds; an effect that was paid for may still be told."""
    for name in ("a", "b", "c"):
        books.reserve(name, 5)
    books.revoke()
    error = refusal(lambda: books.reserve("d", 5))
    assert error.reason_code == "authorization_revoked"
    assert error.details[1] == {"reason_code": "policy_denied.authorization_revoked"}
    assert told(books.reserve("a", 5)) == [], "a replay is no new hold"
    books.commit("a")
    books.release("b")
    assert books.totals() == (5, 5, 90)
    assert told(books.revoke()) == []


def test_what_has_expired_holds_nothing_more() -> None:
    """DEC-29: at the very moment, too."""
    books = Books()
    books.authorize(expires_at=NOON + timedelta(hours=1))
    books.later(minutes=59)
    books.reserve("a", 5)
    books.later(minutes=1)
    error = refusal(lambda: books.reserve("b", 5))
    assert error.reason_code == "authorization_expired"
    assert error.details[1] == {"reason_code": "policy_denied.authorization_expired"}
    books.commit("a")


def test_only_what_there_is_can_be_revoked() -> None:
    assert refusal(lambda: Books().revoke()).reason_code == "authorization_not_found"


@pytest.mark.parametrize("scope", [{"run_id": "run_other"}, {"thread_id": "thread_other"}])
def test_a_budget_for_another_run_or_thread_pays_nothing(scope: dict[str, str]) -> None:
    """Runtime §3.3: it would be no candidate either."""
    books = Books()
    books.create_run()
    books.authorize(**scope)
    assert refusal(lambda: books.reserve("a", 1)).reason_code == "other_scope"


def test_a_budget_for_this_run_and_thread_pays() -> None:
    """Runtime §3.3."""
    books = Books()
    books.create_run()
    books.authorize(run_id="run_desk", thread_id="thread_desk")
    books.reserve("a", 1)


def test_nobody_spends_for_somebody_elses_run(books: Books) -> None:
    """Runtime §2.3."""
    books.create_run(owner="user:42")
    assert isinstance(refusal(lambda: books.reserve("a", 1)), Forbidden)


def test_every_code_of_policy_is_one_there_is() -> None:
    """Runtime §3.2."""
    assert set(POLICY_CODES.values()) <= set(reasons.NUMBERS)


# --- parents (ADR 14) -----------------------------------------------------------------------------------------------


def four(**terms: dict[str, Any]) -> Books:
    """Organisation, project, agent, run."""
    books, above = Books(), None
    for name in ("organisation", "project", "agent", "run"):
        books.authorize(name, above, **terms.get(name, {}))
        above = name
    return books


@pytest.mark.invariant("I7")
def test_a_hold_is_taken_on_the_whole_path() -> None:
    """ADR 14: root first, then the hold."""
    books = four(project={"max_total_sats": 50})
    outcome = books.reserve("a", 5, "run")
    assert [(event.type, event.stream) for event in outcome.events] == [
        (BudgetHeld.type, "budget/organisation"),
        (BudgetHeld.type, "budget/project"),
        (BudgetHeld.type, "budget/agent"),
        (BudgetHeld.type, "budget/run"),
        (HoldReserved.type, books.target("a", "run").hold),
    ]
    books.commit("a", 2, "run")
    assert [books.totals(name)[:2] for name in ("organisation", "project", "agent", "run")] == [(2, 0)] * 4
    assert books.totals("project") == (2, 0, 48)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"max_total_sats": 4}, "over_budget"),
        ({"max_per_call_sats": 4}, "over_budget"),
        ({"max_per_day_sats": 4}, "over_budget"),
        ({"mode": "deny"}, "explicit_deny"),
        ({"mode": "interactive"}, "approval_missing"),
        ({"expires_at": NOON}, "authorization_expired"),
        ({"run_id": "run_other"}, "other_scope"),
    ],
)
@pytest.mark.parametrize("where", ["organisation", "project", "agent", "run"])
@pytest.mark.invariant("I7")
def test_it_is_taken_on_the_whole_path_or_not_at_all(where: str, terms: dict[str, Any], code: str) -> None:
    """ADR 14: each budget's own caps count."""
    books = four(**{where: terms})
    before = list(books.events)
    error = refusal(lambda: books.reserve("a", 5, "run"))
    assert isinstance(error, Denied)
    assert error.by
    assert (error.reason_code, error.by.authorization_id) == (code, where)
    assert books.events == before


def test_revoking_a_parent_ends_what_is_below() -> None:
    """DEC-29, ADR 14."""
    books = four()
    books.revoke("project")
    assert refusal(lambda: books.reserve("a", 5, "run")).reason_code == "authorization_revoked"
    books.reserve("a", 5, "organisation")


def test_brothers_share_what_their_parent_has() -> None:
    """ADR 14."""
    books = Books()
    books.authorize("parent", max_total_sats=10)
    books.authorize("one", "parent")
    books.authorize("two", "parent")
    books.reserve("a", 7, "one")
    assert refusal(lambda: books.reserve("a", 4, "two")).reason_code == "over_budget"
    books.reserve("a", 3, "two")


# --- what was lost with a restore (ADR 11) ----------------------------------------------------------------------------


@pytest.mark.invariant("I7")
def test_a_budget_that_lost_events_holds_nothing_more(books: Books) -> None:
    """Nobody knows what was held meanwhile."""
    books.reserve("a", 5)
    books.lose(budgets.DECIDER, budget_stream("auth_desk"))
    assert refusal(lambda: books.reserve("b", 5)).reason_code == "authorization_revoked"
    books.commit("a")
    assert books.totals() == (5, 0, 95)


def test_a_budget_that_was_revoked_before_it_lost_events_was_revoked_then(books: Books) -> None:
    books.revoke()
    books.later(hours=1)
    books.lose(budgets.DECIDER, budget_stream("auth_desk"))
    assert books.budget().revoked_at == NOON


def test_a_budget_that_lost_its_beginning_is_nothing(books: Books) -> None:
    books.lose(budgets.DECIDER, budget_stream("lost"))
    books.lose(budgets.DECIDER, budget_stream("lost"))
    assert books.budget("lost").path == ("lost",)
    assert refusal(lambda: books.reserve("b", 5, "lost")).reason_code == "authorization_revoked"


def test_a_hold_that_lost_events_is_held_until_it_is_reconciled(books: Books) -> None:
    """The commit may have been what was lost."""
    books.reserve("a", 5)
    books.lose(holds.DECIDER, books.target("a").hold)
    assert (books.hold("a").status, books.hold("a").reason) == ("reconcile_required", "history_lost")
    books.commit("a")
    assert books.totals() == (5, 0, 95)
    books.lose(holds.DECIDER, books.target("a").hold)
    assert books.hold("a").status == "committed"


def test_a_hold_that_lost_its_beginning_spends_nothing(books: Books) -> None:
    """How much it was nobody knows, and its budget holds nothing for it."""
    books.lose(holds.DECIDER, books.target("a").hold)
    assert refusal(lambda: books.reserve("a", 5, retry_class="safe_retry")).reason_code == "reconcile_required"
    assert refusal(lambda: books.commit("a")).reason_code == "invalid_transition"
    books.release("a")
    assert books.hold("a").status == "released"
    assert books.totals() == (0, 0, 100)


def brought_to(books: Books, state: str) -> None:
    """A hold `a` of five sats."""
    books.reserve("a", 5)
    if state == "committed":
        books.commit("a")
    elif state == "released":
        books.release("a")
    elif state == "reconcile_required":
        books.require_reconcile("a")
