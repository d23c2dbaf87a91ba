"""The contracts of package openagents.workers.v1. Made by `python -m schemas.generate`; not to be edited."""

from openagents.workers.v1.events_pb2 import (
    OpenPayload,
    WorkerApprovalAnswered,
    WorkerApprovalRequested,
    WorkerError,
    WorkerEvent,
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
    "OpenPayload",
    "WorkerApprovalAnswered",
    "WorkerApprovalRequested",
    "WorkerError",
    "WorkerEvent",
    "WorkerLimitsSet",
    "WorkerMessageClaimed",
    "WorkerMessageExpired",
    "WorkerRequestClaimed",
    "WorkerRequestReceived",
    "WorkerResponse",
    "WorkerStarted",
    "WorkerStopped",
    "WorkerTurnUsage",
]
