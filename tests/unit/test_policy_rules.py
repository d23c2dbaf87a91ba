"""What single rules say, which of several is told, and that deny wins (runtime §3.1, §3.2; docs/policy.md)."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from producers.policy import evaluate
from producers.policy_documents import document
from producers.policy_rules import ActiveSet, Counted, Facts, Fired, Rules
from schemas import hashing
from schemas.events import Payload

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
POLICY = {"authorization_id": "auth_1"}


def compiled(*sets: Payload) -> Rules:
    return Rules(ActiveSet(number, document(each)) for number, each in enumerate(sets, 1))


def denying(**conditions: Any) -> Rules:
    return compiled({"name": "s", "deny": [{"rule": "r", **conditions}]})


def refused(rules: Rules, tool: str = "git.push", **facts: Any) -> str | None:
    fired = rules.refusal(Facts(tool, facts.pop("now", NOON), **facts))
    return fired.rule if fired else None


def test_a_rule_that_denies_wins_over_every_one_that_allows() -> None:
    generous = {"name": "a", "default": "deny", "allow": [{"rule": "all", "tools": ["*"]}]}
    strict = {"name": "b", "deny": [{"rule": "no", "tools": ["git.*"]}]}
    for sets in ([generous, strict], [strict, generous], [generous | {"deny": strict["deny"]}]):
        assert refused(compiled(*sets)) == "no"
        assert refused(compiled(*sets), "mail") is None


def test_every_set_has_to_let_a_call_through() -> None:
    git = {"name": "a", "default": "deny", "allow": [{"rule": "git", "tools": ["git.*"]}]}
    mail = {"name": "b", "default": "deny", "allow": [{"rule": "mail", "tools": ["mail"]}]}
    assert refused(compiled(git)) is None
    assert [refused(compiled(git, mail), tool) for tool in ("git.push", "mail")] == ["default", "default"]


def test_of_rules_that_deny_the_first_of_the_file_is_told_however_it_is_found() -> None:
    by_tool = {"rule": "tool", "tools": ["git.push"]}
    by_beginning = {"rule": "beginning", "tools": ["git.*"]}
    by_host = {"rule": "host", "hosts": ["example.com"]}
    rules = [by_tool, by_beginning, by_host]
    for first in rules:
        others = [rule for rule in rules if rule is not first]
        assert refused(compiled({"name": "s", "deny": [first, *others]}), host="example.com") == first["rule"]


def test_a_denial_of_an_amount_or_a_rate_is_told_as_a_used_up_budget() -> None:
    """runtime §3.2: 103 for what limits, 100 for everything else."""
    denials: dict[str, list[Payload]] = {
        "policy_denied.budget_exhausted": [{"above_sats": 1}, {"above_rate": "1/hour"}],
        "policy_denied.explicit_deny": [{"tools": ["*"]}, {"hosts": ["*"]}, {"between": "00:00-24:00"}],
    }
    for code, rules in denials.items():
        for conditions in rules:
            fired = denying(**conditions).refusal(Facts("git.push", NOON, 2, host="example.com"))
            assert fired is not None
            assert fired.reason_code == code


def test_what_nothing_allows_is_denied_explicitly() -> None:
    """runtime §3.2: also when the only rule that would allow it has a limit."""
    only_small = {"name": "s", "default": "deny", "allow": [{"rule": "small", "tools": ["*"], "up_to_sats": 1}]}
    decision = evaluate(POLICY, {}, {}, compiled(only_small), Facts("pay", NOON, 2))
    assert decision.reason_code == "policy_denied.explicit_deny"
    assert decision.rule == Fired("s", 1, "default", "policy_denied.explicit_deny")


@pytest.mark.parametrize("host", ["api.example.com", "API.Example.COM", "api.example.com."])
def test_a_host_has_many_spellings(host: str) -> None:
    assert refused(denying(hosts=["api.example.com"]), host=host) == "r"
    assert refused(denying(hosts=["*.example.com"]), host=host) == "r"
    assert refused(denying(tools=["*"], hosts=["*.example.com"]), host=host) == "r"


@pytest.mark.parametrize("host", ["example.com", "badexample.com", "example.com.evil.org", "com", None])
def test_below_a_domain_is_not_the_domain_itself_nor_what_ends_like_it(host: str | None) -> None:
    assert refused(denying(hosts=["*.example.com"]), host=host) is None


def test_hours_and_days_are_those_of_utc() -> None:
    """The 20th of February 2026 is a Friday; in Honolulu it still is when it is Saturday in UTC."""
    honolulu = timezone(timedelta(hours=-10))
    evening = datetime(2026, 2, 20, 20, tzinfo=honolulu)
    assert refused(denying(between="06:00-06:01"), now=evening) == "r"
    assert refused(denying(days=["sat"]), now=evening) == "r"
    assert refused(denying(days=["fri"]), now=evening) is None


@pytest.mark.parametrize(
    ("at", "is_refused"),
    [("21:59", False), ("22:00", True), ("23:59", True), ("00:00", True), ("05:59", True), ("06:00", False)],
)
def test_a_night_goes_over_midnight_and_its_end_is_not_part_of_it(at: str, is_refused: bool) -> None:
    now = datetime.fromisoformat(f"2026-02-20T{at}:59Z")
    assert (refused(denying(between="22:00-06:00"), now=now) == "r") == is_refused


def test_what_nobody_counted_is_refused() -> None:
    assert refused(denying(above_rate="5/hour")) == "r"
    allowing = compiled({"name": "s", "default": "deny", "allow": [{"rule": "r", "up_to_rate": "5/hour"}]})
    assert refused(allowing) == "default"
    assert refused(allowing, recent={"s/r": 4}) is None
    assert refused(allowing, recent={"s/r": 5}) == "default"


def test_what_has_to_be_counted() -> None:
    rules = denying(tools=["git.*"], above_rate="5/minute")
    assert rules.counted(Facts("git.push", NOON)) == {Counted("s/r", 60)}
    assert rules.counted(Facts("mail", NOON)) == set()


@pytest.mark.parametrize("text", ["\x1f", "\x7f", "\n", '"', "\\", "é", "\u2028"])
def test_a_hash_is_of_canonical_json_whatever_is_written(text: str) -> None:
    """runtime §0.4: our encoder of the usual case escapes control characters in another way."""
    policy = {"authorization_id": f"auth_{text}"}
    covered = {"decision": "allowed", "reason_code": "policy_allowed.default", "budget": {}, "context": {}}
    assert evaluate(policy, {}, {}).evaluation_hash == hashing.hex_digest(covered | {"policy": policy})
