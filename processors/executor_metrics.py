"""What passes and recoveries count; types and classes that clients invent are one label (runtime §9)."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from processors import metrics
from producers.errors import Conflict
from producers.execution import (
    CANCELS,
    COMPLETED,
    COMPLETES,
    EXECUTION_FAILED,
    FAILS,
    LOOP_DETECTED,
    RECOVERY_EXHAUSTED,
    Frame,
)
from producers.runs import CANCEL_REQUESTED
from schemas.events import Recorded
from schemas.runs_generated import LeaseAcquired, LeaseReleased, RunFinished, RunStarted

OTHER: Final = "other"
NONE: Final = "none"
FRAME_TYPES: Final = frozenset(
    (
        *CANCELS,
        *COMPLETES,
        *FAILS,
        *("user_message", "spend_request"),
        *("tool_call", "tool_request", "tool_result", "tool_status", "tool_output", "agent_action"),
    )
)
REASON_CLASSES: Final = frozenset((COMPLETED, CANCEL_REQUESTED, EXECUTION_FAILED, LOOP_DETECTED, RECOVERY_EXHAUSTED))


def passed(entries: Sequence[Frame | None], events: Iterable[Recorded], *, ended: bool) -> None:
    """Frames behind the end are not processed."""
    processed = {event.payload.get("frame_id") for event in events}
    for one in entries:
        if one and (not ended or one.frame_id in processed):
            duplicate = "false" if one.frame_id in processed else "true"
            metrics.FRAMES_PROCESSED.labels(_among(FRAME_TYPES, one.frame_type), duplicate).inc()


def ran(events: Iterable[Recorded], took_s: float) -> None:
    """A pass, and what it made of run and lease."""
    reason_class = NONE
    for event in events:
        told = event.payload
        match event.type:
            case RunStarted.type:
                metrics.RUNS_STARTED.labels("running").inc()
            case RunFinished.type:
                reason_class = _among(REASON_CLASSES, told["reason_class"])
                metrics.RUNS_ENDED.labels(told["status"], reason_class).inc()
            case LeaseAcquired.type:
                metrics.LEASE_OPERATIONS.labels("acquire", told["outcome"]).inc()
            case LeaseReleased.type:
                metrics.LEASE_OPERATIONS.labels("release", "ok").inc()
    _pass("ok", reason_class, took_s)


def refused(held: Conflict, took_s: float) -> None:
    metrics.LEASE_OPERATIONS.labels("acquire", held.reason_code).inc()
    _pass("refused", held.reason_code or OTHER, took_s)


def swept(resumed: int, failed: int, skipped: int) -> None:
    """A look at all expired leases (runtime §4.3)."""
    metrics.JANITOR_CYCLES.inc()
    metrics.JANITOR_SCANNED.observe(resumed + failed + skipped)
    metrics.JANITOR_RESUMED.observe(resumed)
    metrics.JANITOR_FAILED.observe(failed)
    metrics.JANITOR_SKIPPED.observe(skipped)
    metrics.RUNS_RESUMED.inc(resumed)
    metrics.RUNS_GIVEN_UP.labels(RECOVERY_EXHAUSTED).inc(failed)


def _pass(result: str, reason_class: str, took_s: float) -> None:
    metrics.PASSES.labels(result, reason_class).inc()
    metrics.PASS_MS.labels(result, reason_class).observe(took_s * 1000)


def _among(known: frozenset[str], value: Any) -> str:
    return value if value in known else OTHER
