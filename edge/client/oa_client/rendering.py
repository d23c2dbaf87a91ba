"""Worker events and approvals as a person reads them."""

from typing import Any

import msgspec
from rich.text import Text

from oa_client.runs import RunEvent
from oa_client.workers import Approval, Payload, WorkerEvent

_MAX_CHARACTERS = 160
_STYLES = {"worker.error": "red", "worker.approval.requested": "bold yellow"}


def line_of(event: WorkerEvent) -> Text:
    method = str(event.payload.get("method") or event.event_type)
    line = Text(f"{event.seq:>6} ", style="dim")
    line.append(f"{event.occurred_at[11:23]} ", style="dim")
    line.append(f"{method:<34}", style=_STYLES.get(event.event_type, "cyan"))
    return line.append(f" {gist(event.payload)}".rstrip())


def line_of_run(event: RunEvent) -> Text:
    line = Text(f"{event.seq:>6} ", style="dim")
    line.append(f"{event.event_type:<22}", style=_STYLES.get(event.event_type, "cyan"))
    said = event.payload.get("delta") or event.payload.get("text") or event.payload
    shown = " ".join((said if isinstance(said, str) else msgspec.json.encode(said).decode()).split())
    return line.append(f" {_cut(shown)}" if said else "")


def gist(payload: Payload) -> str:
    """What a person would want to read of it: text, a command and its output, or an id."""
    params = payload.get("params")
    found = _said(params if isinstance(params, dict) else {}) or _noted(payload) or _named(payload)
    return _cut(" ".join(found.split()))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"


def _said(params: Payload) -> str:
    match params:
        case {"item": {"type": "commandExecution", "command": command, "aggregatedOutput": str(output)}}:
            return f"{command} → {output}"
        case {"item": {"type": "commandExecution", "command": command}}:
            return f"{command}"
        case {"item": {"text": str(text)}} | {"text": str(text)} | {"delta": str(text)}:
            return text
        case {"item": {"content": list(parts)}}:
            return " ".join(_text(part) for part in parts)
        case {"error": {"message": str(message)}} | {"turn": {"error": {"message": str(message)}}}:
            return message
        case {"turn": {"status": str(status)}}:
            return status
    return ""


def _text(part: Any) -> str:
    return str(part.get("text", "")) if isinstance(part, dict) else ""


def question(approval: Approval) -> str:
    """What an agent wants to do, in one line."""
    place = f" in {approval.cwd}" if approval.cwd else ""
    files = ", ".join(change.path for change in approval.changes or ())
    wanted = f"run: {approval.command}{place}" if approval.command else f"change {files or 'files'}"
    return wanted + (f" ({approval.reason})" if approval.reason else "")


def _noted(payload: Payload) -> str:
    """Of the events that the backend itself knows (docs/adr/0013)."""
    match payload:
        case {"approval_id": str(approval_id), "choices": _}:
            return f"{question(msgspec.convert(payload, Approval))} → oa approve {approval_id}"
        case {"approval_id": str(approval_id), "decision": decision, "cause": cause}:
            return f"{decision} {approval_id} ({cause})"
        case {"outcome": outcome, "total_tokens": int(total), "input_tokens": sent, "output_tokens": made}:
            return f"{outcome}, {total} tokens ({sent} in, {made} out)"
        case {"busy": {"what": str(what)}}:
            return what
    return ""


def _named(payload: Payload) -> str:
    named = (payload.get(name) for name in ("handshake_id", "message_id", "request_id", "reason", "status"))
    return str(next(filter(None, named), ""))
