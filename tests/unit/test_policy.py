"""What is allowed and why (runtime §3.1, §3.2, §3.6): the nine steps in their order, codes, hashes, and rules."""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from producers.metrics import observe_decision
from producers.policy import MODES, Decision, context_of, decision_id, evaluate, replay
from producers.policy_documents import document
from producers.policy_rules import ActiveSet, Facts, Rules
from schemas import hashing, reasons
from schemas.events import Payload, Recorded

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "policy" / "decisions.json").read_text())["vectors"]
POLICY = {"policy_id": "spend.authorization.v1", "authorization_id": "auth_1", "authorization_mode": "delegated_budget"}
BUDGET = {"spent_sats": 40, "reserved_sats": 10, "remaining_sats": 50}
DENYING = sorted(reasons.NUMBERS.keys() - {reasons.ALLOWED})
NOTHING = Rules([ActiveSet(3, document({"name": "freeze", "default": "deny"}))])
FACTS = Facts("lightning.pay", NOON, 5)

STEPS: dict[int, tuple[str, Payload]] = {
    1: ("context", {"manifest_validation_reason": "manifest_validation.invalid_schema"}),
    2: ("context", {"loop_detected_reason": "loop_detected.no_progress"}),
    3: ("context", {"ssrf_block_reason": "ssrf_block.dns_pin_mismatch"}),
    4: ("policy", {"decision": "denied", "reason_code": "policy_denied.consent_required"}),
    5: ("policy", {"decision": "denied"}),
    6: ("policy", {"authorization_id": ""}),
    7: ("policy", {"authorization_mode": "autopilot"}),
    8: ("budget", {"remaining_sats": 0}),
}


def recorded(type_: str, payload: Payload, seq: int = 1) -> Recorded:
    digest = hashing.digest(payload)
    return Recorded(seq, "run", "run/r", seq, type_, 1, "user:41", payload, digest, {}, NOON)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, Any]) -> None:
    """runtime §3.1; the vectors' hashes were made by other code than ours."""
    decision = evaluate(vector["policy"], vector["budget"], vector["context"])
    assert (decision.decision, decision.reason_code, decision.step) == (
        vector["decision"],
        vector["reason_code"],
        vector["step"],
    )
    assert decision.evaluation_hash == vector["evaluation_hash"]


def test_the_vectors_come_to_every_step() -> None:
    assert {vector["step"] for vector in VECTORS} == set(range(1, 10))


@pytest.mark.parametrize("count", range(1, 9))
def test_of_steps_that_match_the_first_decides(count: int) -> None:
    """runtime §3.1: whichever match together; a rule comes after all of them."""
    for steps in itertools.combinations(STEPS, count):
        inputs: dict[str, Payload] = {"policy": POLICY, "budget": BUDGET, "context": {}}
        for step in steps:
            part, fields = STEPS[step]
            inputs[part] = inputs[part] | fields
        decision = evaluate(**inputs, rules=NOTHING, facts=FACTS)
        assert decision.step == min(steps), steps
        assert decision.decision == "denied"


def test_without_a_match_it_is_allowed() -> None:
    """runtime §3.1 step 9."""
    assert evaluate(POLICY, BUDGET, {}).step == 9


@pytest.mark.parametrize("code", DENYING)
def test_a_denial_keeps_every_code_there_is(code: str) -> None:
    """runtime §3.2 through step 4 of §3.1."""
    decision = evaluate(POLICY | {"decision": "denied", "reason_code": code}, BUDGET, {})
    assert (decision.decision, decision.reason_code, decision.step) == ("denied", code, 4)


@pytest.mark.parametrize("code", DENYING)
@pytest.mark.parametrize(
    ("field", "family", "fallback"),
    [
        ("manifest_validation_reason", "manifest_validation", "manifest_validation.invalid_schema"),
        ("loop_detected_reason", "loop_detected", "loop_detected.no_progress"),
        ("ssrf_block_reason", "ssrf_block", "ssrf_block.private_address"),
    ],
)
def test_a_reason_counts_in_its_family_only(code: str, field: str, family: str, fallback: str) -> None:
    """runtime §3.1 steps 1–3 with every code of §3.2."""
    expected = code if code.startswith(family + ".") else fallback
    assert evaluate(POLICY, BUDGET, {field: code}).reason_code == expected


def test_families_and_taxonomy() -> None:
    """runtime §3.2."""
    assert {reasons.family(code) for code in reasons.NUMBERS} == {
        *("policy_allowed", "policy_denied", "loop_detected", "ssrf_block"),
        *("manifest_validation", "comms_failed", "coding_failed"),
    }
    assert reasons.VERSION == evaluate(POLICY, BUDGET, {}).reason_codes_version == "runtime-policy-reasons.v1"


@pytest.mark.parametrize("mode", sorted(MODES))
def test_the_evaluator_knows_modes_that_a_store_refuses(mode: str) -> None:
    """runtime §1.8, §3.1 step 7: also `system` and `deny` are only modes here."""
    assert evaluate(POLICY | {"authorization_mode": mode}, BUDGET, {}).decision == "allowed"


# --- the hash -------------------------------------------------------------------------------------------------------


def test_a_rules_denial_has_the_hash_of_a_denial_with_its_code() -> None:
    """runtime §3.1: the hash covers nothing else, so whoever knows only the contract can recompute it."""
    decision = evaluate(POLICY, BUDGET, {}, NOTHING, FACTS)
    covered = {"policy": POLICY, "budget": BUDGET, "context": {}}
    expected = {"decision": "denied", "reason_code": "policy_denied.explicit_deny", **covered}
    assert decision.evaluation_hash == hashing.hex_digest(expected)
    assert decision.step is None
    assert decision.rule is not None
    assert decision.rule.told() == {"set": "freeze", "version": 3, "rule": "default"}
    assert decision.rule.detail == "freeze v3, rule default"


def test_rules_that_let_through_change_nothing() -> None:
    silent = Rules([ActiveSet(1, document({"name": "silent"}))])
    assert evaluate(POLICY, BUDGET, {}, silent, FACTS) == evaluate(POLICY, BUDGET, {})


def test_rules_without_facts_do_not_take_part() -> None:
    assert evaluate(POLICY, BUDGET, {}, NOTHING).decision == "allowed"


def test_a_decision_does_not_change_with_what_it_was_made_from() -> None:
    budget = dict(BUDGET)
    decision = evaluate(POLICY, budget, {})
    before = decision.evaluation_hash
    budget["spent_sats"] = 41
    assert decision.evaluation_hash == before


def test_what_a_decision_tells() -> None:
    """runtime §3.1 Output."""
    decision = evaluate(POLICY, BUDGET | {"remaining_sats": 0}, {})
    assert decision.told() == {
        "decision": "denied",
        "reason_code": "policy_denied.budget_exhausted",
        "reason_codes_version": "runtime-policy-reasons.v1",
        "evaluation_hash": decision.evaluation_hash,
    }


def test_from_what_it_tells_of_its_inputs_it_can_be_made_again() -> None:
    decision = evaluate(POLICY | {"run_id": "r"}, BUDGET, {}, NOTHING, FACTS)
    inputs = json.loads(json.dumps(decision.inputs(FACTS)))
    again = evaluate(inputs["policy"], inputs["budget"], inputs["context"], NOTHING, Facts.of(inputs["facts"]))
    assert again.told() == decision.told()
    assert again.rule == decision.rule
    assert inputs["evaluation_hash"] == decision.evaluation_hash


def test_the_id_of_a_decision() -> None:
    """runtime §3.6."""
    code = "policy_denied.budget_exhausted"
    names = {"run_id": "run_1", "tool_call_id": "tc-1", "reason_code": code, "authorization_id": "auth_1"}
    assert decision_id("run_1", "tc-1", code, "auth_1", BUDGET) == hashing.hex_digest(names | {"budget": BUDGET})


# --- replay ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "context"),
    [
        ([], {}),
        ([recorded("run.started", {})], {}),
        (
            [recorded("run.loop_detected", {"loop_detected_reason": "loop_detected.no_progress"})],
            {"loop_detected_reason": "loop_detected.no_progress"},
        ),
        (
            [recorded("tool.result", {"policy": {"reason_code": "ssrf_block.invalid_url"}})],
            {"ssrf_block_reason": "ssrf_block.invalid_url"},
        ),
        (
            [recorded("x", {"reason_code": "ssrf_block.a"}), recorded("x", {"reason_code": "ssrf_block.b"}, 2)],
            {"ssrf_block_reason": "ssrf_block.a"},
        ),
        ([recorded("x", {"reason_code": "policy_denied.explicit_deny", "policy": "strict"})], {}),
        ([recorded("x", {"reason_code": {"code": 7}})], {}),
    ],
)
def test_a_runs_events_say_what_stops_it(events: list[Recorded], context: Payload) -> None:
    """runtime §3.1: the projection of the event log that a replay starts from."""
    assert context_of(events) == context


def test_a_replay_decides_as_it_was_decided() -> None:
    """runtime §3.1: the same rules, the same inputs, the same output."""
    events = [recorded("run.loop_detected", {"loop_detected_reason": "loop_detected.no_progress"})]
    live: Decision = evaluate(POLICY, BUDGET, {"loop_detected_reason": "loop_detected.no_progress"})
    assert replay(events, POLICY, BUDGET) == live
    assert replay([], POLICY, BUDGET, NOTHING, FACTS) == evaluate(POLICY, BUDGET, {}, NOTHING, FACTS)


# --- what is counted ------------------------------------------------------------------------------------------------


def counted(labels: dict[str, str]) -> float:
    return REGISTRY.get_sample_value("openagents_runtime_policy_decision_count_total", labels) or 0.0


def observed(name: str, labels: dict[str, str]) -> float:
    return REGISTRY.get_sample_value(f"openagents_runtime_policy_decision_{name}_sum", labels) or 0.0


@pytest.mark.parametrize(
    ("mode", "label"),
    [({"authorization_mode": "interactive"}, "interactive"), ({}, "none"), ({"authorization_mode": None}, "none")]
    + [({"authorization_mode": wrong}, "invalid") for wrong in ("my-own-label", "", 7, ["deny"])],
)
@pytest.mark.parametrize("settlement_boundary", [True, False])
def test_a_decision_is_counted_with_labels_that_we_chose(mode: Payload, label: str, settlement_boundary: bool) -> None:
    """runtime §9, DEC-37."""
    decision = evaluate({"authorization_id": "auth_1"} | mode, BUDGET, {})
    labels = {
        "decision": decision.decision,
        "authorization_mode": label,
        "settlement_boundary": "true" if settlement_boundary else "false",
    }
    before = counted(labels), [observed(name, labels) for name in BUDGET]
    observe_decision(decision, settlement_boundary=settlement_boundary)
    assert counted(labels) == before[0] + 1
    assert [observed(name, labels) for name in BUDGET] == [
        was + sats for was, sats in zip(before[1], BUDGET.values(), strict=True)
    ]


def test_what_is_unlimited_is_not_observed() -> None:
    """runtime §9."""
    decision = evaluate(POLICY, {"remaining_sats": None, "spent_sats": "7"}, {})
    labels = {"decision": "allowed", "authorization_mode": "delegated_budget", "settlement_boundary": "false"}
    name = "openagents_runtime_policy_decision_{}_count"
    before = [REGISTRY.get_sample_value(name.format(of), labels) for of in ("remaining_sats", "spent_sats")]
    observe_decision(decision, settlement_boundary=False)
    assert [REGISTRY.get_sample_value(name.format(of), labels) for of in ("remaining_sats", "spent_sats")] == before
