"""The relay between the real Postgres and the real Kafka (DESIGN I2, I4; §4, §5)."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from prometheus_client import REGISTRY

from producers.eventlog import epochs
from producers.eventlog.reader import LogReader
from producers.presence import Process
from producers.relay.contents import read_contents
from producers.relay.fencing import check_fencing, fenced_producer, take_fence
from producers.relay.health import Health
from producers.relay.refeed import reached, refeed
from producers.relay.service import Relay, serve
from producers.relay.settings import RelaySettings
from producers.relay.topics import ensure_topics
from schemas import kafka_records, names
from tests import relayed
from tests.conftest import Kafka
from tests.relayed import commit, committed, topic_contents, until, until_relayed
from tests.unit.test_avro import read_plainly

Pool = asyncpg.Pool


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
def settings(database: str, kafka: Kafka) -> RelaySettings:
    return RelaySettings(database, kafka.bootstrap, topic_prefix=f"{kafka.prefix}{uuid.uuid4().hex[:6]}.")


@pytest.fixture
def topic(settings: RelaySettings) -> str:
    return f"{settings.topic_prefix}oa.workers"


@asynccontextmanager
async def running(settings: RelaySettings, pool: Pool) -> AsyncIterator[Relay]:
    relay = Relay(settings, pool)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def admin(settings: RelaySettings) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def delete(settings: RelaySettings, topic: str) -> None:
    async with admin(settings) as client:
        await client.delete_topics([topic])


def is_publishing(relay: Relay) -> bool:
    return relay.health().reason == "publishing"


def sessions_that(outcome: str) -> float:
    return REGISTRY.get_sample_value("oa_relay_sessions_total", {"outcome": outcome}) or 0.0


async def until_written_down(pool: Pool, topic: str, position: int) -> None:
    query = "select min(position) from relay_progress where topic = $1"
    async with asyncio.timeout(30):
        while await pool.fetchval(query, topic) != position:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def relayed_once(settings: RelaySettings, pool: Pool, topic: str) -> None:
    async with running(settings, pool):
        await until_relayed(pool, settings.kafka_bootstrap, topic)


@pytest.mark.invariant("I4")
async def test_every_event_is_in_its_partition_in_order_with_its_key(
    settings: RelaySettings, pool: Pool, topic: str
) -> None:
    await commit(pool, 2000)
    async with running(settings, pool) as relay:
        await until(lambda: is_publishing(relay))
        for _ in range(20):
            await commit(pool, 50)
        await until_relayed(pool, settings.kafka_bootstrap, topic)
        await until(lambda: relay.health() == Health(True, 0, 0.0, "publishing"))
    events = {event.position: event for event in await LogReader(pool).read_all(0, 5000)}
    for records in (await topic_contents(settings.kafka_bootstrap, topic)).values():
        for record in records:
            event = events[record.place.position]
            assert record.key == names.kafka_key(event.stream)
            assert kafka_records.event(record.value, record.headers) == event


async def test_a_stock_consumer_reads_values_with_the_schema_of_their_id(
    settings: RelaySettings, pool: Pool, topic: str
) -> None:
    await commit(pool, 10)
    await relayed_once(settings, pool, topic)
    contents = await topic_contents(settings.kafka_bootstrap, topic)
    values = [read_plainly(record.value) for records in contents.values() for record in records]
    assert sorted(value["position"] for value in values) == list(range(1, 11))
    assert {value["payload"][1]["json"] for value in values} == {'{"source":"desk"}'}


async def test_a_restarted_relay_goes_on_without_repeats(settings: RelaySettings, pool: Pool, topic: str) -> None:
    for _ in range(3):
        await commit(pool, 300)
        await relayed_once(settings, pool, topic)


async def test_idle_partitions_are_spoken_for(settings: RelaySettings, pool: Pool, topic: str) -> None:
    await commit(pool, 300, workers=1)
    async with running(replace(settings, heartbeat_s=0.05), pool) as relay:
        await until(lambda: relay.health() == Health(True, 0, 0.0, "publishing"))
        await until_written_down(pool, topic, 300)
    assert sum(map(bool, (await committed(pool)).values())) == 1
    rows = await pool.fetch("select distinct position, epoch from relay_progress where topic = $1", topic)
    assert [tuple(row) for row in rows] == [(300, 1)]


@pytest.mark.invariant("I4")
async def test_one_leads_and_the_other_takes_over(settings: RelaySettings, pool: Pool, topic: str) -> None:
    async with AsyncExitStack() as leaving:
        first = await leaving.enter_async_context(running(settings, pool))
        await until(lambda: is_publishing(first))
        async with running(settings, pool) as second:
            await until(lambda: second.health() == Health(True, 0, 0.0, "somebody else leads"))
            await commit(pool, 500)
            await until_relayed(pool, settings.kafka_bootstrap, topic)
            assert not is_publishing(second)
            await leaving.aclose()
            await commit(pool, 500)
            await until(lambda: is_publishing(second))
            await until_relayed(pool, settings.kafka_bootstrap, topic)


async def test_a_leader_whose_connection_is_ended_leads_again(settings: RelaySettings, pool: Pool, topic: str) -> None:
    async with running(settings, pool) as relay:
        await until(lambda: is_publishing(relay))
        await commit(pool, 500)
        await pool.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'oa relay leader' and datname = current_database()"
        )
        await until(lambda: not is_publishing(relay))
        await commit(pool, 500)
        await until_relayed(pool, settings.kafka_bootstrap, topic)


async def test_a_fence_that_is_renewed_loses_nothing(settings: RelaySettings, pool: Pool, topic: str) -> None:
    renewed = sessions_that("renewed")
    async with running(replace(settings, renew_after_s=0.5), pool) as relay:
        await until(lambda: is_publishing(relay))
        while sessions_that("renewed") < renewed + 4:
            await commit(pool, 20)
        await until_relayed(pool, settings.kafka_bootstrap, topic)


@pytest.mark.invariant("I4")
async def test_whoever_has_an_older_fence_cannot_write(settings: RelaySettings, topic: str) -> None:
    counts = await ensure_topics(settings)
    partitions = [TopicPartition(topic, number) for number in range(counts[topic])]
    older = await take_fence(settings, partitions)
    async with fenced_producer(settings, older) as paused:
        await paused.send_and_wait(topic, b"before", partition=0)
        newer = await take_fence(settings, partitions)
        assert newer > older
        for number in range(counts[topic]):
            with pytest.raises(KafkaError):
                await paused.send_and_wait(topic, b"too late", partition=number)
    async with fenced_producer(settings, newer) as producer, relayed.consumer(settings.kafka_bootstrap) as reading:
        for number in range(counts[topic]):
            await producer.send_and_wait(topic, b"after", partition=number)
        reading.assign(partitions)
        await reading.seek_to_beginning(*partitions)
        values: list[bytes] = []
        while values.count(b"after") < len(partitions):
            values += [record.value for found in (await reading.getmany(timeout_ms=50)).values() for record in found]
    assert sorted(values) == [b"after"] * len(partitions) + [b"before"]


async def test_this_aiokafka_can_be_fenced() -> None:
    check_fencing()


async def test_ends_are_found_behind_many_fences(settings: RelaySettings, pool: Pool, topic: str) -> None:
    await commit(pool, 100, workers=1)
    await relayed_once(settings, pool, topic)
    partitions = [TopicPartition(topic, number) for number in range(relayed.PARTITIONS)]
    for _ in range(12):
        await take_fence(settings, partitions)
    contents = await read_contents(settings.kafka_bootstrap, partitions)
    [held] = [found for found in contents.values() if found]
    assert (held.first.position, held.first.previous) == (1, 0)
    assert (held.last.position, held.last.previous) == (100, 99)


async def test_a_topic_keeps_its_number_of_partitions(settings: RelaySettings, pool: Pool, topic: str) -> None:
    async with admin(settings) as client:
        await client.create_topics([NewTopic(topic, 2, 1)])
    await commit(pool, 100)
    expected = await committed(pool, partitions=2)
    async with running(settings, pool) as relay:
        await until(lambda: relay.health() == Health(True, 0, 0.0, "publishing"))
        await until(lambda: relay.health().lag_positions == 0)
    relayed.assert_chained(await topic_contents(settings.kafka_bootstrap, topic), expected)


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("change", ["position = 150", "epoch = 0"])
async def test_a_log_behind_its_publication_is_refused(
    settings: RelaySettings, pool: Pool, topic: str, change: str
) -> None:
    await commit(pool, 200)
    await relayed_once(settings, pool, topic)
    before = await topic_contents(settings.kafka_bootstrap, topic)
    await pool.execute("delete from relay_progress")
    await pool.execute("delete from events where position > 150")
    await pool.execute(f"update log_head set {change}")
    async with running(settings, pool) as relay:
        await until(lambda: "oa log recover" in relay.health().reason)
        assert not relay.health().ready
        await commit(pool, 20)
        refused = sessions_that("refused")
        await until(lambda: sessions_that("refused") > refused + 1)
    assert await topic_contents(settings.kafka_bootstrap, topic) == before


@pytest.mark.invariant("I4")
async def test_a_topic_deleted_under_the_relay_is_made_and_fed_again(
    settings: RelaySettings, pool: Pool, topic: str
) -> None:
    await commit(pool, 1000)
    async with running(settings, pool) as relay:
        await until_relayed(pool, settings.kafka_bootstrap, topic)
        await delete(settings, topic)
        await until_relayed(pool, settings.kafka_bootstrap, topic)
        await until(lambda: relay.health() == Health(True, 0, 0.0, "publishing"))


@pytest.mark.invariant("I4")
async def test_a_topic_deleted_between_two_relays_is_made_and_fed_again(
    settings: RelaySettings, pool: Pool, topic: str
) -> None:
    await commit(pool, 1000)
    await relayed_once(replace(settings, heartbeat_s=0.05), pool, topic)
    before = await topic_contents(settings.kafka_bootstrap, topic)
    await delete(settings, topic)
    await relayed_once(settings, pool, topic)
    after = await topic_contents(settings.kafka_bootstrap, topic)
    assert [[record.value for record in records] for records in after.values()] == [
        [record.value for record in records] for records in before.values()
    ]


async def test_a_topic_that_begins_inside_its_chain_is_refused(settings: RelaySettings, pool: Pool, topic: str) -> None:
    await commit(pool, 100)
    await ensure_topics(settings)
    [event] = await LogReader(pool).read_all(49, 1)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap)
    await producer.start()
    try:
        headers = kafka_records.headers(event, previous=44, epoch=1)
        await producer.send_and_wait(topic, b"value", partition=0, headers=headers)
    finally:
        await producer.stop()
    async with running(settings, pool) as relay:
        await until(lambda: "begins after position 44" in relay.health().reason)
        assert not relay.health().ready
        await delete(settings, topic)
        await until_relayed(pool, settings.kafka_bootstrap, topic)


@pytest.mark.invariant("I9")
async def test_a_relay_without_a_broker_is_not_ready_and_says_why(settings: RelaySettings, pool: Pool) -> None:
    async with running(replace(settings, kafka_bootstrap="127.0.0.1:1"), pool) as relay:
        await until(lambda: "KafkaConnectionError" in relay.health().reason)
        assert not relay.health().ready


async def test_the_process_hands_its_health_to_whoever_exposes_it(
    settings: RelaySettings, pool: Pool, topic: str
) -> None:
    seen: list[Health] = []

    async def expose(health: Any) -> None:
        while True:
            seen.append(health())
            await asyncio.sleep(0.01)

    process = Process("this", "relay", "here", 7)
    serving = asyncio.create_task(serve(settings, expose, process))
    try:
        await commit(pool, 100)
        await until_relayed(pool, settings.kafka_bootstrap, topic)
        await until(lambda: seen[-1] == Health(True, 0, 0.0, "publishing"))
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.invariant("I4")
async def test_refed_topics_have_the_same_records(settings: RelaySettings, pool: Pool, topic: str) -> None:
    await commit(pool, 500)
    async with running(settings, pool):
        await until_relayed(pool, settings.kafka_bootstrap, topic)
        before = await topic_contents(settings.kafka_bootstrap, topic)
        assert await refeed(pool, settings)
        async with asyncio.timeout(30):
            while await reached(pool, settings) < 500:  # noqa: ASYNC110 the relay writes it into Postgres
                await asyncio.sleep(0.05)
        await until_relayed(pool, settings.kafka_bootstrap, topic)
    after = await topic_contents(settings.kafka_bootstrap, topic)
    assert [[record[:5] for record in after[number]] for number in after] == [
        [record[:5] for record in before[number]] for number in before
    ]


@pytest.mark.invariant("I2")
async def test_a_log_that_went_on_from_an_older_state_is_refused_and_suspended(
    settings: RelaySettings, pool: Pool, topic: str
) -> None:
    """Positions were used again for other events: only what they are of tells the histories apart."""
    await commit(pool, 100, workers=1)
    async with running(settings, pool):
        await until_relayed(pool, settings.kafka_bootstrap, topic)
    await pool.execute("delete from events where position > 50")
    await pool.execute("update log_head set position = 50")
    await commit(pool, 200, workers=1)
    async with running(settings, pool) as relay:
        await until(lambda: "another event at position 100" in relay.health().reason)
        assert "another event" in ((await LogReader(pool).head()).suspended or "")


async def test_an_epochs_number_travels_with_its_records(settings: RelaySettings, pool: Pool, topic: str) -> None:
    await commit(pool, 3, workers=1)
    async with pool.acquire() as connection, connection.transaction():
        await epochs.begin(connection, above=0, at=datetime.now(UTC))
    await commit(pool, 2, workers=1)
    async with running(settings, pool):
        await until_relayed(pool, settings.kafka_bootstrap, topic)
    [records] = [records for records in (await topic_contents(settings.kafka_bootstrap, topic)).values() if records]
    assert [record.place.epoch for record in records] == [1, 1, 1, 2, 2]
