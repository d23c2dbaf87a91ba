"""Events of delivery streams as the log keeps them: the records of the topic `oa.deliveries`.

Made by `python -m schemas.generate` from `openagents/deliveries/v1/events.proto`; not to be edited.
"""

from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from schemas.events import KnownEvent, Payload


class DeliveryRecorded(KnownEvent, frozen=True):
    """What became of a message, as its provider told (runtime §2.10, §6.5)."""

    type: ClassVar[str] = "delivery.recorded"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.deliveries.v1.DeliveryRecorded"
    json_fields: ClassVar[frozenset[str]] = frozenset({"payload"})
    event_id: str
    provider: str
    delivery_state: str
    payload: Payload
    payload_hash: str
    message_id: str | UnsetType = UNSET
    integration_id: str | UnsetType = UNSET
    recipient: str | UnsetType = UNSET
    occurred_at: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


EVENTS: Final[tuple[type[KnownEvent], ...]] = (DeliveryRecorded,)
OPEN_PAYLOAD: Final = "openagents.deliveries.v1.OpenPayload"
