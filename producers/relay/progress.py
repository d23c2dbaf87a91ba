"""What is written down about each partition, so that a restart reads little and idle partitions are spoken for."""

from collections.abc import Iterable
from typing import Any

import asyncpg
from aiokafka import TopicPartition

from producers.relay.plan import Progress, Start
from schemas import sql_files

_SQL = sql_files.load(__file__)


class Acknowledged:
    """What the broker has acknowledged in this session, in log order."""

    def __init__(self, start: Start, epoch: int) -> None:
        self.position = start.after
        self._published = start.published
        self._last = start.last
        self._epoch = epoch
        self._saved: int | None = None

    def advance(self, position: int, last: dict[TopicPartition, int]) -> None:
        self.position = position
        self._last = last

    async def save(self, connection: "asyncpg.Connection[Any]") -> None:
        """Write it down where it has moved; on the leader's own connection, which dies with the leadership."""
        position = self.position
        if position == self._saved:
            return
        partitions = list(self._last)
        await connection.execute(
            _SQL["save"],
            [partition.topic for partition in partitions],
            [partition.partition for partition in partitions],
            [max(position, self._published[partition]) for partition in partitions],
            [self._last[partition] for partition in partitions],
            self._epoch,
        )
        self._saved = position


async def forget(pool: asyncpg.Pool, topics: Iterable[str]) -> None:
    """For topics that are about to be thrown away; nobody may lead meanwhile."""
    await pool.execute(_SQL["forget"], list(topics))


async def partition_count(pool: asyncpg.Pool, topic: str) -> int:
    """What a topic has that was fed, also while Kafka is away; 0 before that."""
    return int(await pool.fetchval(_SQL["partitions"], topic))


async def load(pool: asyncpg.Pool, topics: Iterable[str]) -> dict[TopicPartition, Progress]:
    rows = await pool.fetch(_SQL["load"], list(topics))
    return {
        TopicPartition(row["topic"], row["partition"]): Progress(row["position"], row["last_position"], row["epoch"])
        for row in rows
    }
