"""The processors between a real Kafka and a real Postgres: whatever Kafka does, the summaries are the log's."""

import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from processors.app import Processors, ProcessorSettings
from producers.eventlog.commands import Decider, Item
from producers.eventlog.log import EventLog
from producers.workers import DECIDER
from readmodels import engine
from readmodels.catalogue import VIEWS
from readmodels.engine import Delivery, LogBehind, View
from readmodels.engine.fold import fold
from readmodels.engine.views import encode
from readmodels.workers import SUMMARIES
from schemas import names
from tests import alarms
from tests.alarms import ALARMS
from tests.conftest import Kafka
from tests.locks import held
from tests.run_events import CREATED, LIFE
from tests.worker_events import STARTED, Log, commit, delivered, heartbeat, kafka_record, partition_in

Pool = asyncpg.Pool

PROCESS = """
import asyncio, sys
from datetime import UTC, datetime
import asyncpg
from processors.app import Processors, ProcessorSettings

async def main(dsn, brokers, group, prefix):
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        await Processors(ProcessorSettings(brokers, group, prefix), pool, lambda: datetime.now(UTC)).run()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
def settings(kafka: Kafka) -> ProcessorSettings:
    prefix = f"{kafka.prefix}{uuid.uuid4().hex[:6]}."
    return ProcessorSettings(kafka.bootstrap, group=f"{prefix}processors", topic_prefix=prefix)


@pytest.fixture
async def producer(kafka: Kafka) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    yield producer
    await producer.stop()


@pytest.fixture
def log() -> Log:
    return written(Log(), 40)


def written(log: Log, count: int) -> Log:
    for number in range(count):
        worker_id = f"w{number % 7}"
        fresh = all(event.stream != names.worker_stream("user:41", worker_id) for event in log.events)
        log.append(worker_id, STARTED if fresh else heartbeat({"n": number}))
    return log


async def make_topic(settings: ProcessorSettings) -> str:
    topic = settings.topic_prefix + SUMMARIES.topic
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.brokers)
    await admin.start()
    try:
        topics = [settings.topic_prefix + one for one in names.TOPICS]
        await admin.create_topics([NewTopic(one, num_partitions=6, replication_factor=1) for one in topics])
    finally:
        await admin.close()
    return topic


async def publish(producer: AIOKafkaProducer, topic: str, deliveries: dict[int, list[Delivery]]) -> None:
    for partition, some in deliveries.items():
        for delivery in some:
            key, value, headers = kafka_record(delivery)
            await producer.send(topic, value, key, partition, headers=headers)
    await producer.flush()


def now() -> datetime:
    return datetime.now(UTC)


def fast() -> float:
    """Monotonic, twenty seconds a second."""
    return 20 * time.monotonic()


def backwards() -> Callable[[], datetime]:
    """A wall clock that somebody sets back all the time."""
    start = now()
    return lambda: start - 20 * (now() - start)


@asynccontextmanager
async def running(
    settings: ProcessorSettings,
    pool: "Pool[Any]",
    clock: Callable[[], datetime] = now,
    monotonic: Callable[[], float] = time.monotonic,
    deciders: Sequence[Decider[Any, Any]] = (DECIDER,),
) -> AsyncIterator[Processors]:
    processors = Processors(settings, pool, clock, monotonic, deciders)
    task = asyncio.create_task(processors.run())
    try:
        yield processors
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = 40) -> None:
    async with asyncio.timeout(within_s):
        while not await holds():  # noqa: ASYNC110 what is waited for happens in another process
            await asyncio.sleep(0.05)


async def documents(pool: "Pool[Any]") -> dict[tuple[str, str], str]:
    if not await pool.fetchval("select to_regclass($1)", SUMMARIES.table):
        return {}
    rows = await pool.fetch(f"select * from {SUMMARIES.table}")
    return {(row["owner"], row["doc_key"]): row["document"] for row in rows}


def folded(log: Log) -> dict[tuple[str, str], str]:
    return {key: encode(change.row.document) for key, change in fold(SUMMARIES, {}, (), log.events).changes.items()}


async def until_folded(pool: "Pool[Any]", log: Log) -> None:
    async def are_the_logs() -> bool:
        return await documents(pool) == folded(log)

    await until(are_the_logs)


async def test_summaries_follow_the_topic_once_the_relay_has_made_it(
    settings: ProcessorSettings, pool: "Pool[Any]", producer: AIOKafkaProducer, log: Log
) -> None:
    await commit(pool, log.events)
    async with running(settings, pool) as processors:
        assert not processors.health().ready
        topic = await make_topic(settings)
        await publish(producer, topic, delivered(log.events))
        await until_folded(pool, log)

        async def says_so() -> bool:
            return processors.health() == (True, 0, 0.0, "")

        await until(says_so)


async def test_repeated_unreadable_and_missing_records_make_no_difference(
    settings: ProcessorSettings, pool: "Pool[Any]", producer: AIOKafkaProducer, log: Log
) -> None:
    await commit(pool, log.events)
    topic = await make_topic(settings)
    sent = delivered(log.events)
    holed = {partition: [some[0], some[0], *some[2:-1], some[-2], some[-1]] for partition, some in sent.items()}
    await producer.send_and_wait(topic, b"\0\0\0\0\7not avro", partition=0)
    async with running(settings, pool):
        await publish(producer, topic, holed)
        await until_folded(pool, log)


async def test_a_published_event_that_nothing_follows_is_fetched_from_the_log(
    settings: ProcessorSettings, pool: "Pool[Any]", producer: AIOKafkaProducer, log: Log
) -> None:
    """Its record is lost and no later one shows the hole; the relay's progress tells."""
    await commit(pool, log.events)
    topic = await make_topic(settings)
    sent = delivered(log.events)
    lost = partition_in(log.events[-1], 6)
    sent[lost] = sent[lost][:-1]
    await publish(producer, topic, sent)
    await pool.executemany(
        "insert into relay_progress values ($1, $2, $3, $3, 1)", [(topic, partition, 40) for partition in range(6)]
    )
    async with running(settings, pool, clock=backwards(), monotonic=fast):
        await until_folded(pool, log)


@pytest.mark.invariant("I9")
async def test_an_unpublished_event_is_lag_and_stuck_is_not_ready(
    settings: ProcessorSettings, pool: "Pool[Any]", producer: AIOKafkaProducer, log: Log
) -> None:
    await commit(pool, log.events)
    topic = await make_topic(settings)
    sent = delivered(log.events[:-1])
    await publish(producer, topic, sent)
    async with running(settings, pool, clock=backwards(), monotonic=fast) as processors:

        async def is_stuck() -> bool:
            health = processors.health()
            return "has not moved" in health.reason and not health.ready and health.lag_positions == 1

        await until(is_stuck)
        await publish(producer, topic, {p: some[-1:] for p, some in delivered(log.events).items()})
        await until_folded(pool, log)


@pytest.mark.invariant("I9")
async def test_timers_that_hang_are_not_ready(
    settings: ProcessorSettings, pool: "Pool[Any]", database: str, producer: AIOKafkaProducer
) -> None:
    await make_topic(settings)
    log = EventLog(pool)
    await log.execute(ALARMS, alarms.stream("a"), alarms.OWNER, [Item(alarms.Set(now()))])
    await log.close()
    async with AsyncExitStack() as lock:
        await lock.enter_async_context(held(database, "select from log_head for update"))
        async with running(settings, pool, monotonic=lambda: 5 * time.monotonic(), deciders=[ALARMS]) as processors:

            async def is_stuck() -> bool:
                return "no timer was looked at for" in processors.health().reason and not processors.health().ready

            async def is_ready() -> bool:
                return processors.health().ready

            await until(is_stuck)
            await lock.aclose()
            await until(is_ready)


async def test_connections_that_postgres_drops_cost_nothing(
    settings: ProcessorSettings, pool: "Pool[Any]", database: str, producer: AIOKafkaProducer
) -> None:
    log = written(Log(), 400)
    await commit(pool, log.events)
    topic = await make_topic(settings)
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as theirs, running(settings, theirs) as processors:

        async def is_ready() -> bool:
            return processors.health().ready

        await until(is_ready)
        for part in range(4):
            sent = {p: some[part::4] for p, some in delivered(log.events).items()}
            await publish(producer, topic, sent)
            await pool.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        await until_folded(pool, log)


@pytest.mark.invariant("I2")
async def test_a_log_that_is_behind_what_was_applied_is_refused(
    settings: ProcessorSettings, pool: "Pool[Any]", log: Log
) -> None:
    """I2."""
    await commit(pool, log.events)
    await make_topic(settings)
    await engine.advance(pool, SUMMARIES, settings.generation, [3], 41)
    with pytest.raises(LogBehind, match="the log ends at 40"):
        await Processors(settings, pool, now).run()


@pytest.mark.invariant("I5")
async def test_killed_processors_resume_to_the_digest_of_those_that_lived(
    settings: ProcessorSettings, pool: "Pool[Any]", database: str, producer: AIOKafkaProducer
) -> None:
    """kill -9 while batches are under way, three times."""
    log = written(Log(), 3000)
    await commit(pool, log.events)
    topic = await make_topic(settings)
    await publish(producer, topic, delivered(log.events))
    for part in (0, 800, 1600):

        async def is_past(target: int = part) -> bool:
            return sum((await engine.checkpoints(pool, SUMMARIES, settings.generation)).values()) > target

        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROCESS, database, settings.brokers, settings.group, settings.topic_prefix
        )
        await until(is_past)
        process.kill()
        await process.wait()
    async with running(settings, pool):
        await until_folded(pool, log)
    resumed = await engine.digest(pool, SUMMARIES)
    await pool.execute(f"truncate {SUMMARIES.table}, checkpoints")
    await engine.apply_batch(pool, SUMMARIES, 1, delivered(log.events), log.fill)
    assert await engine.digest(pool, SUMMARIES) == resumed
    rows = await pool.fetch("select watermark, doc_key, doc_version from journal order by watermark")
    assert [row["watermark"] for row in rows] == list(range(1, len(rows) + 1))
    assert len({(row["doc_key"], row["doc_version"]) for row in rows[:-7]}) == len(rows) - 7


async def test_cancelling_ends_everything_that_was_started(
    settings: ProcessorSettings, pool: "Pool[Any]", database: str, producer: AIOKafkaProducer, log: Log
) -> None:
    """What SIGTERM does (`oa serve`); Faust must leave no task behind."""
    await commit(pool, log.events)
    topic = await make_topic(settings)
    await publish(producer, topic, delivered(log.events))
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as theirs:
        before = asyncio.all_tasks()
        async with asyncio.timeout(30), running(settings, theirs):
            await until_folded(pool, log)
        assert asyncio.all_tasks() - before == set()


@pytest.mark.invariant("I5")
async def test_every_view_of_every_topic_follows_in_one_process(
    settings: ProcessorSettings, pool: "Pool[Any]", producer: AIOKafkaProducer
) -> None:
    """Several views share a topic's agent, and a record that none of them got; a topic may have none."""
    log = written(Log(), 20)
    for number in range(5):
        log.append_to(f"ownership/run_{number}", CREATED, "user:41")
        for event in LIFE:
            log.append_to(f"run/run_{number}", event, "user:41")
    await commit(pool, log.events)
    await make_topic(settings)
    async with running(settings, pool) as processors:
        for topic in dict.fromkeys(view.topic for view in VIEWS.values()):
            sent = delivered(event for event in log.events if event.kind in names.kinds_of(topic))
            holed = {partition: [*some[:-2], some[-1]] for partition, some in sent.items()}
            await publish(producer, settings.topic_prefix + topic, holed)

        async def are_the_logs() -> bool:
            return all([await rows_of(pool, view) == straight(view, log) for view in VIEWS.values()])

        await until(are_the_logs)

        async def is_ready() -> bool:
            return processors.health() == (True, 0, 0.0, "")

        await until(is_ready)


async def rows_of(pool: "Pool[Any]", view: View[Any]) -> dict[tuple[str, str], str]:
    rows = await pool.fetch(f"select owner, doc_key, document from {view.table}")
    return {(row["owner"], row["doc_key"]): row["document"] for row in rows}


def straight(view: View[Any], log: Log) -> dict[tuple[str, str], str]:
    return {key: encode(change.row.document) for key, change in fold(view, {}, (), log.events).changes.items()}
