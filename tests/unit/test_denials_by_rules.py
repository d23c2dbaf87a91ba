"""Rules deny reservations after the contract had nothing against them (runtime §3.1, §3.6; docs/policy.md)."""

import pytest

from producers.policy_documents import document
from producers.policy_explanation import explained, fired
from producers.policy_rules import ActiveSet, Consulted, Facts, Rules
from producers.refusals import DeniedByRule
from schemas.events import Payload
from schemas.names import run_stream
from schemas.runs_generated import PolicyBudgetExhausted, PolicyDecision
from tests.books import NOON, RUN, Books

DEAR: Payload = {"name": "careful", "deny": [{"rule": "dear", "tools": ["pay"], "above_sats": 10, "why": "ask first"}]}
CLOSED: Payload = {"name": "closed", "default": "deny"}


@pytest.fixture
def books() -> Books:
    """With a run, and a budget of 100 sats."""
    books = Books()
    books.create_run()
    books.authorize(max_total_sats=100)
    return books


def by(policy_set: Payload, sats: int, tool: str = "pay") -> Consulted:
    return Consulted(Rules([ActiveSet(3, document(policy_set))]), Facts(tool, NOON, sats))


def test_a_rule_denies_and_the_run_keeps_which_one(books: Books) -> None:
    """ADR 14."""
    decision, exhausted = books.ask("a", 11, consulted=by(DEAR, 11)).events
    assert (decision.type, exhausted.type) == (PolicyDecision.type, PolicyBudgetExhausted.type)
    assert decision.stream == run_stream(RUN)
    told = decision.payload
    assert told["reason_code"] == "policy_denied.budget_exhausted"
    assert told["detail"] == "careful v3, rule dear: ask first"
    assert told["rule"] == {"set": "careful", "version": 3, "rule": "dear"}
    assert told["inputs"]["facts"]["tool"] == "pay"
    assert "refused_by" not in told["inputs"]
    assert books.totals() == (0, 0, 100)


def test_what_the_run_keeps_explains_it(books: Books) -> None:
    [decision, _] = books.ask("a", 11, consulted=by(DEAR, 11)).events
    assert fired(decision) == ("careful", 3)
    explanation = explained(decision, DEAR)
    assert (explanation.rule, explanation.again) == (DEAR["deny"][0], True)


def test_a_denial_that_is_no_limit_is_an_explicit_one(books: Books) -> None:
    """Runtime §3.2."""
    [decision] = books.ask("a", 1, consulted=by(CLOSED, 1)).events
    assert decision.payload["reason_code"] == "policy_denied.explicit_deny"
    assert decision.payload["rule"]["rule"] == "default"


def test_what_no_rule_denies_is_held(books: Books) -> None:
    books.ask("a", 10, consulted=by(DEAR, 10))
    assert books.totals() == (0, 10, 90)


def test_the_ledger_comes_first(books: Books) -> None:
    """Runtime §3.1: rules are asked when nothing else denied."""
    [decision, _] = books.ask("a", 101, consulted=by(CLOSED, 101)).events
    assert decision.payload["detail"] == "over_budget"
    assert "rule" not in decision.payload


def test_what_is_held_already_is_found_again_whatever_rules_say_by_now(books: Books) -> None:
    """Runtime §3.5: a replay."""
    books.ask("a", 10)
    assert books.ask("a", 10, consulted=by(CLOSED, 10)).events == ()
    assert books.totals() == (0, 10, 90)


def test_the_caller_is_told_the_rule_and_the_code(books: Books) -> None:
    with pytest.raises(DeniedByRule) as raised:
        books.reserve("a", 11, consulted=by(DEAR, 11))
    assert raised.value.details == [
        {"reason_code": "policy_rule", "message": "a rule denies it: careful v3, rule dear: ask first"},
        {"reason_code": "policy_denied.budget_exhausted"},
    ]
