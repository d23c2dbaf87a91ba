"""The contracts of package openagents.deliveries.v1. Made by `python -m schemas.generate`; not to be edited."""

from openagents.deliveries.v1.events_pb2 import (
    DeliveryLogEvent,
    DeliveryRecorded,
    OpenPayload,
)

__all__ = [
    "DeliveryLogEvent",
    "DeliveryRecorded",
    "OpenPayload",
]
