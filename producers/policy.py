"""Policy: the one pure evaluator behind every decision point (runtime §3.1–3.2).

First the contract's nine steps in their order, then, when they allow, the rules of the active policy sets; a rule only
ever denies. Every decision point (spending, budgets, tools) tells `producers.metrics.observe_decision` (DEC-37).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import msgspec

from producers.policy_hash import Inputs, covered_inputs, evaluation_hash
from producers.policy_rules import Facts, Fired, Rules
from schemas import hashing, reasons
from schemas.events import Payload, Recorded

Outcome = Literal["allowed", "denied"]

MODES: Final = frozenset({"delegated_budget", "delegated_budget_with_threshold", "interactive", "deny", "system"})
"""What the evaluator takes for a mode; a store takes all but `system` (runtime §1.8)."""
_ALLOWED_STEP: Final = 9
_DENYING: Final = frozenset(reasons.NUMBERS) - {reasons.ALLOWED}
_NOTHING_LEFT: Final = re.compile(r"-[0-9]+|\+?0+(?![0-9])")


class Decision(msgspec.Struct, frozen=True):
    """What came out and of what; `step` is the one of the nine that decided, None when `rule` did."""

    decision: Outcome
    reason_code: str
    step: int | None
    rule: Fired | None
    policy: Inputs
    budget: Inputs
    context: Inputs
    reason_codes_version: str = reasons.VERSION

    @property
    def evaluation_hash(self) -> str:
        """Covers exactly what the contract says, also when a rule denied: which one it was is told beside the hash."""
        return evaluation_hash(self.decision, self.reason_code, self.policy, self.budget, self.context)

    def told(self) -> Payload:
        """What every answer says of it (runtime §3.1)."""
        return {
            "decision": self.decision,
            "reason_code": self.reason_code,
            "reason_codes_version": self.reason_codes_version,
            "evaluation_hash": self.evaluation_hash,
        }

    def inputs(self, facts: Facts | None = None) -> Payload:
        """`inputs` of a `policy.decision` (ADR 14): all that it takes to decide again."""
        covered = covered_inputs(self.policy, self.budget, self.context)
        told = {"step": self.step, "evaluation_hash": self.evaluation_hash, **covered}
        return told | {"facts": facts.told()} if facts else told


def evaluate(
    policy: Inputs, budget: Inputs, context: Inputs, rules: Rules | None = None, facts: Facts | None = None
) -> Decision:
    """Decide on JSON values: the same ones always give the same decision. Rules need facts to take part."""
    step, code = _step(policy, budget, context)
    rule = rules.refusal(facts) if step == _ALLOWED_STEP and rules is not None and facts is not None else None
    if rule is not None:
        code = rule.reason_code
    outcome: Outcome = "allowed" if code == reasons.ALLOWED else "denied"
    return Decision(outcome, code, None if rule else step, rule, dict(policy), dict(budget), dict(context))


def replay(
    events: Iterable[Recorded], policy: Inputs, budget: Inputs, rules: Rules | None = None, facts: Facts | None = None
) -> Decision:
    """What was decided after these events of a run, with an authorization and a budget as they were then."""
    return evaluate(policy, budget, context_of(events), rules, facts)


def context_of(events: Iterable[Recorded]) -> dict[str, Any]:
    """What a run's events say about why nothing more is allowed: the first reason of each family counts."""
    context = dict[str, Any]()
    for event in events:
        for code in _codes(event.payload):
            if name := _CONTEXT_OF.get(reasons.family(code)):
                context.setdefault(name, code)
    return context


def _codes(payload: Payload) -> Iterator[str]:
    policy = payload.get("policy")
    inner = policy.get("reason_code") if isinstance(policy, dict) else None
    for code in (payload.get("loop_detected_reason"), payload.get("reason_code"), inner):
        if isinstance(code, str):
            yield code


def decision_id(run_id: str, tool_call_id: str, reason_code: str, authorization_id: Any, budget: Inputs) -> str:
    """`policy_decision_id` (runtime §3.6)."""
    return hashing.hex_digest(
        {
            "run_id": run_id,
            "tool_call_id": tool_call_id,
            "reason_code": reason_code,
            "authorization_id": authorization_id,
            "budget": budget,
        }
    )


# --- the nine steps -------------------------------------------------------------------------------------------------


def _step(policy: Inputs, budget: Inputs, context: Inputs) -> tuple[int, str]:
    """Which of the nine matches first, and its reason code."""
    if context and (found := _stopped(context)):
        return found
    if policy.get("decision") == "denied":
        reason = policy.get("reason_code")
        return (4, str(reason)) if _is_in(reason, _DENYING) else (5, reasons.EXPLICIT_DENY)
    if _is_blank(policy.get("authorization_id")):
        return 6, reasons.AUTHORIZATION_MISSING
    mode = policy.get("authorization_mode")
    if mode is not None and not _is_in(mode, MODES):
        return 7, reasons.INVALID_AUTHORIZATION_MODE
    if _is_used_up(budget.get("remaining_sats")):
        return 8, reasons.BUDGET_EXHAUSTED
    return _ALLOWED_STEP, reasons.ALLOWED


def _stopped(context: Inputs) -> tuple[int, str] | None:
    for step, (name, fallback) in enumerate(_CONTEXT, 1):
        if (reason := context.get(name)) is not None:
            return step, _of_family(reason, fallback)
    return None


def _of_family(reason: Any, fallback: str) -> str:
    known = _is_in(reason, _DENYING) and reasons.family(reason) == reasons.family(fallback)
    return str(reason) if known else fallback


def _is_in(value: Any, words: frozenset[str]) -> bool:
    """A JSON value may be something that cannot be looked up."""
    return isinstance(value, str) and value in words


def _is_blank(value: Any) -> bool:
    return not (isinstance(value, str) and value.strip())


def _is_used_up(remaining: Any) -> bool:
    """Whether it parses to an integer that is not above 0; a float is truncated, so 0.9 is nothing."""
    match remaining:
        case bool():
            return False
        case int() | float():
            return remaining < 1
        case str():
            return _NOTHING_LEFT.match(remaining) is not None
    return False


_CONTEXT: Final = (
    ("manifest_validation_reason", reasons.INVALID_SCHEMA),
    ("loop_detected_reason", reasons.NO_PROGRESS),
    ("ssrf_block_reason", reasons.PRIVATE_ADDRESS),
)
_CONTEXT_OF: Final = {reasons.family(fallback): name for name, fallback in _CONTEXT}
