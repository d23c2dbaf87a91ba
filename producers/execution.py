"""Execution: what a pass does to a run and its lease, in one step (runtime §4.1–4.4, DEC-9, 10, 13; ADR 14)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from producers import leases, loops, runs
from producers.eventlog.batch import MAX_PAYLOAD_BYTES
from producers.eventlog.commands import Part, States
from producers.leases import Lease
from producers.loops import REASON_CODE, Seen
from producers.runs import CANCEL_REQUESTED, DEFAULT_CANCEL_REASON, Run
from schemas import canonical_json, sanitiser
from schemas.events import KnownEvent, NewEvent, Payload, Recorded
from schemas.executions import LeaseFramesPassed
from schemas.inbox_generated import FrameReceived
from schemas.names import lease_stream, run_stream
from schemas.runs_generated import (
    LeaseReleased,
    RunCancelRequested,
    RunDelta,
    RunExecutorLost,
    RunFinished,
    RunFrameConsumed,
    RunLoopDetected,
    RunStarted,
)
from schemas.times import iso6

COMPLETED, EXECUTION_FAILED, LOOP_DETECTED = "completed", "execution_failed", "loop_detected"
RECOVERY_EXHAUSTED: Final = "executor_recovery_exhausted"
MAX_RECOVERIES: Final = 3

CANCELS: Final = frozenset(("cancel", "cancel_requested"))
COMPLETES: Final = frozenset(("finish", "complete", "run_complete"))
FAILS: Final = frozenset(("fail", "error"))
TOO_LARGE: Final[Payload] = {"omitted": "too large for an event"}
MAX_TEXT: Final = 100_000

Written = list[tuple[str, NewEvent]]


class Frame(msgspec.Struct, frozen=True):
    """A frame of the inbox, and what later ones are compared with."""

    frame_id: str
    frame_type: str
    payload: Payload
    seen: Seen


class Pass(msgspec.Struct, frozen=True):
    """All of the run's inbox behind `after`: None stands for what is no frame, or was erased before it was consumed.

    `before` are the frames just before them; `more` says that others wait already.
    """

    run_id: str
    executor: str
    after: int
    entries: Sequence[Frame | None]
    before: Sequence[Seen] = ()
    more: bool = False


class TellLost(msgspec.Struct, frozen=True):
    """The lease of a run has expired; `executor` takes the run up, unless that was tried too often."""

    run_id: str
    executor: str


def parts(run_id: str, owner: str) -> tuple[Part, Part]:
    """The streams of both commands; timers wake the first."""
    return Part(lease_stream(run_id), owner, leases.DECIDER), Part(run_stream(run_id), owner, runs.DECIDER)


def frame(event: Recorded) -> Frame | None:
    """What an event of an inbox is to a pass."""
    if event.type != FrameReceived.type or event.erased:
        return None
    told = event.payload
    seen = loops.seen(told["frame_type"], told["payload"], told["payload_hash"])
    return Frame(told["frame_id"], told["frame_type"], told["payload"], seen)


def cursor(run: Run | None, lease: Lease | None) -> int:
    """The seq of the inbox through which everything was consumed or passed over."""
    return (run.cursor if run else 0) + (lease.passed if lease else 0)


def execute(states: States, command: Pass, now: datetime) -> Written:
    """One pass; nothing when the run has ended, when something before these entries is missing, or they end before it.

    A Conflict when another executor has the lease.
    """
    lease: Lease | None = states[lease_stream(command.run_id)]
    run = states[run_stream(command.run_id)] or Run(command.run_id, now)
    if run.is_terminal:
        return _on(lease_stream, run, _released(lease, run.latest_seq))
    outcome = leases.acquisition(lease, command.executor, run.latest_seq, now)
    consumed = cursor(run, lease) - command.after
    if consumed < 0 or (consumed > len(command.entries) and run.status != "canceling"):
        return []
    step = _Step(run, [*command.before, *(one.seen for one in command.entries[:consumed] if one)])
    step.take(command.entries[consumed:])
    passed = [LeaseFramesPassed(step.passed)] if step.passed and not step.ended else []
    keeps = command.more and not step.ended
    held = _held(lease, command.executor, outcome, run.latest_seq + len(step.events), now, keeps=keeps)
    return _on(run_stream, run, step.events) + _on(lease_stream, run, [*passed, *held])


def tell_lost(states: States, command: TellLost, now: datetime) -> Written:
    """What became of the lease's owner is told, and the run taken over, or ended when that was tried thrice (§4.3).

    Whoever takes a run over has its lease for a time: so long nobody recovers it again.
    """
    lease: Lease | None = states[lease_stream(command.run_id)]
    run = states[run_stream(command.run_id)] or Run(command.run_id, now)
    if lease is None or lease.holder is None or not lease.holder.has_expired(now):
        return []
    if run.is_terminal:
        return _on(lease_stream, run, _released(lease, run.latest_seq))
    lost = RunExecutorLost(
        lease.holder.lease_owner, iso6(lease.holder.lease_expires_at), iso6(now), lease.last_progress_seq
    )
    if run.recovery_attempts + 1 > MAX_RECOVERIES:
        finished = RunFinished("failed", RECOVERY_EXHAUSTED, f"the executor was lost {run.recovery_attempts + 1} times")
        return _on(run_stream, run, [lost, finished]) + _on(lease_stream, run, _released(lease, run.latest_seq + 2))
    stolen = leases.acquired(lease, leases.STOLEN, command.executor, run.latest_seq + 1, now)
    return _on(run_stream, run, [lost]) + _on(lease_stream, run, [stolen])


class _Step:
    """Frames taken one after the other until the run has ended; `passed` are those that nothing is written about."""

    def __init__(self, run: Run, before: Sequence[Seen]) -> None:
        self.events: list[NewEvent] = []
        self.passed = 0
        self.ended = False
        self._run = run
        self._seen = list(before)

    def take(self, entries: Sequence[Frame | None]) -> None:
        if self._run.status == "canceling":
            return self._end(
                RunFinished("canceled", CANCEL_REQUESTED, self._run.cancel_reason or DEFAULT_CANCEL_REASON)
            )
        if entries and self._run.status == "created":
            self.events.append(RunStarted())
        for entry in entries:
            self._take(entry)
            if self.ended:
                break
        return None

    def _take(self, entry: Frame | None) -> None:
        if entry is None or entry.frame_id in self._run.named:
            self.passed += 1
        elif looping := loops.detect(self._seen, entry.seen):
            self._end(*_looped(entry, looping))
        elif (told := classified(entry))[-1].type == RunFinished.type:
            self._end(*told)
        else:
            self.events += told
        if entry:
            self._seen.append(entry.seen)

    def _end(self, *told: NewEvent) -> None:
        self.events += told
        self.ended = True


def classified(one: Frame) -> list[NewEvent]:
    """What a frame says in the run's log, sanitised (runtime §4.1, DEC-42)."""
    return [_fitting(event) for event in _classified(one.frame_id, one.frame_type, sanitiser.sanitise(one.payload))]


def _classified(frame_id: str, frame_type: str, payload: Payload) -> list[KnownEvent]:
    if frame_type in CANCELS:
        reason = _words(payload, "reason") or DEFAULT_CANCEL_REASON
        asked = RunCancelRequested(
            reason, frame_id=frame_id, frame_type=frame_type, payload=payload, reason_class=CANCEL_REQUESTED
        )
        return [asked, RunFinished("canceled", CANCEL_REQUESTED, reason, frame_id)]
    if frame_type in COMPLETES:
        return [RunFinished("succeeded", COMPLETED, _words(payload, "reason") or COMPLETED, frame_id)]
    if frame_type in FAILS:
        reason_class = _words(payload, "reason_class") or EXECUTION_FAILED
        return [RunFinished("failed", reason_class, _words(payload, "reason") or reason_class, frame_id)]
    if delta := _words(payload, "text") or _words(payload, "delta"):
        return [RunDelta(delta, frame_id)]
    return [RunFrameConsumed(frame_id, frame_type, payload)]


def _words(payload: Payload, name: str) -> str | None:
    """A text that says something; also what a payload keeps for programs may hold what nobody should read."""
    value = payload.get(name)
    return sanitiser.sanitise(value) if isinstance(value, str) and value else None


def _looped(one: Frame, looping: loops.Detected) -> list[NewEvent]:
    """At either level the run ends (DEC-12)."""
    message = f"{looping.times} frames without progress"
    detected = RunLoopDetected(
        *(one.frame_id, one.frame_type, looping.detector, looping.level, looping.times),
        *(REASON_CODE, REASON_CODE, message),
    )
    finished = RunFinished(
        *("failed", LOOP_DETECTED, REASON_CODE, one.frame_id), REASON_CODE, looping.detector, REASON_CODE
    )
    return [detected, finished]


def _fitting(event: KnownEvent) -> KnownEvent:
    """A copy may be larger than its frame was: then its payload is left out, and its words are cut (DEC-49)."""
    if len(canonical_json.encode(event.body())) <= MAX_PAYLOAD_BYTES:
        return event
    cut: dict[str, Any] = {name: value[:MAX_TEXT] for name, value in event.body().items() if isinstance(value, str)}
    if isinstance(getattr(event, "payload", None), dict):
        cut["payload"] = TOO_LARGE
    return msgspec.structs.replace(event, **cut)


def _held(
    lease: Lease | None, executor: str, outcome: str, progress: int, now: datetime, *, keeps: bool
) -> Sequence[NewEvent]:
    """What a pass writes about the lease: an executor that needs none and finds none writes nothing."""
    acquired = [leases.acquired(lease, outcome, executor, progress, now)] if keeps or outcome == leases.STOLEN else []
    is_left = not keeps and lease is not None and lease.holder is not None
    return [*acquired, LeaseReleased(executor, progress)] if is_left else acquired


def _released(lease: Lease | None, progress: int) -> list[NewEvent]:
    return [LeaseReleased(lease.holder.lease_owner, progress)] if lease and lease.holder else []


def _on(stream: Any, run: Run, events: Sequence[NewEvent]) -> Written:
    return [(stream(run.run_id), event) for event in events]
