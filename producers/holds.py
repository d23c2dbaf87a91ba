"""Holds: money that is kept for one tool call until its effect is known (runtime §1.8, §3.5; ADR 14).

What moves money writes the budgets of the path too (`producers.spending`); here is what happens to a hold alone.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

import msgspec

from producers.errors import Conflict, NotFound
from producers.eventlog.commands import Decider
from schemas import hashing, sanitiser
from schemas.budgets import (
    HoldCharged,
    HoldCommitted,
    HoldLost,
    HoldReconcileRequired,
    HoldReleased,
)
from schemas.events import NewEvent, Payload, Recorded
from schemas.names import HOLD

Status = Literal["reserved", "committed", "released", "reconcile_required"]
RetryClass = Literal["safe_retry", "dedupe_reconcile_required"]
OPEN: Final = ("reserved", "reconcile_required")
STALE_AFTER: Final = timedelta(seconds=60)
STALE, UNKNOWN_OUTCOME, LOST = "stale_reservation", "unknown_settlement_outcome", "history_lost"
NOT_FOUND, INVALID_TRANSITION = "reservation_not_found", "invalid_transition"


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """A hold's state, inline in its stream.

    `path` are the budgets it is taken on, from the root; none when the beginning was lost with a restore: then nobody
    knows how much it was. `reason` is why it was released, or has to be reconciled.
    """

    status: Status
    authorization_id: str
    path: tuple[str, ...]
    run_id: str
    tool_call_id: str
    amount_msats: int
    retry_class: RetryClass
    day: str
    reserved_at: datetime
    touched_at: datetime
    approved: bool = False
    metadata: Payload = {}
    provider_idempotency_key: str | None = None
    provider_correlation_id: str | None = None
    charged_msats: int = 0
    spent_msats: int | None = None
    reason: str | None = None
    committed_at: datetime | None = None
    released_at: datetime | None = None
    reconciled_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


class RequireReconcile(msgspec.Struct, frozen=True):
    """Nobody knows whether the effect happened."""

    reason: str = UNKNOWN_OUTCOME


class Charge(msgspec.Struct, frozen=True):
    """What was used so far, metered while the hold is open; it may come out above what is held."""

    charged_msats: int
    source: Payload | None = None


class Wake(msgspec.Struct, frozen=True):
    """Whoever held it has not been heard of for too long (DEC-36)."""


Command = RequireReconcile | Charge | Wake


@lru_cache(maxsize=1024)
def hold_id(authorization_id: str, run_id: str, tool_call_id: str) -> str:
    """One for each tool call of a run on an authorization (ADR 14)."""
    return hashing.hex_digest(
        {"authorization_id": authorization_id, "run_id": run_id, "tool_call_id": tool_call_id},
    )


def decide(hold: Hold | None, command: Command, now: datetime) -> list[NewEvent]:
    match command:
        case Wake():
            return _stale(hold, now)
        case RequireReconcile():
            return _unknown(required(hold), command)
        case Charge():
            return _charge(required(hold), command)


def evolve(hold: Hold | None, event: Recorded) -> Hold:
    if hold is None:
        return _lost_beginning(event) if event.type == HoldLost.type else _reserved(event)
    changes = _CHANGES[event.type](hold, event) if event.type in _CHANGES else {}
    return msgspec.structs.replace(hold, touched_at=event.recorded_at, **changes)


def wake_at(hold: Hold) -> datetime | None:
    """By whole seconds, as for workers."""
    if hold.status != "reserved":
        return None
    at = hold.touched_at + STALE_AFTER
    return at.replace(microsecond=0) + timedelta(seconds=at.microsecond > 0)


def stand_in(_: int) -> NewEvent:
    """What was lost may have been a commit or a release: whoever knows tells it again."""
    return HoldLost()


DECIDER: Final[Decider[Hold, Command]] = Decider(
    kind=HOLD,
    state=Hold,
    state_version=1,
    decide=decide,
    evolve=evolve,
    stand_in=stand_in,
    wake_at=wake_at,
    wake=Wake(),
)


def required(hold: Hold | None) -> Hold:
    if hold is None:
        raise NotFound("no such reservation", reason_code=NOT_FOUND)
    return hold


def invalid_transition(hold: Hold) -> Conflict:
    return Conflict(f"the reservation is {hold.status}", reason_code=INVALID_TRANSITION)


# --- deciding -------------------------------------------------------------------------------------------------------


def _stale(hold: Hold | None, now: datetime) -> list[NewEvent]:
    due = wake_at(hold) if hold else None
    return [HoldReconcileRequired(reason=STALE)] if due and due <= now else []


def _unknown(hold: Hold, command: RequireReconcile) -> list[NewEvent]:
    if not hold.is_open:
        raise invalid_transition(hold)
    return [HoldReconcileRequired(reason=sanitiser.sanitise(command.reason))] if hold.status == "reserved" else []


def _charge(hold: Hold, command: Charge) -> list[NewEvent]:
    if not hold.is_open:
        raise invalid_transition(hold)
    if command.charged_msats <= hold.charged_msats:
        return []
    source = msgspec.UNSET if command.source is None else command.source
    return [HoldCharged(charged_msats=command.charged_msats, source=source)]


# --- evolving -------------------------------------------------------------------------------------------------------


def _reserved(event: Recorded) -> Hold:
    payload = event.payload
    return Hold(
        status="reserved",
        authorization_id=payload["authorization_id"],
        path=tuple(payload["path"]),
        run_id=payload["run_id"],
        tool_call_id=payload["tool_call_id"],
        amount_msats=payload["amount_msats"],
        retry_class=payload["retry_class"],
        day=payload["day"],
        reserved_at=event.recorded_at,
        touched_at=event.recorded_at,
        approved=payload.get("approved", False),
        metadata=payload["metadata"],
        provider_idempotency_key=payload.get("provider_idempotency_key"),
    )


def _lost_beginning(event: Recorded) -> Hold:
    at = event.recorded_at
    return Hold("reconcile_required", "", (), "", "", 0, "dedupe_reconcile_required", "", at, at, reason=LOST)


def _charged(_: Hold, event: Recorded) -> Payload:
    return {"charged_msats": event.payload["charged_msats"]}


def _committed(hold: Hold, event: Recorded) -> Payload:
    told = event.payload
    return {
        "status": "committed",
        "spent_msats": told["spent_msats"],
        "committed_at": event.recorded_at,
        "reconciled_at": event.recorded_at if told["reconciled"] else None,
        "provider_correlation_id": told.get("provider_correlation_id"),
        "provider_idempotency_key": told.get("provider_idempotency_key", hold.provider_idempotency_key),
    }


def _released(_: Hold, event: Recorded) -> Payload:
    told = event.payload
    return {
        "status": "released",
        "released_at": event.recorded_at,
        "reconciled_at": event.recorded_at if told["reconciled"] else None,
        "reason": told.get("failure_reason"),
    }


def _to_reconcile(_: Hold, event: Recorded) -> Payload:
    return {"status": "reconcile_required", "reason": event.payload["reason"]}


def _lost(hold: Hold, _: Recorded) -> Payload:
    """What is over stays over."""
    return {"status": "reconcile_required", "reason": LOST} if hold.is_open else {}


_CHANGES: Final = {
    HoldCharged.type: _charged,
    HoldCommitted.type: _committed,
    HoldReleased.type: _released,
    HoldReconcileRequired.type: _to_reconcile,
    HoldLost.type: _lost,
}
