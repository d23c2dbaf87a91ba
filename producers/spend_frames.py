"""Spend requests that come as frames: what one asks of the ledger, and what the run's log answers (ADR 14)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import UNSET, Meta

from producers import denials, holds, runs, spending
from producers.errors import InvalidRequest, Rejection
from producers.eventlog.commands import Outcome, Part, Rules, States
from producers.holds import UNKNOWN_OUTCOME, Hold
from producers.policy import Decision
from producers.refusals import Denied
from producers.spending import Commit, Release, RequireReconcile, Reserve, Target, Writes
from schemas.amounts import MAX_SATS, msats_of, sats_of
from schemas.budgets import HoldReserved
from schemas.events import NewEvent, Payload, Recorded
from schemas.names import HOLD, budget_stream, run_id_of, run_stream
from schemas.runs_generated import RunFrameConsumed, SpendAnswered

FRAME_TYPE: Final = "spend_request"
Operation = Literal["reserve", "commit", "release", "reconcile_required"]
OPERATIONS: Final[tuple[str, ...]] = get_args(Operation)
RESERVE: Final = "reserve"

_PRINTED: Final = r"\A[^\x00-\x1f\x7f]*\Z"
Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=_PRINTED)]
Text = Annotated[str, Meta(max_length=255, pattern=_PRINTED)]
Ledger = Reserve | Commit | Release | RequireReconcile


class SpendRequest(msgspec.Struct, frozen=True):
    """A frame's payload; the same fields as on the signed API. Without an authorization it is resolved (§3.3)."""

    operation: Operation
    tool_call_id: Name
    authorization_id: Name | None = None
    autopilot_id: Name | None = None
    amount_sats: Any = None
    retry_class: Any = spending.DEFAULT_RETRY_CLASS
    approved: bool | None = None
    reconciled: bool = False
    provider_correlation_id: Name | None = None
    provider_idempotency_key: Name | None = None
    reason: Text | None = None
    failure_reason: Text | None = None
    metadata: Payload = {}

    def command(self, target: Target) -> Ledger:
        """Raises InvalidRequest for an amount or a retry class that there is not."""
        command: Ledger = _COMMANDS[self.operation](self, target)
        return command


class Asked(msgspec.Struct, frozen=True):
    """A frame, and what it asks of the ledger, or why that is not asked at all.

    Of a target that could not be found the path is as much as the frame named.
    """

    frame_id: str
    operation: str
    target: Target
    ledger: Ledger | None = None
    refusal: Rejection | None = None

    @property
    def run(self) -> str:
        return run_stream(self.target.run_id)

    def parts(self, owner: str) -> list[Part]:
        run = Part(self.run, owner, runs.DECIDER)
        return [run, *(spending.reserve_parts(owner, self.target) if self.ledger else ())]


def is_request(event: Recorded) -> bool:
    """Of frames that the executor consumed; what clients write into a run asks for nothing."""
    ours = event.type == RunFrameConsumed.type and event.version > 0
    return ours and event.payload.get("frame_type") == FRAME_TYPE


def request(event: Recorded) -> SpendRequest:
    """Raises InvalidRequest."""
    try:
        return msgspec.convert(event.payload["payload"], SpendRequest)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"a spend request: {error}") from None


def refused(event: Recorded, refusal: Rejection) -> Asked:
    """As much as can be said of what is not asked."""
    told = event.payload["payload"]
    path = (_name(told.get("authorization_id")),)
    target = Target(path, run_id_of(event.stream), _name(told.get("tool_call_id")))
    operation = told.get("operation")
    named = operation if isinstance(operation, str) and operation in OPERATIONS else ""
    return Asked(event.payload["frame_id"], named, target, refusal=refusal)


def answer(states: States, asked: Asked, now: datetime) -> Writes:
    """What the ledger writes and the answer, or the answer alone; never raised, so that every frame has one."""
    try:
        writes = _ledger(states, asked, now)
    except Rejection as refusal:
        told = [*_denial(states, asked, refusal), _answered(asked, refusal)]
        return [(asked.run, event) for event in told]
    hold = _after(states, asked.target, writes, now)
    return [*writes, (asked.run, _answered(asked, hold=hold))]


def decision(asked: Asked, outcome: Outcome[States]) -> Decision | None:
    """What policy decided when this was answered; None of what decided nothing."""
    budget: Any = outcome.state.get(budget_stream(asked.target.authorization_id))
    for event in outcome.events:
        if event.type == HoldReserved.type and isinstance(asked.ledger, Reserve):
            return denials.allowance(asked.ledger, budget)
        if event.type == SpendAnswered.type and asked.operation == RESERVE and not event.payload["ok"]:
            return denials.denial(Denied("it was refused", event.payload["reason_code"]), asked.target, budget)
    return None


def _name(told: Any) -> str:
    return told if isinstance(told, str) and len(told) <= 255 else ""


# --- what is asked --------------------------------------------------------------------------------------------------


def _reserve(asked: SpendRequest, target: Target) -> Reserve:
    return Reserve(
        target,
        amount_msats=spending.amount_msats_of(asked.amount_sats),
        retry_class=spending.retry_class_of(asked.retry_class),
        approved=asked.approved,
        provider_idempotency_key=asked.provider_idempotency_key,
        metadata=asked.metadata,
    )


def _commit(asked: SpendRequest, target: Target) -> Commit:
    return Commit(
        target,
        amount_msats=_spent_msats(asked.amount_sats),
        reconciled=asked.reconciled,
        provider_correlation_id=asked.provider_correlation_id,
        provider_idempotency_key=asked.provider_idempotency_key,
    )


def _spent_msats(amount_sats: Any) -> int | None:
    if amount_sats is None:
        return None
    if type(amount_sats) is not int or not 0 <= amount_sats <= MAX_SATS:
        raise InvalidRequest(f"amount_sats must be 0 to {MAX_SATS} sats")
    return msats_of(amount_sats)


def _release(asked: SpendRequest, target: Target) -> Release:
    return Release(target, asked.failure_reason, asked.reconciled)


def _reconcile(asked: SpendRequest, target: Target) -> RequireReconcile:
    return RequireReconcile(target, asked.reason or UNKNOWN_OUTCOME)


_COMMANDS: Final[Mapping[str, Any]] = dict(zip(OPERATIONS, (_reserve, _commit, _release, _reconcile), strict=True))
_RULES: Final[Mapping[type[Any], Rules[Any]]] = {
    Reserve: spending.reserve,
    Commit: spending.commit,
    Release: spending.release,
    RequireReconcile: spending.require_reconcile,
}


# --- what is answered -----------------------------------------------------------------------------------------------


def _ledger(states: States, asked: Asked, now: datetime) -> Writes:
    if asked.refusal:
        raise asked.refusal
    return list(_RULES[type(asked.ledger)](states, asked.ledger, now))


def _denial(states: States, asked: Asked, refusal: Rejection) -> list[NewEvent]:
    """Only of a reservation, and the same one twice in a row is told once (ADR 14)."""
    if asked.operation != RESERVE:
        return []
    amount = sats_of(asked.ledger.amount_msats) if isinstance(asked.ledger, Reserve) else None
    budget = states.get(budget_stream(asked.target.authorization_id))
    told, run = denials.facts(refusal, asked.target, budget, amount), states[asked.run]
    same = run is not None and run.last_decision_id == told[0].body()["policy_decision_id"]
    return [] if same else told


def _after(states: States, target: Target, writes: Writes, now: datetime) -> Hold:
    """The hold as the ledger leaves it."""
    hold: Hold | None = states[target.hold]
    for stream, new in writes:
        if stream == target.hold:
            hold = holds.evolve(hold, Recorded(0, HOLD, stream, 0, new.type, new.version, "", new.body(), b"", {}, now))
    return holds.required(hold)


def _answered(asked: Asked, refusal: Rejection | None = None, hold: Hold | None = None) -> SpendAnswered:
    return SpendAnswered(
        frame_id=asked.frame_id,
        tool_call_id=asked.target.tool_call_id,
        operation=asked.operation,
        ok=refusal is None,
        reason_code=(refusal.reason_code or refusal.code) if refusal else UNSET,
        reservation=_reservation(hold) if hold else UNSET,
    )


def _reservation(hold: Hold) -> Payload:
    return {
        "authorization_id": hold.authorization_id,
        "run_id": hold.run_id,
        "tool_call_id": hold.tool_call_id,
        "state": hold.status,
        "amount_sats": sats_of(hold.amount_msats),
        "spent_sats": None if hold.spent_msats is None else sats_of(hold.spent_msats),
    }
