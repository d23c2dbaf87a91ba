"""The evaluation hash: what of a decision's inputs it covers, as canonical JSON, fast (runtime §3.1, §0.4)."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from schemas import hashing

Inputs = Mapping[str, Any]


# What is absent is UNSET and left out; fields are in the order of canonical JSON.


class _Budget(msgspec.Struct):
    remaining_sats: Any
    reserved_sats: Any
    spent_sats: Any


class _Context(msgspec.Struct):
    loop_detected_reason: Any
    manifest_validation_reason: Any
    ssrf_block_reason: Any


class _Policy(msgspec.Struct):
    authorization_id: Any
    authorization_mode: Any
    decision: Any
    policy_id: Any
    reason_code: Any


class _Evaluation(msgspec.Struct):
    budget: _Budget
    context: _Context
    decision: str
    policy: _Policy
    reason_code: str


_ENCODER: Final = msgspec.json.Encoder()
_PLAIN: Final = frozenset({str, int, bool, type(None), type(UNSET)})


def evaluation_hash(decision: str, reason_code: str, policy: Inputs, budget: Inputs, context: Inputs) -> str:
    """H over the outcome, and the five fields of `policy` and three of `budget` and `context` that are present.

    Raises ValueError for what JSON cannot say.
    """
    of_policy, of_budget, of_context = _covered(policy, budget, context)
    if _PLAIN.issuperset(map(type, of_policy + of_budget + of_context)):
        parts = _Budget(*of_budget), _Context(*of_context), decision, _Policy(*of_policy), reason_code
        encoded = _ENCODER.encode(_Evaluation(*parts))
        if b"\\" not in encoded:  # of control characters msgspec and canonical JSON make different escapes
            return hashing.digest_bytes(encoded).hex()
    covered = covered_inputs(policy, budget, context)
    return hashing.hex_digest({"decision": decision, "reason_code": reason_code, **covered})


def covered_inputs(policy: Inputs, budget: Inputs, context: Inputs) -> dict[str, Any]:
    """What the hash covers besides the outcome."""
    names = _Policy.__struct_fields__, _Budget.__struct_fields__, _Context.__struct_fields__
    fields = zip(("policy", "budget", "context"), names, _covered(policy, budget, context), strict=True)
    return {part: _present(dict(zip(those, values, strict=True))) for part, those, values in fields}


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not UNSET}


def _covered(policy: Inputs, budget: Inputs, context: Inputs) -> tuple[tuple[Any, ...], ...]:
    """The values of the structs' fields, in their order."""
    return (
        (
            policy.get("authorization_id", UNSET),
            policy.get("authorization_mode", UNSET),
            policy.get("decision", UNSET),
            policy.get("policy_id", UNSET),
            policy.get("reason_code", UNSET),
        ),
        (
            budget.get("remaining_sats", UNSET),
            budget.get("reserved_sats", UNSET),
            budget.get("spent_sats", UNSET),
        ),
        (
            context.get("loop_detected_reason", UNSET),
            context.get("manifest_validation_reason", UNSET),
            context.get("ssrf_block_reason", UNSET),
        ),
    )
