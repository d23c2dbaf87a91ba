"""Runs: what one is, as the fold of its own events, and what may be told to it (runtime §1.2, §1.4, §1.5)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, get_args

import msgspec

from producers.chain import event_hash
from producers.errors import Conflict, InvalidRequest
from producers.eventlog.commands import Decider
from schemas import sanitiser
from schemas.events import NewEvent, OpenEvent, Payload, Recorded
from schemas.executions import RunErased, RunLost
from schemas.names import RUN, run_id_of
from schemas.runs_generated import (
    PolicyDecision,
    RunCancelRequested,
    RunDelta,
    RunExecutorLost,
    RunFinished,
    RunFrameConsumed,
    RunStarted,
)
from schemas.times import iso0

Terminal = Literal["succeeded", "failed", "canceled"]
Status = Literal["created", "running", "canceling"] | Terminal
TERMINAL: Final[tuple[str, ...]] = get_args(Terminal)

CANCEL_REQUESTED: Final = "cancel_requested"
DEFAULT_CANCEL_REASON: Final = "cancel requested"
CONTROL_PLANE: Final = "control_plane"
MAX_NAMED: Final = 100


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run's state, inline in its stream; one without events is `created` and known by its ownership (ADR 14).

    `cursor` counts the frames that were consumed; what of the inbox was passed over besides is its lease's to count.
    `named` are the newest frame ids that events of clients carry: these frames count as consumed (runtime §1.3).
    `last_decision_id` is of the last denial.
    """

    run_id: str
    updated_at: datetime
    status: Status = "created"
    latest_seq: int = 0
    cursor: int = 0
    head_hash: str | None = None
    cancel_reason: str | None = None
    terminal_reason_class: str | None = None
    terminal_reason: str | None = None
    terminal_at: datetime | None = None
    recovery_attempts: int = 0
    last_recovery_at: datetime | None = None
    last_decision_id: str | None = None
    named: tuple[str, ...] = ()

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL


class RequestCancel(msgspec.Struct, frozen=True):
    """Nothing is written for a run that has ended, or that was asked before (DEC-8)."""

    reason: str | None = None
    requested_by: str = CONTROL_PLANE


class AppendRunEvent(msgspec.Struct, frozen=True):
    """What is told from outside: every type is legal (runtime §1.5); sanitised before it is hashed (§1.4)."""

    event_type: str
    payload: Payload


class EraseRun(msgspec.Struct, frozen=True):
    """What was written into the run until now is going to be erased (ADR 12)."""


Command = RequestCancel | AppendRunEvent | EraseRun


def decide(run: Run | None, command: Command, now: datetime) -> list[NewEvent]:
    match command:
        case RequestCancel():
            return _cancel(run, command, now)
        case AppendRunEvent():
            return _append(run, command)
        case EraseRun():
            return [RunErased(run.status if run else "created")]


def evolve(run: Run | None, event: Recorded) -> Run:
    """Version 0 is what clients wrote: of that ends, starts and cancels mean what they say (ADR 14)."""
    before = run or Run(run_id_of(event.stream), event.recorded_at)
    told = (_WRITTEN if event.version else _TOLD).get(event.type)
    return msgspec.structs.replace(
        before,
        updated_at=event.recorded_at,
        latest_seq=event.seq,
        head_hash=event_hash(before.run_id, event.seq, event.type, event.digest.hex(), before.head_hash),
        **(_named(before, event) if event.version == 0 else {}),
        **(told(before, event) if told else {}),
    )


def stand_in(_: int) -> NewEvent:
    return RunLost()


DECIDER: Final[Decider[Run, Command]] = Decider(
    kind=RUN, state=Run, state_version=1, decide=decide, evolve=evolve, stand_in=stand_in, erase=EraseRun()
)


# --- deciding -------------------------------------------------------------------------------------------------------


def _cancel(run: Run | None, command: RequestCancel, now: datetime) -> list[NewEvent]:
    if run and (run.is_terminal or run.status == "canceling"):
        return []
    reason = sanitiser.sanitise(command.reason or DEFAULT_CANCEL_REASON)
    return [RunCancelRequested(reason, requested_by=command.requested_by, requested_at=iso0(now))]


def _append(run: Run | None, command: AppendRunEvent) -> list[NewEvent]:
    """A run ends once, and in one of the three ways (runtime §1.2)."""
    if command.event_type == RunFinished.type:
        if run and run.is_terminal:
            raise Conflict(f"the run has {run.status}")
        if command.payload.get("status") not in TERMINAL:
            raise InvalidRequest(f"{RunFinished.type}: status must be one of {', '.join(TERMINAL)}")
    return [OpenEvent(command.event_type, sanitiser.sanitise(command.payload), version=0)]


# --- evolving -------------------------------------------------------------------------------------------------------


def _started(run: Run, _: Recorded) -> Payload:
    return {"status": "running"} if run.status == "created" else {}


def _consumed(run: Run, _: Recorded) -> Payload:
    """A pass that makes progress ends what recoveries counted (DEC-10)."""
    return {"cursor": run.cursor + 1, "recovery_attempts": 0}


def _cancel_requested(run: Run, event: Recorded) -> Payload:
    return {} if run.is_terminal else {"status": "canceling", "cancel_reason": _text(event, "reason")}


def _executor_lost(run: Run, event: Recorded) -> Payload:
    return {"recovery_attempts": run.recovery_attempts + 1, "last_recovery_at": event.recorded_at}


def _finished(run: Run, event: Recorded) -> Payload:
    """Terminal states never change. Of an end that was erased only `run.erased` says how it was."""
    if run.is_terminal:
        return {}
    status = event.payload.get("status")
    return {
        "status": status if status in TERMINAL else "failed",
        "terminal_reason_class": _text(event, "reason_class"),
        "terminal_reason": _text(event, "reason"),
        "terminal_at": event.recorded_at,
    }


def _decided(_: Run, event: Recorded) -> Payload:
    return {"last_decision_id": _text(event, "policy_decision_id")}


def _erased(run: Run, event: Recorded) -> Payload:
    written = dict.fromkeys(("cancel_reason", "terminal_reason_class", "terminal_reason", "last_decision_id"))
    return written | {"status": event.payload.get("status", run.status), "named": ()}


def _named(run: Run, event: Recorded) -> Payload:
    frame_id = _text(event, "frame_id")
    return {"named": (*run.named, frame_id)[-MAX_NAMED:]} if frame_id and frame_id not in run.named else {}


def _text(event: Recorded, name: str) -> str | None:
    """None when the payload was erased."""
    value = event.payload.get(name)
    return value if isinstance(value, str) else None


_Changes = Callable[[Run, Recorded], dict[str, Any]]
_TOLD: Final[Mapping[str, _Changes]] = {
    RunStarted.type: _started,
    RunCancelRequested.type: _cancel_requested,
    RunFinished.type: _finished,
}
_WRITTEN: Final[Mapping[str, _Changes]] = {
    **_TOLD,
    RunDelta.type: _consumed,
    RunFrameConsumed.type: _consumed,
    RunExecutorLost.type: _executor_lost,
    PolicyDecision.type: _decided,
    RunErased.type: _erased,
}
