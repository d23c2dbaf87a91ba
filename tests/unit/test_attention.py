"""What operators are told needs them: nothing while all goes well, and each thing by its alert's name."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from ops.attention import attention

OPERATORS = Path(__file__).parents[2] / "docs" / "operators.md"


def process(kind: str, **told: Any) -> dict[str, Any]:
    return {"kind": kind, "host": "desk", "pid": 7, "ready": True, "runs": True, "state": ""} | told


CALM: dict[str, Any] = {
    "log": {"suspended": None, "timers_overdue": 0},
    "relay": {"lag_seconds": 30.0},
    "followers": [
        {"kind": "view", "name": "worker_summaries", "lag_seconds": 60.0},
        {"kind": "reaction", "name": "executor.frames", "lag_seconds": 0.0},
    ],
    "journal": [{"topic": "runtime.notifications", "lag_seconds": 30.0}],
    "tail": {"lag_seconds": 30.0},
    "processes": [process("edge"), process("relay"), process("processors")],
    "quarantine": [],
    "audit": {"differences": 0, "agreed_seconds_ago": 1800.0},
}


def told(path: str, value: Any) -> list[dict[str, Any]]:
    """Of what is calm but for one thing, named by its dotted path."""
    whole = copy.deepcopy(CALM)
    *above, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    place: Any = whole
    for part in above:
        place = place[part]
    place[last] = value
    return attention(whole)


def test_nothing_needs_anybody_while_all_goes_well() -> None:
    assert attention(CALM) == []


def test_an_audit_that_has_not_ended_yet_alarms_nobody() -> None:
    assert told("audit", None) == told("audit.agreed_seconds_ago", None) == []


def test_a_process_that_is_gone_is_no_matter_while_another_does_its_work() -> None:
    assert attention(CALM | {"processes": [*CALM["processes"], process("relay", runs=False, ready=False)]}) == []


ALARMS = [
    ("log.suspended", "restored", "LogSuspended", "log", "restored"),
    ("processes.1.runs", False, "ProcessDown", "relay", "the relay"),
    ("processes.2.ready", False, "ProcessDown", "views", "processors on desk (process 7) does not get on"),
    ("relay.lag_seconds", 30.1, "RelayLagHigh", "relay", "half a minute ago"),
    ("relay.lag_seconds", 7300.0, "RelayLagHigh", "relay", "2 h ago"),
    (
        "followers.0.lag_seconds",
        60.1,
        "ProjectionStuck",
        "views",
        "worker_summaries has not come to",
    ),
    ("followers.1.lag_seconds", 60.1, "ProjectionStuck", "reactions", "executor.frames"),
    ("journal.0.lag_seconds", 30.1, "ProcessDown", "edge", "runtime.notifications"),
    ("tail.lag_seconds", 30.1, "ProcessDown", "edge", "the log"),
    ("quarantine", [{"version": 2}], "QuarantineNotEmpty", "views", "1 document parked"),
    ("quarantine", [{"version": None}] * 2, "QuarantineNotEmpty", "reactions", "2 reactions parked"),
    ("log.timers_overdue", 2, "TimersOverdue", "log", "2 deadlines"),
    ("audit.differences", 3, "AuditDifferences", None, "3 differences"),
    ("audit.agreed_seconds_ago", 1860.0, "AuditStale", None, "31 min"),
]


@pytest.mark.parametrize(("path", "value", "alert", "hop", "word"), ALARMS)
def test_each_thing_that_needs_a_human_is_told_by_its_name(
    path: str, value: Any, alert: str, hop: str | None, word: str
) -> None:
    (one,) = told(path, value)
    assert (one["alert"], one["hop"], word in one["text"]) == (alert, hop, True)


def test_what_is_told_is_explained_to_operators() -> None:
    explained = set(re.findall(r"^### (\w+)$", OPERATORS.read_text(encoding="utf-8"), re.MULTILINE))
    assert {alert for _, _, alert, *_ in ALARMS} <= explained
