"""One turn of leading: fence, look at what the partitions hold, publish from there until something ends it."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from aiokafka import TopicPartition

from producers.eventlog import epochs
from producers.eventlog.reader import Head, LogReader
from producers.relay import progress
from producers.relay.chain import Chain
from producers.relay.contents import read_contents
from producers.relay.errors import LogSuspended, TopicMissing
from producers.relay.fencing import Fence, fenced_producer, take_fence
from producers.relay.health import Monotonic, Pulse
from producers.relay.leadership import keep
from producers.relay.plan import Contents, Start, check_history, plan
from producers.relay.progress import Acknowledged
from producers.relay.publisher import Publisher
from producers.relay.racing import first_to_end, within
from producers.relay.settings import RelaySettings
from producers.relay.topics import ensure_topics, topics_by_kind
from schemas.history import History
from schemas.kafka_records import origin_of
from schemas.tracing import Spans

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]

_TOPIC_CHECK_S: Final = 2.0


class Session:
    """Lives as long as the leader's connection; `run` returns after `renew_after_s` and raises when anything fails.

    It does not live for ever because Kafka forgets a fence that nobody renews: a producer id after a day without a
    write, a `transactional.id` after seven (ADR 0004).
    """

    def __init__(
        self,
        settings: RelaySettings,
        pool: asyncpg.Pool,
        wakeup: asyncio.Event,
        pulse: Pulse,
        clock: Monotonic,
        spans: Spans | None = None,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._reader = LogReader(pool)
        self._wakeup = wakeup
        self._pulse = pulse
        self._clock = clock
        self._spans = spans
        self._acknowledged: Acknowledged | None = None

    async def run(self, connection: "Connection") -> None:
        await first_to_end(self._prepare_and_publish(), keep(connection, self._settings.heartbeat_s, self._save))

    async def _save(self, connection: "Connection") -> None:
        if self._acknowledged:
            await self._acknowledged.save(connection)

    async def _prepare_and_publish(self) -> None:
        async with within(self._settings.setup_timeout_s, "fencing and looking at the partitions"):
            await self._standing()
            counts = await ensure_topics(self._settings)
            partitions = [TopicPartition(topic, number) for topic in counts for number in range(counts[topic])]
            fence = await take_fence(self._settings, partitions)
            head, start = await self._where_to_start(partitions)
            history = await epochs.history(self._pool)
        await self._publish(fence, head, start, history, counts)

    async def _where_to_start(self, partitions: list[TopicPartition]) -> tuple[Head, Start]:
        """Only after fencing: what the partitions hold does not change any more."""
        contents = await read_contents(self._settings.kafka_bootstrap, partitions)
        written = await progress.load(self._pool, {partition.topic for partition in partitions})
        head = await self._standing()
        start = plan(head, contents, written)
        await self._check_history(contents)
        return head, start

    async def _standing(self) -> Head:
        """The log's head, if one may go on from there."""
        async with self._pool.acquire() as connection:
            await epochs.check_server(connection)
        head = await self._reader.head()
        if head.suspended:
            raise LogSuspended(head.suspended)
        return head

    async def _check_history(self, contents: Mapping[TopicPartition, Contents | None]) -> None:
        ends = [held.last.position for held in contents.values() if held]
        check_history(contents, {event.position: origin_of(event) for event in await self._reader.read_these(ends)})

    async def _publish(
        self, fence: Fence, head: Head, start: Start, history: History, counts: Mapping[str, int]
    ) -> None:
        chain = Chain(start, history, topics_by_kind(self._settings.topic_prefix), counts)
        acknowledged = self._acknowledged = Acknowledged(start, head.epoch)
        renew_at = self._clock() + self._settings.renew_after_s
        async with fenced_producer(self._settings, fence) as producer:
            parts = (self._reader, self._wakeup, producer, chain, acknowledged, self._pulse.moved, self._spans)
            publisher = Publisher(self._settings, *parts)
            self._pulse.publishing(start.after)
            await first_to_end(
                publisher.run(lambda: self._clock() > renew_at), _watch_topics(producer.client, list(counts))
            )


async def _watch_topics(client: Any, topics: list[str]) -> None:
    while True:
        await asyncio.sleep(_TOPIC_CHECK_S)
        cluster = await client.fetch_all_metadata()
        if missing := [topic for topic in topics if not cluster.partitions_for_topic(topic)]:
            raise TopicMissing(", ".join(missing))
