"""Waiting for a topic: how many partitions it has, once there is one."""

import asyncio

import structlog
from aiokafka.errors import KafkaError

from producers.relay.topics import partition_count

LOGGER = structlog.get_logger()

TOPIC_POLL_S = 0.5


async def wait_for_topic(brokers: str, topic: str) -> int:
    """The topic's number of partitions, once Kafka is there and the relay has made it."""
    while True:
        try:
            if partitions := await partition_count(brokers, topic):
                return partitions
            LOGGER.info("waiting for the relay to make the topic", topic=topic)
        except KafkaError as error:
            LOGGER.info("waiting for Kafka", brokers=brokers, error=repr(error))
        await asyncio.sleep(TOPIC_POLL_S)
