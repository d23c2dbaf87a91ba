"""The contracts of package openagents.runs.v1. Made by `python -m schemas.generate`; not to be edited."""

from openagents.runs.v1.events_pb2 import (
    LeaseAcquired,
    LeaseReleased,
    OpenPayload,
    PolicyBudgetExhausted,
    PolicyDecision,
    RunCancelRequested,
    RunCreated,
    RunDelta,
    RunExecutorLost,
    RunFinished,
    RunFrameConsumed,
    RunLogEvent,
    RunLoopDetected,
    RunStarted,
    SpendAnswered,
)

__all__ = [
    "LeaseAcquired",
    "LeaseReleased",
    "OpenPayload",
    "PolicyBudgetExhausted",
    "PolicyDecision",
    "RunCancelRequested",
    "RunCreated",
    "RunDelta",
    "RunExecutorLost",
    "RunFinished",
    "RunFrameConsumed",
    "RunLogEvent",
    "RunLoopDetected",
    "RunStarted",
    "SpendAnswered",
]
