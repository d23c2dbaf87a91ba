"""The contracts of package openagents.notifications.v1. Made by `python -m schemas.generate`; not to be edited."""

from openagents.notifications.v1.events_pb2 import (
    NotificationCleared,
    NotificationEvent,
    NotificationRaised,
    OpenPayload,
)

__all__ = [
    "NotificationCleared",
    "NotificationEvent",
    "NotificationRaised",
    "OpenPayload",
]
