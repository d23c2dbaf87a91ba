"""The contracts of package openagents.log.v1. Made by `python -m schemas.generate`; not to be edited."""

from openagents.log.v1.options_pb2 import (
    Event,
    Json,
)

__all__ = [
    "Event",
    "Json",
]
