"""The contracts of package openagents.policies.v1. Made by `python -m schemas.generate`; not to be edited."""

from openagents.policies.v1.events_pb2 import (
    OpenPayload,
    PolicyActivated,
    PolicyEvent,
    PolicyProposed,
    PolicyRetired,
)

__all__ = [
    "OpenPayload",
    "PolicyActivated",
    "PolicyEvent",
    "PolicyProposed",
    "PolicyRetired",
]
