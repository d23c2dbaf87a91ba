"""Records of a topic on their way from Faust to whoever takes them, several sometimes; knows nothing about them."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import faust

from processors.inbox import Inbox
from processors.sources import Record, delivery
from readmodels.engine import Delivery

if TYPE_CHECKING:
    from readmodels.engine.apply import Batch


class Arrival:
    """A record, and how to tell Kafka that all its takers are done with it.

    That is only a courtesy: offsets prove nothing (DESIGN §5).
    """

    def __init__(self, topic: str, record: Record, takers: int, acknowledge: Callable[[], bool]) -> None:
        self.record = record
        self._topic = topic
        self._takers = takers
        self._acknowledge = acknowledge

    @cached_property
    def delivery(self) -> Delivery | None:
        """What the record carries, read once for all takers; None when it cannot be read: the log fills it in."""
        return delivery(self._topic, self.record)

    def done(self) -> None:
        self._takers -= 1
        if not self._takers:
            self._acknowledge()


Take = Callable[[Sequence[Arrival]], Awaitable[None]]
"""Returns once none of these has to come again."""


def follow(app: faust.App, topic: str, inboxes: Sequence[Inbox[Arrival]]) -> None:
    """The agent that moves a topic's records into every inbox; acknowledges nothing itself."""

    async def hand_out(stream: "faust.StreamT[bytes]") -> None:
        arriving = stream.noack()
        async for first in arriving.events():
            for event in chain((first,), _waiting(arriving.channel.queue)):
                message = event.message
                record = Record(message.partition, message.value, message.headers)
                arrival = Arrival(topic, record, len(inboxes), event.ack)
                for inbox in inboxes:
                    await inbox.put(arrival)

    channel = app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
    app.agent(channel, name=topic)(hand_out)


def _waiting(queue: Any) -> Iterator[Any]:
    """What is there already: the stream itself gives one event a turn of the loop."""
    while not queue.empty():
        yield queue.get_nowait()


async def take_arrivals(inbox: Inbox[Arrival], take: Take) -> None:
    """Batches what has arrived, for ever."""
    while True:
        arrivals = await inbox.take()
        await take(arrivals)
        for arrival in arrivals:
            arrival.done()


def batch(arrivals: Sequence[Arrival]) -> "Batch":
    """What the engine takes: deliveries by partition."""
    by_partition: dict[int, list[Delivery]] = {}
    for arrival in arrivals:
        if arrival.delivery:
            by_partition.setdefault(arrival.record.partition, []).append(arrival.delivery)
    return by_partition
