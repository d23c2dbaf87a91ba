"""Workers: their summaries follow the topic of their events."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

import faust

from processors.inbox import Inbox
from processors.projector import Projector
from processors.sources import Record, deliveries


class Arrival(NamedTuple):
    """A record, and how to tell Kafka that it is applied; only a courtesy, since offsets prove nothing (DESIGN §5)."""

    record: Record
    acknowledge: Callable[[], Awaitable[bool]]


def project_workers(app: faust.App, topic: str, inbox: Inbox[Arrival]) -> None:
    """The agent that moves a topic's records into the inbox; acknowledges nothing itself."""

    async def project(stream: "faust.StreamT[bytes]") -> None:
        arriving = stream.noack()
        async for event in arriving.events():
            message = event.message
            record = Record(message.partition, message.value, message.headers)
            await inbox.put(Arrival(record, partial(arriving.ack, event)))

    app.agent(app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw"))(project)


async def apply_arrivals(topic: str, inbox: Inbox[Arrival], projector: Projector) -> None:
    """Batches what has arrived, for ever; a batch that fails is tried again by the projector."""
    while True:
        arrivals = await inbox.take()
        await projector.apply(deliveries(topic, (arrival.record for arrival in arrivals)))
        for arrival in arrivals:
            await arrival.acknowledge()
