"""The services of the local stack, each real."""

from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from tests.conftest import Kafka


async def test_postgres_keeps_fsync_on(pool: "asyncpg.Pool[Any]") -> None:
    assert await pool.fetchval("SHOW fsync") == "on"


async def test_postgres_listens_on_its_socket_only(pool: "asyncpg.Pool[Any]") -> None:
    assert await pool.fetchval("SHOW listen_addresses") == ""


async def test_kafka_gives_back_what_it_got(kafka: Kafka) -> None:
    topic = f"{kafka.prefix}echo"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        await producer.send_and_wait(topic, b"hello")
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest") as consumer:
        assert (await consumer.getone()).value == b"hello"


async def test_redis_counts(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        assert await client.incr("hits") == 1
