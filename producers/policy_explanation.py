"""Why something was denied: what the log keeps of a decision, the rule as it was written, and the same once more."""

from typing import Any

import msgspec

from producers.policy import evaluate
from producers.policy_documents import DEFAULT, InvalidPolicy, document
from producers.policy_rules import ActiveSet, Facts, Rules
from schemas.events import Payload, Recorded
from schemas.names import run_id_of
from schemas.times import iso6


class Explanation(msgspec.Struct, frozen=True):
    """`told` is the event's payload, `rule` how the one that fired is written in its version of the set; `again` is
    whether the same inputs give the same decision today, None when the log does not keep enough of them."""

    position: int
    at: str
    run_id: str
    told: Payload
    rule: Payload | None
    again: bool | None


def explained(event: Recorded, policy_set: Payload | None) -> Explanation:
    """Of a `policy.decision` and, when a rule fired, the document of its set's version."""
    told = event.payload
    rule = _rule(policy_set, told["rule"].get("rule")) if policy_set and isinstance(told.get("rule"), dict) else None
    return Explanation(
        event.position, iso6(event.recorded_at), run_id_of(event.stream), told, rule, _again(told, policy_set)
    )


def fired(event: Recorded) -> tuple[str, int] | None:
    """Name and version of the set whose rule denied (ADR 14)."""
    match event.payload.get("rule"):
        case {"set": str(name), "version": int(version)}:
            return name, version
    return None


def _rule(policy_set: Payload, name: Any) -> Payload | None:
    if name == DEFAULT:
        return {"default": policy_set.get("default")}
    rules = [*policy_set.get("deny", []), *policy_set.get("allow", [])]
    return next((rule for rule in rules if rule.get("rule") == name), None)


def _again(told: Payload, policy_set: Payload | None) -> bool | None:
    match told.get("inputs"):
        case {"policy": dict(policy), "budget": dict(budget), "context": dict(context), **rest}:
            pass
        case _:
            return None
    try:
        rules = Rules([ActiveSet(told["rule"]["version"], document(policy_set))]) if policy_set else None
        facts = msgspec.convert(rest.get("facts"), Facts | None)
    except ValueError:
        return None
    except InvalidPolicy:
        return False
    decision = evaluate(policy, budget, context, rules, facts)
    again = decision.reason_code, decision.evaluation_hash, decision.rule and decision.rule.told()
    return again == (told.get("reason_code"), rest.get("evaluation_hash"), told.get("rule"))
