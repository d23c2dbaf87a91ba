"""The contracts of package openagents.inbox.v1. Made by `python -m schemas.generate`; not to be edited."""

from openagents.inbox.v1.events_pb2 import (
    FrameReceived,
    InboxEvent,
    OpenPayload,
)

__all__ = [
    "FrameReceived",
    "InboxEvent",
    "OpenPayload",
]
