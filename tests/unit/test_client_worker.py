"""The daemon's decisions without a daemon: what is mirrored, which Codex is run and with which settings."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oa_client.errors import NoCodex
from oa_client.worker.approvals import Approve
from oa_client.worker.installation import environment, find_codex, native, write_stub_profile
from oa_client.worker.mirror import mirrored
from oa_client.worker.turns import TurnSettings
from oa_client.workers import Payload

NOON = "2026-02-25T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("method", "event_type"),
    [
        ("thread/started", "worker.started"),
        ("thread/completed", "worker.stopped"),
        ("error", "worker.error"),
        ("codex/error", "worker.error"),
        ("turn/started", "worker.event"),
        ("item/agentMessage/delta", "worker.event"),
    ],
)
def test_a_notification_becomes_the_event_of_its_method(method: str, event_type: str) -> None:
    params = {"turnId": "t9", "text": "zwei\u2028Zeilen"}
    assert mirrored({"method": method, "params": params}, NOON) == (
        event_type,
        {"source": "autopilot-desktop", "method": method, "params": params, "occurred_at": NOON},
    )


def test_a_request_of_codex_is_mirrored_with_its_id() -> None:
    event = mirrored({"id": 7, "method": "item/fileChange/requestApproval", "params": {}}, NOON)
    assert event is not None
    assert (event[0], event[1]["request_id"]) == ("worker.request.received", "7")


def test_what_codex_says_twice_is_mirrored_once() -> None:
    assert mirrored({"method": "codex/event/agent_message", "params": {}}, NOON) is None


def test_params_are_an_object_also_when_codex_sends_none() -> None:
    event = mirrored({"method": "turn/started"}, NOON)
    assert event is not None
    assert event[1]["params"] == {}


@given(st.integers(0, 700_000), st.integers(1, 200))
def test_no_event_is_larger_than_the_server_takes(characters: int, parts: int) -> None:
    params = {"item": {"id": "i1", "aggregatedOutput": "ü" * characters, "parts": ["x" * 9_000] * parts}}
    event = mirrored({"method": "item/completed", "params": params}, NOON)
    assert event is not None
    assert len(msgspec.json.encode(event[1])) <= 300 * 1024


def test_a_large_output_is_cut_and_the_rest_of_its_event_stays() -> None:
    params = {"item": {"id": "i1", "aggregatedOutput": "x" * 600_000}, "turnId": "t9"}
    event = mirrored({"method": "item/completed", "params": params}, NOON)
    assert event is not None
    item = event[1]["params"]["item"]
    assert (item["id"], event[1]["params"]["turnId"]) == ("i1", "t9")
    assert item["aggregatedOutput"].endswith("[591808 characters cut]")


@pytest.mark.parametrize(
    ("approve", "policy"), [(Approve.ASK, "untrusted"), (Approve.NEVER, "never"), (Approve.ALL, "untrusted")]
)
def test_codex_asks_unless_it_was_told_never_to(approve: Approve, policy: str) -> None:
    settings = TurnSettings(Path("/desk"), "workspace-write", approve)
    assert settings.thread == {"cwd": "/desk", "sandbox": "workspace-write", "approvalPolicy": policy}


@pytest.mark.parametrize(
    ("sandbox", "policy"),
    [
        ("read-only", {"type": "readOnly"}),
        ("workspace-write", {"type": "workspaceWrite", "writableRoots": ["/desk"]}),
        ("danger-full-access", {"type": "dangerFullAccess"}),
    ],
)
def test_a_command_runs_in_the_sandbox_of_the_turns(sandbox: str, policy: Payload) -> None:
    assert TurnSettings(Path("/desk"), sandbox, Approve.ASK).command_sandbox == policy


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_configured_codex_wins_over_the_one_on_path_and_that_over_npms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    npms = executable(package / "node_modules" / ".bin" / "codex")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_codex(None, package) == npms
    on_path = executable(tmp_path / "bin" / "codex")
    assert find_codex(None, package) == on_path
    configured = executable(tmp_path / "mine")
    assert find_codex(configured, package) == configured


def test_without_any_codex_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoCodex, match="oa worker install"):
        find_codex(None, tmp_path)
    with pytest.raises(NoCodex, match="OA_CODEX_BIN"):
        find_codex(tmp_path / "missing", tmp_path)


@pytest.mark.parametrize(("binary", "tools"), [("codex/codex", "path"), ("bin/codex", "codex-path")])
def test_the_binary_behind_npms_launcher_is_run_itself_with_the_tools_it_brings(
    tmp_path: Path, binary: str, tools: str
) -> None:
    modules = tmp_path / "node_modules" / "@openai"
    script = executable(modules / "codex" / "bin" / "codex.js")
    launcher = tmp_path / "codex"
    launcher.symlink_to(script)
    assert native(launcher) == script
    installed = modules / "codex-linux-x64" / "vendor" / "x86_64-unknown-linux-musl"
    executable(installed / tools / "rg")
    found = executable(installed / binary)
    assert native(launcher) == found
    assert environment({"PATH": "/bin"}, tmp_path, found)["PATH"] == f"{installed / tools}:/bin"


def test_codex_and_its_commands_do_not_see_our_settings(tmp_path: Path) -> None:
    inherited = {"OA_TOKEN": "secret", "OA_DATABASE_URL": "secret", "HOME": "/home/ada", "PATH": "/bin"}
    seen = environment(inherited, tmp_path, tmp_path / "codex" / "codex")
    assert seen == {"HOME": "/home/ada", "PATH": "/bin", "CODEX_HOME": str(tmp_path)}


def test_the_stub_profile_is_a_home_that_knows_only_the_stub(tmp_path: Path) -> None:
    write_stub_profile(tmp_path / "codex", "http://127.0.0.1:21200/v1/")
    config = msgspec.toml.decode((tmp_path / "codex" / "config.toml").read_bytes())
    assert config["model_provider"] == "stub"
    assert config["model_providers"]["stub"]["base_url"] == "http://127.0.0.1:21200/v1"
