"""Denials are facts in the run's log: what runtime §3.6 says of each refusal, with what it was made from (ADR 14)."""

from collections.abc import Callable
from typing import Any

import pytest

from producers import denials
from producers.errors import InvalidRequest, NotFound, Rejection
from producers.policy import decision_id, evaluate
from producers.refusals import Denied
from producers.spending import Reserve
from schemas.amounts import msats_of
from schemas.names import run_stream
from schemas.runs_generated import PolicyBudgetExhausted, PolicyDecision
from tests.books import NOON, RUN, Books, told


@pytest.fixture
def books() -> Books:
    """With a run, and a budget of 100 sats."""
    books = Books()
    books.create_run()
    books.authorize(max_total_sats=100)
    return books


def test_what_is_over_budget_is_denied_and_the_money_is_told_to_be_used_up(books: Books) -> None:
    """Runtime §3.6, §1.5."""
    books.reserve("a", 70)
    decision, exhausted = books.ask("b", 40).events
    assert (decision.type, exhausted.type) == (PolicyDecision.type, PolicyBudgetExhausted.type)
    assert (decision.stream, decision.seq) == (run_stream(RUN), 1)
    budget = {"spent_sats": 0, "reserved_sats": 70, "remaining_sats": 30}
    code = "policy_denied.budget_exhausted"
    policy = {"authorization_id": "auth_desk", "authorization_mode": "delegated_budget"}
    asked = {"policy_id": "spend.authorization.v1", **policy, "decision": "denied", "reason_code": code}
    assert decision.payload == {
        "decision": "denied",
        "reason_code": code,
        "tool_call_id": "b",
        **policy,
        "budget": budget,
        "policy_decision_id": decision_id(RUN, "b", code, "auth_desk", budget),
        "amount_sats": 40,
        "detail": "over_budget",
        "inputs": {
            **evaluate(asked, budget, {}).inputs(),
            "refused_by": {"authorization_id": "auth_desk", **budget},
        },
    }
    assert exhausted.payload == decision.payload
    assert books.totals() == (0, 70, 30)


def _expire(books: Books) -> None:
    books.authorize("b", expires_at=NOON)


def _again(end: Callable[[Books], Any]) -> Callable[[Books], None]:
    def prepare(books: Books) -> None:
        books.authorize("b")
        books.reserve("a", 5, "b")
        end(books)

    return prepare


@pytest.mark.parametrize(
    ("prepare", "code", "detail"),
    [
        (lambda books: books.authorize("b", max_per_call_sats=4), "budget_exhausted", "per_call"),
        (lambda books: books.authorize("b", max_per_day_sats=4), "budget_exhausted", "per_day"),
        (lambda books: books.authorize("b", mode="deny"), "explicit_deny", "explicit_deny"),
        (lambda books: books.authorize("b", mode="interactive"), "explicit_deny", "approval_missing"),
        (lambda books: books.authorize("b", run_id="run_other"), "explicit_deny", "other_scope"),
        (_expire, "authorization_expired", "authorization_expired"),
        (lambda books: (books.authorize("b"), books.revoke("b")), "authorization_revoked", "authorization_revoked"),
        (_again(lambda books: books.require_reconcile("a", "b")), "explicit_deny", "reconcile_required"),
        (_again(lambda books: books.commit("a", None, "b")), "explicit_deny", "already_finalized"),
        (_again(lambda books: books.release("a", "b")), "explicit_deny", "already_finalized"),
    ],
)
def test_every_refusal_is_told_with_its_code(
    books: Books, prepare: Callable[[Books], Any], code: str, detail: str
) -> None:
    """Runtime §3.6, DEC-28, DEC-29."""
    prepare(books)
    outcome = books.ask("a", 5, "b")
    assert [event.payload["reason_code"] for event in outcome.events[:1]] == [f"policy_denied.{code}"]
    assert outcome.events[0].payload["detail"] == detail
    exhausted = [PolicyBudgetExhausted.type] if code == "budget_exhausted" else []
    assert told(outcome) == [PolicyDecision.type, *exhausted]


def test_another_amount_is_told_too(books: Books) -> None:
    """Runtime §3.6: amount conflict."""
    books.reserve("a", 5)
    [decision] = books.ask("a", 6).events
    assert (decision.payload["reason_code"], decision.payload["detail"]) == (
        "policy_denied.explicit_deny",
        "idempotency_conflict",
    )


@pytest.mark.parametrize(
    "rejection",
    [
        NotFound("no such authorization", reason_code="authorization_not_found"),
        InvalidRequest("", reason_code="invalid_amount"),
        InvalidRequest("", reason_code="invalid_retry_class"),
    ],
)
def test_what_could_not_even_be_asked_is_a_missing_authorization(books: Books, rejection: Rejection) -> None:
    """Runtime §3.6: unknown authorization, bad amount or class."""
    [decision] = denials.facts(rejection, books.target("a", "nobody"), None, None)
    assert decision.body()["reason_code"] == "policy_denied.authorization_missing"
    assert decision.body()["budget"] == {}
    assert "authorization_mode" not in decision.body()


def test_the_same_refusal_twice_in_a_row_is_one_fact(books: Books) -> None:
    """ADR 14."""
    books.ask("a", 101)
    before = list(books.events)
    with pytest.raises(Denied):
        books.ask("a", 101)
    assert books.events == before
    assert books.ask("b", 101).events
    assert books.ask("a", 101).events


def test_a_refusal_by_a_budget_above_names_it(books: Books) -> None:
    """ADR 14."""
    books.authorize("below", "auth_desk", max_total_sats=500)
    decision, _ = books.ask("a", 101, "below").events
    assert decision.payload["authorization_id"] == "below"
    assert decision.payload["budget"]["remaining_sats"] == 500
    assert decision.payload["inputs"]["refused_by"] == {
        "authorization_id": "auth_desk",
        "spent_sats": 0,
        "reserved_sats": 0,
        "remaining_sats": 100,
    }


def test_a_run_that_nobody_made_keeps_no_facts() -> None:
    """ADR 14."""
    books = Books()
    books.authorize(max_total_sats=4)
    with pytest.raises(Denied):
        books.ask("a", 5)


def test_what_is_allowed_is_held(books: Books) -> None:
    """ADR 14."""
    books.ask("a", 5)
    assert books.totals() == (0, 5, 95)


def test_an_allowance_is_decided_on_what_there_was_before(books: Books) -> None:
    """Runtime §3.1: holding the last of it is allowed."""
    command = Reserve(books.target("a"), msats_of(100))
    books.reserve("a", 100)
    decision = denials.allowance(command, books.budget())
    assert (decision.decision, decision.budget["remaining_sats"]) == ("allowed", 100)
