"""Whatever is evaluated: the contract's formula, the same answer twice, deny wins (runtime §3.1; DESIGN I10)."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from producers.policy import Decision, evaluate
from producers.policy_documents import DAYS, document
from producers.policy_rules import ActiveSet, Facts, Rules
from schemas import hashing, reasons
from schemas.events import Payload

COVERED = {
    "policy": ("policy_id", "authorization_id", "authorization_mode", "decision", "reason_code"),
    "budget": ("spent_sats", "reserved_sats", "remaining_sats"),
    "context": ("manifest_validation_reason", "loop_detected_reason", "ssrf_block_reason"),
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(sorted(reasons.NUMBERS))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = PLAIN | st.lists(PLAIN, max_size=2) | st.dictionaries(TEXT, PLAIN, max_size=2)


def inputs(part: str, special: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Payload]:
    fields = {name: special.get(name, VALUES) for name in (*COVERED[part], "run_id")}
    return st.fixed_dictionaries({}, optional=fields)


POLICIES = inputs(
    "policy",
    {
        "authorization_id": st.just("auth_1") | VALUES,
        "authorization_mode": st.sampled_from(["delegated_budget", "interactive"]) | VALUES,
        "decision": st.sampled_from(["allowed", "denied"]) | VALUES,
    },
)
BUDGETS = inputs("budget", {"remaining_sats": st.integers(-2, 2) | st.floats(-2, 2) | VALUES})
CONTEXTS = inputs("context", {})


def formula(decision: Decision, given_inputs: dict[str, Payload]) -> str:
    """The contract's, written out."""
    covered = {
        part: {name: fields[name] for name in COVERED[part] if name in fields} for part, fields in given_inputs.items()
    }
    return hashing.hex_digest({"decision": decision.decision, "reason_code": decision.reason_code, **covered})


@given(POLICIES, BUDGETS, CONTEXTS)
def test_the_hash_is_the_contracts_formula(policy: Payload, budget: Payload, context: Payload) -> None:
    decision = evaluate(policy, budget, context)
    assert decision.evaluation_hash == formula(decision, {"policy": policy, "budget": budget, "context": context})


def backwards(fields: Payload) -> Payload:
    return dict(reversed(fields.items()))


@given(POLICIES, BUDGETS, CONTEXTS)
def test_the_same_inputs_give_the_same_decision(policy: Payload, budget: Payload, context: Payload) -> None:
    once, again = evaluate(policy, budget, context), evaluate(backwards(policy), backwards(budget), backwards(context))
    assert once == again
    assert once.evaluation_hash == again.evaluation_hash


@given(POLICIES, BUDGETS, CONTEXTS, VALUES)
def test_what_is_not_covered_never_matters(policy: Payload, budget: Payload, context: Payload, value: Any) -> None:
    other = {"run_id": value, "now": value}
    once, again = evaluate(policy, budget, context), evaluate(policy | other, budget | other, context | other)
    assert once.told() == again.told()


@given(POLICIES, BUDGETS, CONTEXTS, st.sampled_from(["policy", "budget", "context"]), st.data())
def test_any_change_of_what_is_covered_changes_the_hash(
    policy: Payload, budget: Payload, context: Payload, part: str, data: st.DataObject
) -> None:
    before = {"policy": policy, "budget": budget, "context": context}
    name = data.draw(st.sampled_from(COVERED[part]))
    after = before | {part: before[part] | {name: {"another": before[part].get(name)}}}
    decisions = [evaluate(each["policy"], each["budget"], each["context"]) for each in (before, after)]
    assert decisions[0].evaluation_hash != decisions[1].evaluation_hash


@given(POLICIES, BUDGETS, CONTEXTS)
def test_every_decision_has_a_code_that_says_what_it_is(policy: Payload, budget: Payload, context: Payload) -> None:
    decision = evaluate(policy, budget, context)
    assert decision.reason_code in reasons.NUMBERS
    assert (decision.decision == "allowed") == (reasons.family(decision.reason_code) == "policy_allowed")


def parsed(value: Any) -> int | None:
    """Step 8, written another way."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return math.trunc(value)
    leading = re.match(r"[+-]?[0-9]+", value) if isinstance(value, str) else None
    return int(leading[0]) if leading else None


REMAINING = VALUES | st.integers(-2, 2) | st.floats(-2, 2) | st.from_regex(r"\A[+-]?0{0,3}[0-9]{0,3} ?[a-z]?\Z")


@given(REMAINING)
def test_nothing_left_is_an_integer_that_is_not_above_zero(remaining: Any) -> None:
    decision = evaluate({"authorization_id": "auth_1"}, {"remaining_sats": remaining}, {})
    left = parsed(remaining)
    assert (decision.step == 8) == (left is not None and left <= 0)


# --- rules ----------------------------------------------------------------------------------------------------------

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
TOOLS = ("git", "git.push", "git.pull", "mail", "mail.send", "shell")
HOSTS = ("example.com", "api.example.com", "a.api.example.com", "com", "other.org")
TOOL_PATTERNS = st.sampled_from([*TOOLS, "*", "git*", "git.*", "git.p*", "m*"])
HOST_PATTERNS = st.sampled_from([*HOSTS, "*", "*.com", "*.example.com", "*.api.example.com"])
TIMES = st.sampled_from(["00:00", "06:00", "12:00", "12:01", "23:59"])
BETWEEN = st.tuples(TIMES, TIMES | st.just("24:00")).filter(lambda pair: pair[0] != pair[1]).map("-".join)
FACTS = st.builds(
    Facts,
    tool=st.sampled_from(TOOLS),
    now=st.integers(0, 7 * 24 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    amount_sats=st.integers(0, 3),
    host=st.none() | st.sampled_from(HOSTS),
    project=st.none() | st.sampled_from(["a", "b"]),
)
WHEN = {
    "tools": st.lists(TOOL_PATTERNS, min_size=1, max_size=3),
    "hosts": st.lists(HOST_PATTERNS, min_size=1, max_size=3),
    "between": BETWEEN,
    "days": st.lists(st.sampled_from(DAYS), min_size=1, max_size=3),
}
SATS, RATES = st.integers(0, 2), st.sampled_from(["1/minute", "2/hour", "3/day"])


def rules_of(effect: str) -> st.SearchStrategy[list[Payload]]:
    limits = {"deny": ("above_sats", "above_rate"), "allow": ("up_to_sats", "up_to_rate")}[effect]
    optional = {**WHEN, limits[0]: SATS, limits[1]: RATES}
    rule = st.fixed_dictionaries({}, optional=optional).filter(bool)
    return st.lists(rule, max_size=5).map(
        lambda rules: [{"rule": f"{effect}-{number}", **each} for number, each in enumerate(rules)]
    )


@st.composite
def sets(draw: st.DrawFn) -> list[Payload]:
    written = []
    for number in range(draw(st.integers(1, 3))):
        default = draw(st.sampled_from(["allow", "deny"]))
        each = {"name": f"set-{number}", "default": default, "deny": draw(rules_of("deny"))}
        each |= {"allow": draw(rules_of("allow"))} if default == "deny" else {}
        written.append(each | draw(st.fixed_dictionaries({}, optional={"project": st.sampled_from(["a", "b"])})))
    return written


def holds(each: Payload, rule: Payload, facts: Facts, *, rates: bool = True) -> bool:
    """One rule, looked at by itself."""
    minute, window = facts.now.hour * 60 + facts.now.minute, rule.get("between")
    start, end = ([int(part[:2]) * 60 + int(part[3:]) for part in window.split("-")]) if window else (0, 24 * 60)
    count = facts.recent.get(f"{each['name']}/{rule['rule']}", 10**9)
    above, up_to = rule.get("above_rate"), rule.get("up_to_rate")
    return (
        each.get("project") in (None, facts.project)
        and any(means(pattern, facts.tool) for pattern in rule.get("tools", ["*"]))
        and ("hosts" not in rule or any(goes(pattern, facts.host) for pattern in rule["hosts"]))
        and (start <= minute < end if start < end else minute >= start or minute < end)
        and ("days" not in rule or DAYS[facts.now.weekday()] in rule["days"])
        and facts.amount_sats > rule.get("above_sats", -1)
        and facts.amount_sats <= rule.get("up_to_sats", 10**9)
        and not (rates and above and count < int(above.split("/")[0]))
        and not (rates and up_to and count >= int(up_to.split("/")[0]))
    )


def means(pattern: str, tool: str) -> bool:
    return tool.startswith(pattern[:-1]) if pattern.endswith("*") else tool == pattern


def goes(pattern: str, host: str | None) -> bool:
    if host is None:
        return False
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def first_refusal(written: list[Payload], facts: Facts) -> tuple[str, str] | None:
    """All rules of all sets, one after the other: any that denies wins; then sets in which nothing allows."""
    for each in written:
        for rule in each["deny"]:
            if holds(each, rule, facts):
                return each["name"], rule["rule"]
    for each in written:
        concerns = each["default"] == "deny" and each.get("project") in (None, facts.project)
        if concerns and not any(holds(each, rule, facts) for rule in each["allow"]):
            return each["name"], "default"
    return None


def compiled(written: list[Payload]) -> Rules:
    return Rules(ActiveSet(number, document(each)) for number, each in enumerate(written, 1))


@given(sets(), FACTS, st.dictionaries(st.from_regex(r"\Aset-[0-2]/(deny|allow)-[0-4]\Z"), st.integers(0, 4)))
def test_compiled_rules_say_what_the_rules_say_one_after_the_other(
    written: list[Payload], facts: Facts, recent: dict[str, int]
) -> None:
    told = Facts.of(facts.told() | {"recent": recent})
    fired = compiled(written).refusal(told)
    assert (None if fired is None else (fired.set, fired.rule)) == first_refusal(written, told)


@given(sets(), FACTS)
def test_the_counts_asked_for_are_those_of_rules_whose_other_conditions_hold(
    written: list[Payload], facts: Facts
) -> None:
    expected = {
        f"{each['name']}/{rule['rule']}"
        for each in written
        for rule in [*each["deny"], *each.get("allow", [])]
        if ("above_rate" in rule or "up_to_rate" in rule) and holds(each, rule, facts, rates=False)
    }
    assert {counted.key for counted in compiled(written).counted(facts)} == expected


@given(sets(), sets(), FACTS)
def test_another_set_never_lets_through_what_one_refuses(
    some: list[Payload], others: list[Payload], facts: Facts
) -> None:
    renamed = [each | {"name": f"other-{number}"} for number, each in enumerate(others)]
    if compiled(some).refusal(facts) is not None:
        assert compiled(some + renamed).refusal(facts) is not None
        assert compiled(renamed + some).refusal(facts) is not None


@given(sets(), FACTS)
def test_an_allowing_rule_never_gets_past_one_that_denies(written: list[Payload], facts: Facts) -> None:
    go, stop = {"rule": "go", "tools": ["*"]}, {"rule": "stop", "tools": ["*"]}
    generous = [each | {"default": "deny", "allow": [go, *each.get("allow", [])]} for each in written]
    strict = [each | {"deny": [stop, *each["deny"]]} for each in generous]
    concerned = any(each.get("project") in (None, facts.project) for each in written)
    assert (compiled(strict).refusal(facts) is not None) == concerned
