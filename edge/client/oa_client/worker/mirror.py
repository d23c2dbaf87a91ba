"""From Codex's messages to worker events: which type, and what payload (runtime §7.3, sync §14.1)."""

from typing import Any

import msgspec

from oa_client.worker.legacy import repeats_a_modern_one
from oa_client.workers import Payload

SOURCE = "autopilot-desktop"

_TYPES = {
    "thread/started": "worker.started",
    "thread/stopped": "worker.stopped",
    "thread/completed": "worker.stopped",
}

_MAX_PARAMS_BYTES = 256 * 1024
"""Half of what the server takes (runtime DEC-49), so that redaction and the envelope never carry an event over it."""

_MAX_TEXT_CHARACTERS = 8 * 1024


def mirrored(message: Payload, occurred_at: str) -> tuple[str, Payload] | None:
    """Type and payload of the event for a notification or request of Codex; None for what is not mirrored."""
    method = str(message["method"])
    if repeats_a_modern_one(method):
        return None
    payload: Payload = {
        "source": SOURCE,
        "method": method,
        "params": _bounded(message.get("params") or {}),
        "occurred_at": occurred_at,
    }
    if "id" in message:
        return "worker.request.received", payload | {"request_id": str(message["id"])}
    return _event_type(method), payload


def _event_type(method: str) -> str:
    if method == "error" or method.endswith("/error"):
        return "worker.error"
    return _TYPES.get(method, "worker.event")


def _bounded(params: Any) -> Any:
    """The same, or with long texts cut when all of it would be too large."""
    if _size(params) <= _MAX_PARAMS_BYTES:
        return params
    cut = _cut(params)
    return cut if _size(cut) <= _MAX_PARAMS_BYTES else {"truncated": True, "size_bytes": _size(params)}


def _cut(value: Any) -> Any:
    match value:
        case str() if len(value) > _MAX_TEXT_CHARACTERS:
            return value[:_MAX_TEXT_CHARACTERS] + f"… [{len(value) - _MAX_TEXT_CHARACTERS} characters cut]"
        case dict():
            return {key: _cut(inner) for key, inner in value.items()}
        case list():
            return [_cut(inner) for inner in value]
    return value


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))
