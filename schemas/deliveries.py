"""Events of a delivery (runtime §6.5)."""

from typing import ClassVar

from schemas.deliveries_generated import EVENTS, OPEN_PAYLOAD, DeliveryRecorded
from schemas.events import KnownEvent

__all__ = ["EVENTS", "OPEN_PAYLOAD", "DeliveryErased", "DeliveryLost", "DeliveryRecorded"]


class DeliveryErased(KnownEvent, frozen=True):
    """What was written into the stream before this event is gone (ADR 12); has no fields, so no record on Kafka."""

    type: ClassVar[str] = "delivery.erased"
    version: ClassVar[int] = 1


class DeliveryLost(KnownEvent, frozen=True):
    """Stands where an event stood that a recovery left out (ADR 11); has no fields, so no record on Kafka."""

    type: ClassVar[str] = "delivery.lost"
    version: ClassVar[int] = 1
