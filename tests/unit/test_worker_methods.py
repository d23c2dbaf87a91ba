"""What clients may ask of a worker, and what stays its owner's decision."""

from pathlib import Path
from typing import Any

import pytest
from oa_client.worker.inbox import RequestRefused
from oa_client.worker.methods import (
    METHOD_NOT_ALLOWED,
    PARAMS_REFUSED,
    AnswerApproval,
    Call,
    SetLimits,
    TurnInterrupt,
    allowed,
)

SAID = [{"type": "text", "text": "fix it"}]
TURN = {"threadId": "t1", "input": SAID}


def ask(method: str, params: Any, workspace: Path = Path("/desk"), *, may_exec: bool = True) -> Call:
    return allowed(method, params, workspace=workspace, may_exec=may_exec)


def refused(method: str, params: Any, workspace: Path = Path("/desk"), *, may_exec: bool = True) -> int:
    with pytest.raises(RequestRefused) as refusal:
        ask(method, params, workspace, may_exec=may_exec)
    return refusal.value.code


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("thread/list", None),
        ("thread/list", {"limit": 5, "cursor": "c", "archived": True, "cwd": "/desk/sub"}),
        ("thread/read", {"threadId": "t1", "includeTurns": True}),
        ("thread/resume", {"threadId": "t1"}),
        ("thread/fork", {"threadId": "t1", "model": "m"}),
        ("thread/archive", {"threadId": "t1"}),
        ("turn/start", TURN | {"model": "m", "effort": "high", "outputSchema": {"type": "object"}}),
        ("turn/start", TURN | {"input": [{"type": "localImage", "path": "shots/1.png"}]}),
        ("turn/steer", TURN),
        ("turn/interrupt", {}),
        ("model/list", {}),
        ("config/read", {"includeLayers": True}),
        ("skills/list", {"cwds": ["/desk"]}),
        ("command/exec", {"command": ["ls"], "cwd": "sub", "timeoutMs": 500}),
        ("approval/answer", {"approval_id": "a1", "decision": "deny"}),
        ("limits/set", {"turn_tokens": 5, "day_tokens": None}),
    ],
)
def test_what_the_list_names_is_served(method: str, params: Any) -> None:
    assert ask(method, params)


@pytest.mark.parametrize(
    "method", ["thread/start", "thread/rollback", "config/value/write", "fs/writeFile", "account/logout", "turn", ""]
)
def test_what_the_list_does_not_name_is_unknown(method: str) -> None:
    assert refused(method, {}) == METHOD_NOT_ALLOWED


def test_commands_are_run_only_where_the_owner_allowed_it() -> None:
    assert refused("command/exec", {"command": ["ls"]}, may_exec=False) == METHOD_NOT_ALLOWED


WIDENING = [
    "approvalPolicy",
    "approvalsReviewer",
    "baseInstructions",
    "collaborationMode",
    "config",
    "cwd",
    "developerInstructions",
    "dynamicTools",
    "environments",
    "experimentalRawEvents",
    "history",
    "modelProvider",
    "path",
    "permissionProfile",
    "permissions",
    "runtimeWorkspaceRoots",
    "sandbox",
    "sandboxPolicy",
    "sandbox_policy",
    "serviceTier",
    "toolOutput",
]


@pytest.mark.parametrize("field", WIDENING)
@pytest.mark.parametrize("method", ["turn/start", "turn/steer", "thread/resume", "thread/fork"])
@pytest.mark.parametrize("value", ["danger-full-access", None, {}])
def test_a_field_that_widens_what_codex_may_do_is_refused(method: str, field: str, value: Any) -> None:
    params = TURN if method.startswith("turn/") else {"threadId": "t1"}
    assert refused(method, params | {field: value}) == PARAMS_REFUSED


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("command/exec", {"command": ["ls"], "sandboxPolicy": {"type": "dangerFullAccess"}}),
        ("command/exec", {"command": ["ls"], "env": {"PATH": "/tmp"}}),
        ("skills/list", {"perCwdExtraUserRoots": [{"cwd": "/desk", "extraUserRoots": ["/etc"]}]}),
        ("turn/start", TURN | {"input": [{"type": "text", "text": "x", "sandboxPolicy": {}}]}),
        ("turn/start", TURN | {"input": [{"type": "skill", "name": "s", "path": "/etc/passwd"}]}),
        ("turn/interrupt", {"threadId": "t1", "sandbox": "danger-full-access"}),
        ("approval/answer", {"approval_id": "a1", "decision": "accept", "approvalPolicy": "never"}),
    ],
)
def test_also_where_it_is_hidden(method: str, params: Any) -> None:
    assert refused(method, params) == PARAMS_REFUSED


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("thread/read", {}),
        ("thread/read", {"threadId": 7}),
        ("thread/read", ["t1"]),
        ("turn/start", {"threadId": "t1", "input": "fix it"}),
        ("approval/answer", {"approval_id": "a1", "decision": "cancel"}),
        ("limits/set", {"turn_tokens": 0}),
        ("limits/set", {"day_tokens": True}),
    ],
)
def test_params_in_another_shape_are_refused(method: str, params: Any) -> None:
    assert refused(method, params) == PARAMS_REFUSED


@pytest.mark.parametrize("path", ["/etc", "..", "sub/../../etc", "/workspace", "link", "a\0b"])
@pytest.mark.parametrize("method", ["command/exec", "config/read", "thread/list", "skills/list", "turn/start"])
def test_paths_outside_of_the_workspace_are_refused(method: str, path: str, tmp_path: Path) -> None:
    workspace = tmp_path / "work"
    workspace.mkdir()
    (workspace / "link").symlink_to("/etc")
    params = {
        "command/exec": {"command": ["ls"], "cwd": path},
        "skills/list": {"cwds": [".", path]},
        "turn/start": TURN | {"input": [*SAID, {"type": "localImage", "path": path}]},
    }
    assert refused(method, params.get(method, {"cwd": path}), workspace) == PARAMS_REFUSED


def test_what_is_asked_of_the_daemon_itself_has_names_of_its_own() -> None:
    assert ask("approval/answer", {"approval_id": "a1", "decision": "deny"}) == AnswerApproval("a1", "deny")
    assert ask("limits/set", {}) == SetLimits(None, None)
    assert ask("turn/interrupt", None) == TurnInterrupt(None, None)
