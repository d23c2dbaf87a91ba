"""Events of a worker that the server writes itself (runtime §7.1–7.3, DEC-45, DEC-51)."""

from typing import ClassVar, Final

from schemas.events import KnownEvent
from schemas.workers_generated import (
    EVENTS,
    OPEN_PAYLOAD,
    WorkerApprovalAnswered,
    WorkerApprovalRequested,
    WorkerError,
    WorkerLimitsSet,
    WorkerMessageClaimed,
    WorkerMessageExpired,
    WorkerRequestClaimed,
    WorkerRequestReceived,
    WorkerResponse,
    WorkerStarted,
    WorkerStopped,
    WorkerTurnUsage,
)

__all__ = [
    "ERASED_START",
    "EVENTS",
    "OPEN_PAYLOAD",
    "WorkerApprovalAnswered",
    "WorkerApprovalRequested",
    "WorkerErased",
    "WorkerError",
    "WorkerLimitsSet",
    "WorkerLost",
    "WorkerMessageClaimed",
    "WorkerMessageExpired",
    "WorkerRequestClaimed",
    "WorkerRequestReceived",
    "WorkerResponse",
    "WorkerStarted",
    "WorkerStopped",
    "WorkerTurnUsage",
]


class WorkerErased(KnownEvent, frozen=True):
    """What people wrote into the stream before this event is gone (ADR 12); has no fields, so no record on Kafka."""

    type: ClassVar[str] = "worker.erased"
    version: ClassVar[int] = 1


class WorkerLost(KnownEvent, frozen=True):
    """Stands where an event stood that a recovery left out (ADR 11); has no fields, so no record on Kafka."""

    type: ClassVar[str] = "worker.lost"
    version: ClassVar[int] = 1


ERASED_START: Final = WorkerStarted(
    status="running", adapter="erased", workspace_ref=None, codex_home_ref=None, metadata={}
).body()
"""What a `worker.started` says whose payload was erased."""
