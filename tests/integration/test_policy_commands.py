"""`oa policy`: files become versions in the log, and the log tells what they decided or would have (docs/policy.md)."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.commands.policy_decisions import moment
from ops.stack.processes import StackError
from producers.policy import decision_id, evaluate
from producers.policy_documents import document
from producers.policy_rules import ActiveSet, Facts, Rules
from schemas import hashing
from schemas.events import Payload, Recorded
from tests.worker_events import commit

Oa = Callable[..., "subprocess.CompletedProcess[str]"]
OWNER = "user:41"
NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
STRICT: Payload = {"name": "strict", "deny": [{"rule": "none", "tools": ["*"], "why": "not now"}]}
CAREFUL = """
name = "careful"

[[deny]]
rule = "dear"
tools = ["lightning.pay"]
above_sats = 10
"""


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
def oa(database: str, tmp_path: Path) -> Oa:
    (tmp_path / "careful.toml").write_text(CAREFUL)

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OA_")}
        command = [sys.executable, "-m", "ops.commands", "policy", *words]
        environment = kept | {"OA_DATABASE_URL": database}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=100, env=environment, check=False, cwd=tmp_path
        )

    return run


def test_a_file_is_checked_and_every_mistake_told(oa: Oa, tmp_path: Path) -> None:
    assert oa("check", "careful.toml").stdout == "careful: 1 rules deny, 0 allow, the default is allow\n"
    (tmp_path / "bad.json").write_text('{"nmae": "x", "deny": [{"rule": "r", "hosts": []}]}')
    bad = oa("check", "bad.json")
    assert bad.returncode == 1
    assert bad.stderr.splitlines()[0] == "oa: 3 mistakes"
    assert [line.split(":")[0] for line in bad.stderr.splitlines()[1:]] == ["name", "nmae", "deny[1].hosts"]


def test_a_version_is_proposed_activated_and_retired(oa: Oa, tmp_path: Path) -> None:
    mine = ("--owner", OWNER)
    assert "careful version 1 is proposed" in oa("propose", "careful.toml", *mine).stdout
    assert "careful version 1 was proposed" in oa("propose", "careful.toml", *mine).stdout
    assert json.loads(oa("list", "--json").stdout)["active"] is None
    assert oa("activate", "careful.toml", *mine).stdout == "careful version 1 counts\n"
    assert oa("activate", "careful.toml", *mine).stdout == "careful version 1 counted already\n"
    (tmp_path / "careful.toml").write_text(CAREFUL.replace("10", "20"))
    assert oa("activate", "careful.toml", *mine).stdout == "careful version 2 counts\n"
    shown = json.loads(oa("show", "careful", *mine).stdout)
    assert (shown["active"], shown["proposed"]) == (2, None)
    assert shown["active_document"]["deny"] == [{"rule": "dear", "tools": ["lightning.pay"], "above_sats": 20}]
    assert oa("retire", "careful", *mine).returncode == 0
    assert json.loads(oa("list", "--json").stdout)["active"] is None


def test_what_is_not_there_and_whose_it_cannot_be(oa: Oa) -> None:
    for words in (["retire", "careful", "--owner", OWNER], ["show", "careful", "--owner", OWNER]):
        refused = oa(*words)
        assert refused.returncode == 1
        assert "policy set" in refused.stderr
    assert "not an owner" in oa("propose", "careful.toml", "--owner", "41").stderr
    assert "no policy.decision" in oa("explain", "0" * 64).stderr


def recorded(position: int, stream: str, type_: str, payload: Payload, owner: str = OWNER) -> Recorded:
    at = NOON + timedelta(seconds=position)
    kind, digest = stream.partition("/")[0], hashing.digest(payload)
    return Recorded(position, kind, stream, position, type_, 1, owner, payload, digest, {}, at)


def denial() -> Payload:
    """What a spending that a rule denied leaves in the run's log (ADR 14)."""
    facts, budget = Facts("lightning.pay", NOON, 50), {"remaining_sats": 100}
    policy = {"authorization_id": "auth_1", "authorization_mode": "delegated_budget"}
    decision = evaluate(policy, budget, {}, Rules([ActiveSet(1, document(STRICT))]), facts)
    assert decision.rule
    named = decision_id("run_1", "tc-0", decision.reason_code, "auth_1", budget)
    return {
        "decision": "denied",
        "reason_code": decision.reason_code,
        "tool_call_id": "tc-0",
        **policy,
        "budget": budget,
        "policy_decision_id": named,
        "amount_sats": 50,
        "detail": decision.rule.detail,
        "rule": decision.rule.told(),
        "inputs": decision.inputs(facts),
    }


def held(position: int, hold: str, sats: int, owner: str = OWNER) -> list[Recorded]:
    """One that went through, and was spent."""
    about = {"hold_id": hold, "run_id": "run_1", "tool_call_id": f"tc-{hold}"}
    reserved = about | {"amount_msats": sats * 1000, "metadata": {"tool": "lightning.pay", "host": "node.example"}}
    return [
        recorded(position, f"hold/{hold}", "hold.reserved", reserved, owner),
        recorded(position + 1, f"hold/{hold}", "hold.committed", {"spent_msats": sats * 1000}, owner),
    ]


@pytest.fixture
async def history(pool: "asyncpg.Pool[Any]") -> None:
    """A rule denied one call of mine; two went through, and one of somebody else."""
    proposed = {"name": "strict", "policy_version": 1, "document": STRICT, "document_hash": ""}
    events = [
        recorded(1, f"policy/{OWNER}/strict", "policy.proposed", proposed),
        recorded(2, "run/run_1", "policy.decision", denial()),
        *held(3, "dear", 50),
        *held(5, "cheap", 5),
        *held(7, "theirs", 70, "user:42"),
    ]
    await commit(pool, events)


@pytest.mark.usefixtures("history")
def test_a_denial_is_explained(oa: Oa) -> None:
    """runtime §3.6: by its policy_decision_id."""
    decision = denial()["policy_decision_id"]
    told = json.loads(oa("explain", decision, "--json").stdout)
    assert told["rule"] == STRICT["deny"][0]
    assert told["again"] is True
    assert (told["run_id"], told["position"]) == ("run_1", 2)
    lines = dict(line.split(maxsplit=1) for line in oa("explain", decision).stdout.splitlines())
    assert lines["decision"] == "denied, policy_denied.explicit_deny"
    assert lines["because"] == "strict v1, rule none: not now"
    assert lines["budget"] == "remaining_sats 100"
    assert lines["rule"] == "none of strict, version 1"
    assert lines["again"] == "the same decision"


@pytest.mark.usefixtures("history")
def test_a_file_is_tried_on_what_happened(oa: Oa) -> None:
    words = ("simulate", "careful.toml", "--owner", OWNER, "--since", "2026-02-20T12:00:00Z")
    told = json.loads(oa(*words, "--json").stdout)
    assert (told["calls"], told["denied"], told["refused"]) == (3, 1, {"dear": 1})
    assert (told["saved_msats"], told["spent_msats"]) == (50_000, 5_000)
    [example] = told["examples"]
    assert (example["tool_call_id"], example["host"], example["amount_sats"]) == ("tc-dear", "node.example", 50)
    told_people = oa(*words).stdout
    assert "careful     would have refused 1" in told_people
    assert "saved       50 sats that these spent, of 50 sats held" in told_people


@pytest.mark.usefixtures("history")
def test_only_what_happened_since_then_counts(oa: Oa) -> None:
    told = json.loads(
        oa("simulate", "careful.toml", "--owner", OWNER, "--since", "2026-02-20T12:00:05Z", "--json").stdout
    )
    assert (told["calls"], told["refused"], told["saved_msats"]) == (1, {}, 0)


def test_since_when() -> None:
    now = datetime(2026, 2, 20, 12, tzinfo=UTC)
    assert moment("90m", now) == datetime(2026, 2, 20, 10, 30, tzinfo=UTC)
    assert moment("7d", now) == datetime(2026, 2, 13, 12, tzinfo=UTC)
    assert moment("2026-02-20T11:00:00+02:00", now) == datetime(2026, 2, 20, 9, tzinfo=UTC)
    assert moment("2026-02-20", now) == datetime(2026, 2, 20, tzinfo=UTC)
    for wrong in ("", "d", "yesterday", "-7d", "99999999999d"):
        with pytest.raises(StackError):
            moment(wrong, now)
