"""A worker event as one line for a person."""

from typing import Any

from rich.text import Text

from oa_client.workers import Payload, WorkerEvent

_MAX_CHARACTERS = 160


def line_of(event: WorkerEvent) -> Text:
    method = str(event.payload.get("method") or event.event_type)
    line = Text(f"{event.seq:>6} ", style="dim")
    line.append(f"{event.occurred_at[11:23]} ", style="dim")
    line.append(f"{method:<34}", style="red" if event.event_type == "worker.error" else "cyan")
    return line.append(f" {gist(event.payload)}".rstrip())


def gist(payload: Payload) -> str:
    """What a person would want to read of it: text, a command and its output, or an id."""
    params = payload.get("params")
    found = _said(params if isinstance(params, dict) else {}) or _named(payload)
    shown = " ".join(found.split())
    return shown if len(shown) <= _MAX_CHARACTERS else shown[: _MAX_CHARACTERS - 1] + "…"


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


def _named(payload: Payload) -> str:
    return str(payload.get("handshake_id") or payload.get("reason") or payload.get("status") or "")
