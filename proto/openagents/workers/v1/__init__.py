"""The contracts of package openagents.workers.v1. Made by `python -m schemas.generate`; not to be edited."""

from openagents.workers.v1.events_pb2 import (
    OpenPayload,
    WorkerEvent,
    WorkerRequestReceived,
    WorkerResponse,
    WorkerStarted,
    WorkerStopped,
)

__all__ = [
    "OpenPayload",
    "WorkerEvent",
    "WorkerRequestReceived",
    "WorkerResponse",
    "WorkerStarted",
    "WorkerStopped",
]
