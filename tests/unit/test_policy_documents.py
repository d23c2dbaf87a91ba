"""What a policy file may say, and how its mistakes are told: all at once (docs/policy.md)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from producers.policy_documents import Between, InvalidPolicy, Rate, document, parsed
from schemas.events import Payload

CAREFUL = """
name = "careful"
description = "nothing happens at night"
project = "acme-web"
default = "deny"

[[deny]]
rule = "night"
tools = ["shell", "git.*"]
hosts = ["example.com", "*.internal.example"]
between = "22:00-06:30"
days = ["sat", "sun"]
why = "nobody watches"

[[deny]]
rule = "dear"
tools = ["*"]
above_sats = 5000
above_rate = "30/hour"

[[allow]]
rule = "small"
tools = ["lightning.pay"]
up_to_sats = 100
up_to_rate = "5/day"
"""


def minimal(**changes: Any) -> Payload:
    return {"name": "p", **changes}


def deny(**conditions: Any) -> Payload:
    return minimal(deny=[{"rule": "r", **conditions}])


def mistakes(written: Payload) -> list[str]:
    with pytest.raises(InvalidPolicy) as raised:
        document(written)
    return raised.value.errors


def test_a_file_in_toml() -> None:
    read = document(parsed(CAREFUL, toml=True))
    assert (read.name, read.project, read.default) == ("careful", "acme-web", "deny")
    night, dear = read.deny
    assert night.tools == ("shell", "git.*")
    assert night.hosts == ("example.com", "*.internal.example")
    assert night.between == Between(22 * 60, 6 * 60 + 30)
    assert night.days == {5, 6}
    assert night.why == "nobody watches"
    assert (dear.sats, dear.rate) == (5000, Rate(30, 3600))
    [small] = read.allow
    assert (small.sats, small.rate) == (100, Rate(5, 86400))


def test_the_example_of_the_page_is_a_policy_set() -> None:
    page = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert [rule.rule for rule in document(parsed(example, toml=True)).deny] == [
        "night-shell",
        "inside",
        "dear",
        "many-mails",
    ]


def test_the_same_in_json() -> None:
    written = parsed(CAREFUL, toml=True)
    assert document(parsed(json.dumps(written), toml=False)) == document(written)


def test_the_least_that_a_file_says() -> None:
    read = document(minimal())
    assert (read.default, read.deny, read.allow, read.project) == ("allow", (), (), None)


@pytest.mark.parametrize(("text", "toml"), [("name = ", True), ("{", False), ("[]", False), ("7", False)])
def test_what_is_no_object(text: str, toml: bool) -> None:
    with pytest.raises(InvalidPolicy):
        parsed(text, toml=toml)


def test_all_mistakes_are_told_at_once() -> None:
    written = {
        "name": "No Good",
        "defualt": "deny",
        "deny": [
            {"rule": "a", "tool": ["x"], "above_sats": "5"},
            {"tools": [], "between": "25:00-26:00"},
            "everything",
            {"rule": "default", "tools": ["*"]},
        ],
        "allow": [{"rule": "b", "tools": ["x"], "above_sats": 5}],
    }
    assert [line.partition(":")[0] for line in mistakes(written)] == [
        "name",
        "defualt",
        "deny[1].tool",
        "deny[1].above_sats",
        "deny[2].rule",
        "deny[2].tools",
        "deny[2].between",
        "deny[3]",
        "deny[4].rule",
        "allow[1].above_sats",
    ]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({}, "name: is missing"),
        (minimal(defualt="deny"), "defualt: is not known, did you mean default?"),
        (minimal(xyz=1), "xyz: is not known"),
        (minimal(default="maybe"), "default: must be allow or deny"),
        (minimal(deny={"rule": "r"}), "deny: must be a list of tables"),
        (deny(), 'deny[1]: says nothing about when; for every call write tools = ["*"]'),
        (deny(why="because"), 'deny[1]: says nothing about when; for every call write tools = ["*"]'),
        (minimal(deny=[deny(tools=["*"])["deny"][0]] * 2), "rule 'r': is there 2 times"),
        (
            minimal(allow=[{"rule": "r", "tools": ["*"]}]),
            'allow: has no effect without default = "deny"',
        ),
        (
            minimal(deny=[{"rule": f"r{n}", "tools": ["*"]} for n in range(1001)]),
            "1001 rules are more than 1000",
        ),
    ],
)
def test_a_mistake_is_told_where_it_is(written: Payload, told: str) -> None:
    assert mistakes(written) == [told]


def test_a_rule_of_both_effects_has_one_name() -> None:
    both = {"rule": "r", "tools": ["*"]}
    assert mistakes(minimal(default="deny", deny=[both], allow=[both])) == ["rule 'r': is there 2 times"]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("tools", [["a"], ["a.*"], ["*"], ["Ünïcode"]], [[], "a", [""], ["*a"], ["a*b"], ["a b"], [7], ["x"] * 101]),
        (
            "hosts",
            [["a.b"], ["*.a"], ["*"], ["localhost"], ["10.0.0.1"], ["fe80::1"]],
            [[], ["A.b"], ["a."], ["a..b"], ["*a"], ["a.*"], ["a:80"], ["a/b"], ["é.org"], [None]],
        ),
        ("above_sats", [0, 1, 2_100_000_000_000_000], [-1, 1.0, True, "1", None, 2_100_000_000_000_001]),
        ("above_rate", ["1/minute", "30/hour", "999/day"], ["0/hour", "-1/day", "1/week", "1", 1, "1.5/day", "1 /day"]),
        (
            "between",
            ["00:00-24:00", "22:00-06:00", "23:59-00:00"],
            ["06:00-06:00", "24:00-01:00", "1:00-2:00", "01:00", "01:60-02:00", 1, "00:00-24:01"],
        ),
        ("days", [["mon"], ["sat", "sun"]], [[], ["monday"], "mon", [1], [["mon"]]]),
    ],
)
def test_what_a_condition_may_be(field: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert document(deny(**{field: value})).deny
    for value in bad:
        [told] = mistakes(deny(**{field: value}))
        assert told.startswith(f"deny[1].{field}: "), told


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a/b", "a" * 65, 7, None, "é"])
def test_a_name_can_be_part_of_a_streams_name(name: Any) -> None:
    assert mistakes(minimal(name=name))[0].startswith("name: ")
    assert mistakes(minimal(deny=[{"rule": name, "tools": ["*"]}]))[0].startswith("deny[1].rule: ")


@pytest.mark.parametrize("text", ["", "  ", "x" * 301, "a\nb", 7])
def test_words_are_a_line(text: Any) -> None:
    assert mistakes(deny(tools=["*"], why=text))[0].startswith("deny[1].why: ")
    assert mistakes(minimal(project=text))[0].startswith("project: ")
