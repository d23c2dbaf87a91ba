"""From Codex's messages to worker events: which type, and what payload (runtime §7.3, sync §14.1)."""

from oa_client.worker.bounds import bounded
from oa_client.worker.legacy import repeats_a_modern_one
from oa_client.workers import Payload

SOURCE = "autopilot-desktop"

_TYPES = {
    "thread/started": "worker.started",
    "thread/stopped": "worker.stopped",
    "thread/completed": "worker.stopped",
}


def mirrored(message: Payload, occurred_at: str) -> tuple[str, Payload] | None:
    """Type and payload of the event for a notification or request of Codex; None for what is not mirrored."""
    method = str(message["method"])
    if repeats_a_modern_one(method):
        return None
    payload: Payload = {
        "source": SOURCE,
        "method": method,
        "params": bounded(message.get("params") or {}),
        "occurred_at": occurred_at,
    }
    if "id" in message:
        return "worker.request.received", payload | {"request_id": str(message["id"])}
    return _event_type(method), payload


def _event_type(method: str) -> str:
    if method == "error" or method.endswith("/error"):
        return "worker.error"
    return _TYPES.get(method, "worker.event")
