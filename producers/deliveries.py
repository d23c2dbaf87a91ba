"""Deliveries: what became of a message, as its provider told; each event id is recorded once (runtime §2.10, §6.5)."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from producers.errors import IdentityConflict
from producers.eventlog.commands import Decider
from schemas import hashing, sanitiser
from schemas.deliveries import DeliveryErased, DeliveryLost, DeliveryRecorded
from schemas.events import NewEvent, Payload, Recorded
from schemas.names import DELIVERY

DeliveryState = Literal["delivered", "bounced", "complained", "unsubscribed"]


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """H of the payload that was sent; None when a recovery lost it, or when it was erased."""

    payload_hash: str | None = None
    erased: bool = False


class RecordDelivery(msgspec.Struct, frozen=True):
    """As the control plane sent it."""

    event_id: str
    provider: str
    delivery_state: DeliveryState
    payload: Payload
    message_id: str | None = None
    integration_id: str | None = None
    recipient: str | None = None
    occurred_at: str | None = None
    reason: str | None = None


class EraseDelivery(msgspec.Struct, frozen=True):
    """What providers wrote into the stream is going to be erased (ADR 12)."""


Command = RecordDelivery | EraseDelivery


def decide(delivery: Delivery | None, command: Command, now: datetime) -> list[NewEvent]:
    """The same payload again is a replay, whatever the other fields say (DEC-21)."""
    match command:
        case EraseDelivery():
            return [DeliveryErased()]
        case _ if delivery is None or delivery == _LOST:
            return [_recorded(command)]
        case _ if delivery.erased or delivery.payload_hash == hashing.hex_digest(command.payload):
            return []
    raise IdentityConflict("the event came with another payload before")


def evolve(delivery: Delivery | None, event: Recorded) -> Delivery:
    match event.type:
        case DeliveryRecorded.type:
            return Delivery(event.payload.get("payload_hash"))
        case DeliveryErased.type:
            return Delivery(erased=True)
    return _LOST


def _recorded(command: RecordDelivery) -> DeliveryRecorded:
    """Sanitised, the texts too: whom a message went to is the control plane's to know (runtime §5.7, §6.5)."""
    content: Payload = sanitiser.sanitise(command.payload)
    return DeliveryRecorded(
        event_id=command.event_id,
        provider=command.provider,
        delivery_state=command.delivery_state,
        payload=content,
        payload_hash=hashing.hex_digest(command.payload),
        message_id=_given(command.message_id),
        integration_id=_given(command.integration_id),
        recipient=_given(sanitiser.sanitise(command.recipient)),
        occurred_at=_given(command.occurred_at),
        reason=_given(sanitiser.sanitise(command.reason)),
    )


def _given(text: str | None) -> Any:
    return msgspec.UNSET if text is None else text


_LOST: Final = Delivery()

DECIDER: Final[Decider[Delivery, Command]] = Decider(
    kind=DELIVERY,
    state=Delivery,
    state_version=1,
    decide=decide,
    evolve=evolve,
    stand_in=lambda _: DeliveryLost(),
    erase=EraseDelivery(),
)
