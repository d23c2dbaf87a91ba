"""Deliveries of one partition, as they may arrive: twice, late, out of order, or with some missing."""

from collections.abc import Iterable, Sequence

import msgspec

from schemas.events import Recorded


class Delivery(msgspec.Struct, frozen=True):
    """An event and the position of the event before it in its partition (`oa_prev`; 0 for the first)."""

    event: Recorded
    prev: int
    epoch: int = 0


class Hole(msgspec.Struct, frozen=True):
    """Not all events of a partition above `after`, its checkpoint, up to and including `up_to` arrived."""

    partition: int
    after: int
    up_to: int


def in_order(partition: int, deliveries: Iterable[Delivery], checkpoint: int) -> list[Delivery] | Hole:
    """What is above the checkpoint, ascending and once, or the first hole in it."""
    fresh = {delivery.event.position: delivery for delivery in deliveries if delivery.event.position > checkpoint}
    ordered = [fresh[position] for position in sorted(fresh)]
    reached = checkpoint
    for delivery in ordered:
        if delivery.prev > reached:
            return Hole(partition, checkpoint, delivery.prev)
        reached = delivery.event.position
    return ordered


def chained(events: Sequence[Recorded], prev: int) -> list[Delivery]:
    """Events of one partition read from the log, as if each had been delivered."""
    before = [prev, *(event.position for event in events)]
    return [Delivery(event, position) for event, position in zip(events, before, strict=False)]
