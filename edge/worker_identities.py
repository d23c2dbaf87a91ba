"""Which of a worker's commands came before: events, claims and requests, each in a scope of its own (I6, ADR 13)."""

from typing import Final

from producers.eventlog.commands import Identity, IdentityKey
from producers.eventlog.retention import EVENT_SCOPE
from producers.worker_events import is_identifier
from producers.workers import ALREADY_CLAIMED, SendRequest
from schemas import hashing
from schemas.events import Payload
from schemas.workers import WorkerMessageClaimed, WorkerRequestClaimed

CLAIM_SCOPE: Final = "claim/"
REQUEST_SCOPE: Final = "request/"
_CLAIMED: Final = {
    WorkerMessageClaimed.type: ("message:", "message_id"),
    WorkerRequestClaimed.type: ("request:", "request_id"),
}


def of_event(stream: str, event_id: str, event_type: str, payload: Payload) -> Identity:
    """DEC-47; a claim is what it claims, whatever the event is called."""
    claim = of_claim(stream, event_type, payload)
    return claim or Identity(IdentityKey(EVENT_SCOPE + stream, event_id), hashing.digest([event_type, payload]))


def of_claim(stream: str, event_type: str, payload: Payload) -> Identity | None:
    """None for what is no claim, and for one that is going to be refused for its shape."""
    prefix, field = _CLAIMED.get(event_type, ("", ""))
    claimed, claim_id = payload.get(field), payload.get("claim_id")
    if not (prefix and is_identifier(claimed) and is_identifier(claim_id)):
        return None
    return Identity(IdentityKey(CLAIM_SCOPE + stream, f"{prefix}{claimed}"), hashing.digest(claim_id), ALREADY_CLAIMED)


def of_request(stream: str, command: SendRequest) -> Identity:
    """DEC-46."""
    key = IdentityKey(REQUEST_SCOPE + stream, command.request_id)
    return Identity(key, hashing.digest([command.method, command.params]))
