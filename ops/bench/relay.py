"""`oa bench relay`: the relay beside a bare aiokafka `send` loop, and how long until a consumer has an event."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ops.bench.figures import Figure, median, percentile, show
from ops.bench.processes import fresh_kafka, fresh_postgres, serving, until
from ops.bench.writing import Sent, Writer
from ops.database import open_pool
from ops.stack import health
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.relay.chain import Chain, OutgoingRecord
from producers.relay.plan import Start
from producers.relay.settings import RelaySettings
from producers.relay.topics import ensure_topics
from schemas import kafka_records
from schemas.history import Epoch, History
from schemas.names import KAFKA_TOPICS, WORKER, worker_id_of

EVENTS = 30_000
WORKERS = 100
ROUNDS = 3
RATE = 1000
WARM_UP_S = 3
RUN_S = 15
SETTLE_S = 2
TOPIC = KAFKA_TOPICS[WORKER]


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    async with fresh_postgres() as (server, _), fresh_kafka() as kafka, open_pool(server.dsn()) as pool:
        log = EventLog(pool)
        writer = Writer(log, "user:1", WORKERS)
        await writer.backlog(EVENTS)
        settings = RelaySettings(server.dsn(), kafka.bootstrap)
        records = await _records(pool, settings)
        rounds = [(await _ours(settings, number), await _bare(settings, records)) for number in range(ROUNDS)]
        delays_ms = await _delays_ms(settings, writer)
        await log.close()
    return Figure(
        name="relay",
        ours=median(ours for ours, _ in rounds),
        unit="events/s",
        peer=median(bare for _, bare in rounds),
        ratio=median(ours / bare for ours, bare in rounds),
        p50_ms=percentile(delays_ms, 0.5),
        p99_ms=percentile(delays_ms, 0.99),
    )


async def _records(pool: "asyncpg.Pool[Any]", settings: RelaySettings) -> list[OutgoingRecord]:
    """What the relay will send, made beforehand: the other side only sends."""
    partitions = [TopicPartition(TOPIC, number) for number in range(settings.partitions)]
    nothing = dict.fromkeys(partitions, 0)
    chain = Chain(Start(nothing, nothing), History([Epoch(1, 0, 0)]), {WORKER: TOPIC}, {TOPIC: settings.partitions})
    return list(chain.records(await LogReader(pool).read_all(0, EVENTS)))


async def _ours(settings: RelaySettings, number: int) -> float:
    """The relay's process into topics of its own, from when it is ready until everything is acknowledged."""
    async with _relay(settings, f"round{number}.") as port:
        total, started = await _lag(port), time.perf_counter()
        await until(lambda: has_published(port))
        return total / (time.perf_counter() - started)


async def _bare(settings: RelaySettings, records: list[OutgoingRecord]) -> float:
    """`send` after `send`, as durable as the relay's; into a topic that nobody else uses."""
    await ensure_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True)
    await producer.start()
    started = time.perf_counter()
    for partition, key, value, headers, timestamp_ms in records:
        await producer.send(TOPIC, value, key, partition.partition, timestamp_ms, headers)
    await producer.flush()
    elapsed_s = time.perf_counter() - started
    await producer.stop()
    return len(records) / elapsed_s


async def _delays_ms(settings: RelaySettings, writer: Writer) -> list[float]:
    """From handing an event to the log until a plain consumer has it."""
    async with _relay(settings, "live.") as port:
        await until(lambda: has_published(port))
        arrived: Sent = {}
        consuming = asyncio.create_task(_consume(settings, f"live.{TOPIC}", arrived))
        await writer.paced(RATE, WARM_UP_S)
        sent = await writer.paced(RATE, RUN_S)
        await asyncio.sleep(SETTLE_S)
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)
    return [(arrived[event] - handed_at) / 1e6 for event, handed_at in sent.items()]


async def _consume(settings: RelaySettings, topic: str, arrived: Sent) -> None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        while True:
            fetched = await consumer.getmany(timeout_ms=1000)
            now = time.monotonic_ns()
            for record in (record for records in fetched.values() for record in records):
                worker = int(worker_id_of(record.key.decode()).removeprefix("bench:"))
                arrived[worker, kafka_records.place(record.headers).seq] = now
    finally:
        await consumer.stop()


@asynccontextmanager
async def _relay(settings: RelaySettings, prefix: str) -> AsyncIterator[int]:
    where = {"OA_DATABASE_URL": settings.database_url, "OA_KAFKA_BOOTSTRAP": settings.kafka_bootstrap}
    async with serving("relay", where | {"OA_KAFKA_TOPIC_PREFIX": prefix}) as port:
        yield port


async def has_published(port: int) -> bool:
    return not await _lag(port)


async def _lag(port: int) -> int:
    lag = (await health.ask(port)).lag_positions
    if lag is None:
        raise RuntimeError("the relay does not answer; see its log above")
    return lag
