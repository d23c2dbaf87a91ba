"""What an event of the worker asks the daemon to do."""

from collections import OrderedDict
from dataclasses import dataclass

from oa_client.worker.mirror import SOURCE
from oa_client.workers import Payload, WorkerEvent

_REMEMBERED = 10_000


@dataclass(frozen=True)
class Acknowledge:
    """A phone shakes hands (runtime §7.5)."""

    handshake_id: str


@dataclass(frozen=True)
class Turn:
    """A person writes to Codex; the text stays as written."""

    text: str


@dataclass(frozen=True)
class Stop:
    """Somebody stopped the worker."""

    reason: str


Intent = Acknowledge | Turn | Stop


class Intents:
    """Decides on each event of the stream; a repeated handshake or message id asks for nothing (sync §18.3)."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def of(self, event: WorkerEvent) -> Intent | None:
        if event.event_type == "worker.stopped":
            return Stop(str(event.payload.get("reason") or "stopped"))
        if event.event_type != "worker.event" or event.payload.get("source") == SOURCE:
            return None
        match event.payload.get("method"):
            case "ios/handshake":
                return self._acknowledge(event.payload)
            case "ios/user_message":
                return self._turn(event)
        return None

    def _acknowledge(self, payload: Payload) -> Intent | None:
        match payload.get("handshake_id"):
            case str(handshake_id) if handshake_id.strip() and self._is_new("handshake", handshake_id):
                return Acknowledge(handshake_id)
        return None

    def _turn(self, event: WorkerEvent) -> Intent | None:
        match event.payload:
            case {"params": {"text": str(text), **params}} if text.strip():
                message_id = event.payload.get("message_id") or params.get("message_id") or f"seq:{event.seq}"
                return Turn(text) if self._is_new("message", str(message_id)) else None
        return None

    def _is_new(self, kind: str, identity: str) -> bool:
        if (kind, identity) in self._seen:
            return False
        self._seen[kind, identity] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True


def acknowledgement(handshake_id: str, session_id: str, occurred_at: str) -> Payload:
    """The payload that a phone accepts as the answer to its handshake (edge §2.12, step 9)."""
    return {
        "source": SOURCE,
        "method": "desktop/handshake_ack",
        "handshake_id": handshake_id,
        "desktop_session_id": session_id,
        "occurred_at": occurred_at,
    }
