"""How many partitions a topic has, asked of Kafka."""

import asyncio

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

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


async def partition_count(brokers: str, topic: str) -> int:
    """0 when there is no such topic; raises KafkaError when no broker answers."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    try:
        await admin.start()
        [described] = await admin.describe_topics([topic])
        return len(described["partitions"])
    finally:
        await admin.close()
