"""The methods a worker's clients may call, and the fields each may have: everything else stays the owner's decision."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from oa_client.worker.inbox import RequestRefused

METHOD_NOT_ALLOWED = -32601
APPROVAL_ANSWER = "approval/answer"

PARAMS_REFUSED = -32602

Decision = Literal["accept", "accept_for_thread", "deny"]


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Fields that Codex would take as well, but that widen what it may do, are unknown here and so refused."""

    def paths(self) -> Sequence[str]:
        """Those that must lie in the workspace."""
        return ()


class ThreadList(Call, frozen=True):
    cursor: str | None = None
    limit: int | None = None
    sort_key: str | None = None
    sort_direction: str | None = None
    archived: bool | None = None
    search_term: str | None = None
    cwd: str | None = None

    def paths(self) -> Sequence[str]:
        return _given(self.cwd)


class ThreadRead(Call, frozen=True):
    thread_id: str
    include_turns: bool = False


class ThreadResume(Call, frozen=True):
    thread_id: str
    model: str | None = None


class ThreadFork(Call, frozen=True):
    thread_id: str
    model: str | None = None
    last_turn_id: str | None = None


class ThreadArchive(Call, frozen=True):
    thread_id: str


class TextInput(Call, frozen=True, tag_field="type", tag="text"):
    text: str


class ImageInput(Call, frozen=True, tag_field="type", tag="image"):
    url: str


class LocalImageInput(Call, frozen=True, tag_field="type", tag="localImage"):
    path: str

    def paths(self) -> Sequence[str]:
        return (self.path,)


Input = TextInput | ImageInput | LocalImageInput


class TurnStart(Call, frozen=True):
    thread_id: str
    input: list[Input]
    model: str | None = None
    effort: str | None = None
    summary: str | None = None
    output_schema: Any = None

    def paths(self) -> Sequence[str]:
        return _of(self.input)


class TurnSteer(Call, frozen=True):
    """Without `expected_turn_id` it steers the turn that runs."""

    thread_id: str
    input: list[Input]
    expected_turn_id: str | None = None

    def paths(self) -> Sequence[str]:
        return _of(self.input)


class TurnInterrupt(Call, frozen=True):
    """Without `turn_id` the turn that runs, without `thread_id` in whichever thread one runs."""

    thread_id: str | None = None
    turn_id: str | None = None


class ModelList(Call, frozen=True):
    cursor: str | None = None
    limit: int | None = None
    include_hidden: bool | None = None


class ConfigRead(Call, frozen=True):
    cwd: str | None = None
    include_layers: bool = False

    def paths(self) -> Sequence[str]:
        return _given(self.cwd)


class SkillsList(Call, frozen=True):
    cwds: list[str] = []
    force_reload: bool = False

    def paths(self) -> Sequence[str]:
        return self.cwds


class CommandExec(Call, frozen=True):
    command: list[str]
    cwd: str | None = None
    timeout_ms: int | None = None

    def paths(self) -> Sequence[str]:
        return _given(self.cwd)


class AnswerApproval(Call, frozen=True, rename=None):
    approval_id: str
    decision: Decision


class SetLimits(Call, frozen=True, rename=None):
    """Both caps at once: one that is absent or null is no cap from now on."""

    turn_tokens: int | None = None
    day_tokens: int | None = None

    def __post_init__(self) -> None:
        if any(cap is not None and cap < 1 for cap in (self.turn_tokens, self.day_tokens)):
            raise ValueError("a cap is at least 1 token")


_EXEC = "command/exec"

_CALLS: dict[str, type[Call]] = {
    "thread/list": ThreadList,
    "thread/read": ThreadRead,
    "thread/resume": ThreadResume,
    "thread/fork": ThreadFork,
    "thread/archive": ThreadArchive,
    "turn/start": TurnStart,
    "turn/steer": TurnSteer,
    "turn/interrupt": TurnInterrupt,
    "model/list": ModelList,
    "config/read": ConfigRead,
    "skills/list": SkillsList,
    _EXEC: CommandExec,
    APPROVAL_ANSWER: AnswerApproval,
    "limits/set": SetLimits,
}


def allowed(method: str, params: Any, *, workspace: Path, may_exec: bool) -> Call:
    """What is asked for, if this worker does that. Raises RequestRefused."""
    call = _CALLS.get(method)
    if call is None:
        raise RequestRefused(METHOD_NOT_ALLOWED, f"this worker does not serve {method!r}")
    if method == _EXEC and not may_exec:
        raise RequestRefused(METHOD_NOT_ALLOWED, f"{method} is only served by a worker started with --allow-exec")
    try:
        fields = msgspec.convert({} if params is None else params, call)
    except msgspec.ValidationError as error:
        raise RequestRefused(PARAMS_REFUSED, f"{method}: {error}") from error
    for path in fields.paths():
        _require_inside(workspace, path, method)
    return fields


def _require_inside(workspace: Path, path: str, method: str) -> None:
    try:
        inside = (workspace / path).resolve().is_relative_to(workspace.resolve())
    except (OSError, ValueError, RuntimeError):  # no path at all, or links in a circle
        inside = False
    if not inside:
        raise RequestRefused(PARAMS_REFUSED, f"{method}: {path!r} is outside of this worker's folder")


def _given(path: str | None) -> Sequence[str]:
    return () if path is None else (path,)


def _of(items: list[Input]) -> Sequence[str]:
    return [path for item in items for path in item.paths()]
