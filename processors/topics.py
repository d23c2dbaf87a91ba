"""Waiting for topics: how many partitions each has, once all are there."""

import asyncio
from collections import Counter
from collections.abc import Collection

import structlog
from aiokafka.errors import KafkaError

from producers.relay.topics import partitions_of

LOGGER = structlog.get_logger()

TOPIC_POLL_S = 0.5


async def wait_for_topics(brokers: str, topics: Collection[str]) -> dict[str, int]:
    """Each topic's number of partitions, once Kafka is there and the relay has made them."""
    while True:
        try:
            counts = Counter(partition.topic for partition in await partitions_of(brokers, topics))
            if missing := set(topics) - counts.keys():
                LOGGER.info("waiting for the relay to make topics", topics=sorted(missing))
            else:
                return counts
        except KafkaError as error:
            LOGGER.info("waiting for Kafka", brokers=brokers, error=repr(error))
        await asyncio.sleep(TOPIC_POLL_S)
