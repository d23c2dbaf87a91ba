"""Why something was denied, as the log keeps it (runtime §1.5, §3.6; ADR 14)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from producers.policy import Decision, evaluate
from producers.policy_documents import document
from producers.policy_explanation import explained, fired
from producers.policy_rules import ActiveSet, Facts, Rules
from schemas.events import Payload, Recorded

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
POLICY = {"policy_id": "spend.authorization.v1", "authorization_id": "auth_1", "authorization_mode": "interactive"}
DEAR = {"rule": "dear", "tools": ["pay"], "above_sats": 10, "why": "ask first"}
SET: Payload = {"name": "careful", "default": "deny", "deny": [DEAR], "allow": [{"rule": "pay", "tools": ["pay"]}]}
RULES = Rules([ActiveSet(3, document(SET))])


def recorded(**payload: Any) -> Recorded:
    return Recorded(7, "run", "run/run_1", 2, "policy.decision", 1, "user:41", payload, b"", {}, NOON)


def told(decision: Decision, facts: Facts | None = None) -> Recorded:
    rule = {"rule": decision.rule.told()} if decision.rule else {}
    return recorded(decision=decision.decision, reason_code=decision.reason_code, inputs=decision.inputs(facts), **rule)


def denied(tool: str = "pay", sats: int = 11, recent: dict[str, int] | None = None) -> Recorded:
    facts = Facts(tool, NOON, sats, recent=recent or {})
    return told(evaluate(POLICY, {}, {}, RULES, facts), facts)


def test_a_rule_is_told_as_it_is_written() -> None:
    event = denied()
    explanation = explained(event, SET)
    assert fired(event) == ("careful", 3)
    assert explanation.rule == DEAR
    assert explanation.again is True
    assert (explanation.position, explanation.run_id, explanation.at) == (7, "run_1", "2026-02-20T12:00:00.000000Z")


def test_what_nothing_allowed() -> None:
    explanation = explained(denied(tool="git"), SET)
    assert explanation.rule == {"default": "deny"}
    assert explanation.again is True


def test_a_step_of_the_contract_is_no_rule() -> None:
    event = told(evaluate(POLICY, {"remaining_sats": 0}, {}))
    explanation = explained(event, None)
    assert fired(event) is None
    assert (explanation.rule, explanation.again) == (None, True)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "careful", "deny": []},
        {"name": "careful", "deny": [DEAR | {"rule": "renamed"}]},
        {"name": "careful", "deny": [DEAR | {"above_sats": 1_000_000}]},
        {"name": "careful", "no longer": "valid"},
    ],
)
def test_a_decision_that_would_come_out_differently(changed: Payload) -> None:
    assert explained(denied(), changed).again is False


def test_a_hash_that_is_not_of_these_inputs() -> None:
    event = told(evaluate(POLICY, {"remaining_sats": 0}, {}))
    event.payload["inputs"]["policy"] = POLICY | {"policy_id": "another"}
    assert explained(event, None).again is False


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"rule": None},
        {"inputs": None},
        {"inputs": {"policy": {}}},
        {"inputs": {"policy": [], "budget": {}, "context": {}}},
        {"rule": {"set": 7}, "inputs": {"policy": {}, "budget": {}, "context": {}, "facts": {"tool": 7}}},
    ],
)
def test_of_what_was_not_kept_nothing_is_claimed(payload: Payload) -> None:
    """Also of an erased event (ADR 12)."""
    explanation = explained(recorded(**payload), None)
    assert (explanation.rule, explanation.again) == (None, None)
    assert fired(recorded(**payload)) is None
