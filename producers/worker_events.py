"""What clients write into a worker's stream: checked, redacted, typed where the server relies on it (runtime §7.3)."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from producers.errors import InvalidRequest
from schemas import sanitiser
from schemas.events import KnownEvent, Payload
from schemas.names import CONTROL_CHARACTERS
from schemas.workers import (
    WorkerApprovalAnswered,
    WorkerApprovalRequested,
    WorkerLimitsSet,
    WorkerMessageClaimed,
    WorkerMessageExpired,
    WorkerRequestClaimed,
    WorkerTurnUsage,
)

MAX_TYPE_LENGTH: Final = 120
MAX_ID_LENGTH: Final = 255
MESSAGE: Final = "worker.event"
_USER_MESSAGE: Final = "ios/user_message"

# runtime §7.5: an envelope without one of these never counts as a handshake, so it is refused (DEC-31)
_HANDSHAKES: Final = {
    "ios/handshake": ("source", "handshake_id", "device_id", "occurred_at"),
    "desktop/handshake_ack": ("source", "handshake_id", "desktop_session_id", "occurred_at"),
}
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


# --- everything -----------------------------------------------------------------------------------------------------


def check(event_type: str, payload: Payload) -> None:
    """Raises InvalidRequest for what no worker may be told."""
    legal = event_type.startswith("worker.") and len(event_type) <= MAX_TYPE_LENGTH
    if not legal or CONTROL_CHARACTERS.search(event_type):
        raise InvalidRequest(f"an event type starts with worker. and has {MAX_TYPE_LENGTH} characters at most")
    if event_type == WorkerMessageExpired.type:
        raise InvalidRequest(f"{event_type} is written by the server alone")
    _check_handshake(payload)


def sanitised(payload: Payload) -> Payload:
    """Redacted, but for what a person wrote to the agent (DEC-48)."""
    redacted: Payload = sanitiser.sanitise(payload)
    params = payload.get("params")
    if payload.get("method") == _USER_MESSAGE and isinstance(params, dict) and "text" in params:
        redacted["params"] = {**redacted["params"], "text": params["text"]}
    return redacted


def moment(text: Any) -> datetime | None:
    """The UTC time of an RFC 3339 text; None for everything else, and for the last year that there is."""
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year < datetime.max.year else None


def is_identifier(value: Any) -> bool:
    """What may be a key: control characters would not survive the log's columns (DEC-49)."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and not CONTROL_CHARACTERS.search(value)


def _check_handshake(payload: Mapping[str, Any]) -> None:
    method = payload.get("method")
    fields = _HANDSHAKES.get(method, ()) if isinstance(method, str) else ()
    missing = [name for name in fields if not isinstance(payload.get(name), str) or not payload[name].strip()]
    if missing:
        raise InvalidRequest(f"{method} needs {', '.join(missing)}")
    if fields and moment(payload["occurred_at"]) is None:
        raise InvalidRequest(f"{method}: occurred_at is not an RFC 3339 time")


# --- messages -------------------------------------------------------------------------------------------------------


class Expiring(NamedTuple):
    """A message that its sender wants to be run before a time, or not at all."""

    message_id: str
    expires_at: datetime


def expiring(event_type: str, payload: Payload, seq: int) -> Expiring | None:
    """What an event says about expiry; None for all but a person's message with a valid `params.expires_at`."""
    if event_type != MESSAGE or payload.get("method") != _USER_MESSAGE:
        return None
    params = payload.get("params")
    expires_at = moment(params.get("expires_at")) if isinstance(params, dict) else None
    return Expiring(_message_id(payload, seq), expires_at) if expires_at else None


def _message_id(payload: Payload, seq: int) -> str:
    """At the top level or in `params`; a message without a usable one is called by its seq."""
    for told in (payload, payload["params"]):
        if is_identifier(told.get("message_id")):
            return str(told["message_id"])
    return f"seq:{seq}"


# --- events that the server relies on --------------------------------------------------------------------------------


class _Rule(NamedTuple):
    text: str
    holds: Callable[[Any], bool]


def typed(event_type: str, payload: Payload) -> KnownEvent | None:
    """The event of a type that is always checked, redacted; None for other types. Raises InvalidRequest."""
    kind = _TYPED.get(event_type)
    if kind is None:
        return None
    if unknown := sorted(payload.keys() - set(kind.__struct_fields__)):
        raise InvalidRequest(f"{event_type} has no field {unknown[0]!r}")
    asked_by = {name: payload[name] for name in _ASKED_BY if name in payload}
    try:
        event = msgspec.convert(sanitised(payload) | asked_by, kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{event_type}: {error}") from None
    for name, value in event.body().items():
        rule = _rule_of(name)
        if rule and not rule.holds(value):
            raise InvalidRequest(f"{event_type}: {name} must be {rule.text}")
    return event


def _rule_of(name: str) -> _Rule | None:
    if name.endswith("_id"):
        return _IDENTIFIER
    return _TOKENS if name.endswith("_tokens") else _RULES.get(name)


def _one_of(*words: str) -> _Rule:
    return _Rule(f"one of {', '.join(words)}", lambda value: value in words)


def _are_choices(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(choice in _DECISIONS for choice in value)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_somebody(value: Payload) -> bool:
    """Names of an owner, a client and a token, never a secret: what a request's `requested_by` says."""
    names_only = all(item is None or type(item) is int or is_identifier(item) for item in value.values())
    return names_only and value.keys() <= {"owner", "client", "token"}


_TYPED: Final[dict[str, type[KnownEvent]]] = {
    kind.type: kind
    for kind in (
        WorkerRequestClaimed,
        WorkerMessageClaimed,
        WorkerTurnUsage,
        WorkerLimitsSet,
        WorkerApprovalRequested,
        WorkerApprovalAnswered,
    )
}
_ASKED_BY: Final = ("set_by", "answered_by")
_DECISIONS: Final = ("accept", "accept_for_thread", "deny")
_SOMEBODY: Final = _Rule("an object of owner, client and token", _is_somebody)
_IDENTIFIER: Final = _Rule(f"1 to {MAX_ID_LENGTH} characters, none of them a control character", is_identifier)
_TOKENS: Final = _Rule("from 0 to 2^63 - 1", lambda value: 0 <= value < 2**63)
_RULES: Final = {
    "seq": _Rule("from 1 to 2^63 - 1", lambda value: 0 < value < 2**63),
    "outcome": _one_of("completed", "interrupted", "failed", "over_limit"),
    "kind": _one_of("command", "file_change"),
    "decision": _one_of(*_DECISIONS),
    "cause": _one_of("answered", "silence", "interrupted", "daemon_restarted"),
    "choices": _Rule(f"a list of {', '.join(_DECISIONS)}", _are_choices),
    "changes": _Rule("a list of objects", _are_objects),
    "expires_at": _Rule("an RFC 3339 time", lambda value: moment(value) is not None),
    "set_by": _SOMEBODY,
    "answered_by": _SOMEBODY,
}
