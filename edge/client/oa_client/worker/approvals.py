"""What Codex asks before it acts: told to the owner's clients, answered by one of them, denied when nobody does."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from oa_client.worker.bounds import shortened
from oa_client.worker.inbox import RequestRefused
from oa_client.worker.methods import PARAMS_REFUSED, Decision
from oa_client.workers import Payload

Cause = Literal["answered", "silence", "interrupted", "daemon_restarted"]

_MODERN = {"accept": "accept", "accept_for_thread": "acceptForSession", "deny": "decline"}
_LEGACY = {"accept": "approved", "accept_for_thread": "approved_for_session", "deny": "denied"}

_METHODS = {
    "item/commandExecution/requestApproval": ("command", _MODERN),
    "item/fileChange/requestApproval": ("file_change", _MODERN),
    "execCommandApproval": ("command", _LEGACY),
    "applyPatchApproval": ("file_change", _LEGACY),
}

_ASKS_EACH_TIME = "humanCommand"
"""A kind of newer versions that takes no answer for more than once."""

_RUN_OTHERS = frozenset(
    [
        "bash",
        "dash",
        "sh",
        "zsh",
        "env",
        "exec",
        "find",
        "nice",
        "nohup",
        "node",
        "npx",
        "perl",
        "python",
        "python3",
        "ruby",
        "ssh",
        "sudo",
        "time",
        "timeout",
        "uv",
        "xargs",
    ]
)
"""Programs that run whatever they are told, so that their name says nothing about what a command does."""

_UNKNOWN = "unknown"
"""An id that the older family does not tell."""

_REMEMBERED = 1_000
_MAX_CHANGES = 200
_MAX_TEXT_CHARACTERS = 16 * 1024
_MAX_DIFF_CHARACTERS = 128 * 1024
"""Of all diffs of an approval together: in any script well below what an event may have (runtime DEC-49)."""


class Approve(StrEnum):
    """What happens when Codex asks: a person decides, or the option that the daemon was started with."""

    ASK = "ask"
    NEVER = "never"
    ALL = "all"

    @property
    def policy(self) -> str:
        """Codex's own word for when it asks."""
        return "never" if self is Approve.NEVER else "untrusted"


@dataclass
class Approval:
    """A question of Codex that is open, or was answered by `decision`."""

    approval_id: str
    thread_id: str
    turn_id: str
    kind: str
    choices: list[str]
    expires_at: datetime
    decision: Decision = "deny"
    answered: asyncio.Event = field(default_factory=asyncio.Event)


def reply(request: Payload, decision: Decision) -> Payload:
    """What Codex is told."""
    _, words = _METHODS[request["method"]]
    return {"decision": words[decision]}


def kind_of(request: Payload) -> str:
    """What `accept_for_thread` allows: changes of files, commands of the same program, or only the very same command.

    Codex proposes words for a rule when a command is one program with arguments.
    """
    kind, _ = _METHODS[request["method"]]
    params: Payload = request.get("params") or {}
    if kind == "file_change":
        return kind
    program, *_ = params.get("proposedExecpolicyAmendment") or [""]
    is_telling = program and program.rpartition("/")[2] not in _RUN_OTHERS
    return f"program {program}" if is_telling else f"command {_command(params.get('command'))}"


def description(request: Payload, changes: Iterable[Payload]) -> Payload:
    """What an approval is about, bounded to what an event may have; `changes` are those of its item."""
    params: Payload = request.get("params") or {}
    kind, _ = _METHODS[request["method"]]
    told = {
        "kind": kind,
        "thread_id": _thread_of(request),
        "turn_id": str(params.get("turnId") or _UNKNOWN),
        "item_id": str(params.get("itemId") or params.get("callId") or _UNKNOWN),
        "choices": _choices(params),
        "command": _command(params.get("command")),
        "cwd": params.get("cwd"),
        "reason": params.get("reason"),
    }
    if kind == "file_change":
        told["changes"] = _bounded([*changes, *_legacy_changes(params)])
    return {name: _shortened(value) for name, value in told.items() if value is not None}


def _thread_of(request: Payload) -> str:
    params: Payload = request.get("params") or {}
    return str(params.get("threadId") or params.get("conversationId") or _UNKNOWN)


def _choices(params: Payload) -> list[str]:
    return ["accept", "deny"] if params.get("kind") == _ASKS_EACH_TIME else ["accept", "accept_for_thread", "deny"]


def _command(command: Any) -> str | None:
    return " ".join(map(str, command)) if isinstance(command, list) else command


def file_changes(changes: Any) -> list[Payload]:
    """Of the item that a file change is."""
    return [
        {"path": str(change.get("path")), "kind": _kind(change.get("kind")), "diff": str(change.get("diff") or "")}
        for change in changes or []
    ]


def _kind(kind: Any) -> str:
    return str(kind.get("type") if isinstance(kind, dict) else kind)


def _legacy_changes(params: Payload) -> list[Payload]:
    changes: dict[str, Payload] = params.get("fileChanges") or {}
    return [
        {
            "path": path,
            "kind": str(change.get("type")),
            "diff": str(change.get("unified_diff") or change.get("content") or ""),
        }
        for path, change in changes.items()
    ]


def _bounded(changes: list[Payload]) -> list[Payload]:
    """Each diff keeps its equal share when all of them are too long; what is left out is said."""
    told = changes[:_MAX_CHANGES]
    share = _MAX_DIFF_CHARACTERS
    if sum(len(change["diff"]) for change in told) > _MAX_DIFF_CHARACTERS:
        share //= len(told)
    kept = [change | {"diff": shortened(change["diff"], share)} for change in told]
    if left_out := len(changes) - len(told):
        kept.append({"path": f"… and {left_out} more files", "kind": "unknown", "diff": ""})
    return kept


def _shortened(value: Any) -> Any:
    return shortened(value, _MAX_TEXT_CHARACTERS) if isinstance(value, str) else value


class Approvals:
    """The open questions of one daemon. Must be shown every message of Codex, in order, by `notice`.

    `note` keeps an event; ids begin with `session_id`, so that no two daemons of a worker make the same.
    """

    def __init__(
        self,
        approve: Approve,
        timeout: timedelta,
        session_id: str,
        *,
        note: Callable[[str, Payload], object],
        now: Callable[[], datetime],
    ) -> None:
        self._approve = approve
        self._timeout = timeout
        self._note = note
        self._now = now
        self._session_id = session_id
        self._count = 0
        self._open: dict[str, Approval] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()
        self._changes: dict[str, list[Payload]] = {}
        self._elsewhere: set[str] = set()
        self._allowed: set[tuple[str, str]] = set()

    def notice(self, message: Payload) -> None:
        match message:
            case {"method": "item/started", "params": {"item": {"type": "fileChange", "id": str(item_id), **item}}}:
                self._changes[item_id] = file_changes(item.get("changes"))
            case {"method": "item/completed", "params": {"item": {"id": str(item_id)}}}:
                self._changes.pop(item_id, None)
            case {"method": "turn/completed", "params": {"threadId": str(thread_id), "turn": {"id": str(turn_id)}}}:
                self._interrupt(thread_id, turn_id)

    async def decide(self, message: Payload) -> Payload | None:
        """What Codex is told when somebody answered, or nobody did in time; None when we do not know such requests."""
        if message["method"] not in _METHODS:
            return None
        if self._approve is not Approve.ASK:
            return reply(message, "accept" if self._approve is Approve.ALL else "deny")
        if self._is_allowed(message):
            return reply(message, "accept")
        approval = self._asked(message)
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await approval.answered.wait()
        except TimeoutError:
            self._end(approval, "deny", "silence")
        except asyncio.CancelledError:  # Codex ended, or this daemon does
            self._end(approval, "deny", "interrupted")
            raise
        return reply(message, approval.decision)

    def answer(self, approval_id: str, decision: Decision, *, request_id: str, answered_by: Payload) -> Payload:
        """The first answer decides. Raises RequestRefused for a later one, and for what was never asked or offered."""
        approval = self._open.get(approval_id)
        if approval and approval.expires_at <= self._now():  # also when this machine slept through the time
            self._end(approval, "deny", "silence")
        if approval_id not in self._open or approval is None:
            ended = self._ended.get(approval_id, f"no approval {approval_id!r} is open here")
            raise RequestRefused(PARAMS_REFUSED, ended)
        if decision not in approval.choices:
            raise RequestRefused(PARAMS_REFUSED, f"this approval does not offer {decision}")
        self._end(approval, decision, "answered", {"answered_by": answered_by, "request_id": request_id})
        return {"approval_id": approval_id, "decision": decision}

    def heard_asked(self, event: Payload) -> None:
        """The log says that a daemon of this worker asks."""
        approval_id = str(event.get("approval_id"))
        if not approval_id.startswith(self._session_id):
            self._elsewhere.add(approval_id)

    def is_elsewhere(self, approval_id: Any) -> bool:
        """Whether another daemon waits for this answer."""
        return approval_id in self._elsewhere

    def heard(self, event: Payload) -> None:
        """The log says what became of an approval: so it is, also when another daemon said it."""
        self._elsewhere.discard(str(event.get("approval_id")))
        if approval := self._open.get(str(event.get("approval_id"))):
            decision: Decision = event["decision"] if event.get("decision") in _MODERN else "deny"
            self._close(approval, decision, str(event.get("cause")))

    def disown(self, approval_ids: Iterable[str]) -> None:
        """What an earlier daemon asked: its Codex ended with it, so nobody waits for an answer any more."""
        for approval_id in approval_ids:
            if not approval_id.startswith(self._session_id):
                self._note("worker.approval.answered", answered(approval_id, "deny", "daemon_restarted"))

    def _is_allowed(self, request: Payload) -> bool:
        """Whether somebody allowed this kind for its thread."""
        may_be = "accept_for_thread" in _choices(request.get("params") or {})
        return may_be and (_thread_of(request), kind_of(request)) in self._allowed

    def _asked(self, request: Payload) -> Approval:
        item_id = str((request.get("params") or {}).get("itemId"))
        about = description(request, self._changes.get(item_id, []))
        expires_at = self._now() + self._timeout
        self._count += 1
        approval_id = f"{self._session_id}:approval:{self._count}"
        approval = Approval(
            approval_id, about["thread_id"], about["turn_id"], kind_of(request), about["choices"], expires_at
        )
        self._open[approval_id] = approval
        event = {"approval_id": approval_id, **about, "expires_at": timestamp(expires_at)}
        self._note("worker.approval.requested", event)
        return approval

    def _interrupt(self, thread_id: str, turn_id: str) -> None:
        for approval in list(self._open.values()):
            if approval.thread_id == thread_id and approval.turn_id in (turn_id, _UNKNOWN):
                self._end(approval, "deny", "interrupted")

    def _end(self, approval: Approval, decision: Decision, cause: Cause, by: Payload | None = None) -> None:
        if approval.approval_id in self._open:
            self._note("worker.approval.answered", answered(approval.approval_id, decision, cause, by))
            self._close(approval, decision, cause)

    def _close(self, approval: Approval, decision: Decision, cause: str) -> None:
        del self._open[approval.approval_id]
        self._ended[approval.approval_id] = f"approval {approval.approval_id!r} was answered: {decision} ({cause})"
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
        if decision == "accept_for_thread":
            self._allowed.add((approval.thread_id, approval.kind))
        approval.decision = decision
        approval.answered.set()


def answered(approval_id: str, decision: Decision, cause: Cause, by: Payload | None = None) -> Payload:
    return {"approval_id": approval_id, "decision": decision, "cause": cause, **(by or {})}


def timestamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
