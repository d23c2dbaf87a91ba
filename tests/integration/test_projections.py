"""`oa projections` as its operator meets it, and the topic as a source of rebuilds."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from processors.app import Processors, ProcessorSettings
from processors.rebuilding import Rebuilder, Topic
from processors.sources import KafkaPages
from readmodels import engine
from readmodels.catalogue import VIEWS
from readmodels.engine import Delivery, View
from readmodels.engine.rebuild import Target, rebuild
from readmodels.journal import JournalReader
from readmodels.workers import SUMMARIES
from schemas import names
from tests.conftest import Kafka
from tests.worker_events import STARTED, Log, commit, delivered, heartbeat, kafka_record

Pool = asyncpg.Pool

NEXT = replace(SUMMARIES, version=SUMMARIES.version + 1)
VIEW = SUMMARIES.name


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
async def producer(kafka: Kafka) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    yield producer
    await producer.stop()


@pytest.fixture
def log() -> Log:
    log = Log()
    for number in range(90):
        log.append(f"w{number % 7}", STARTED if number < 7 else heartbeat({"n": number}))
    return log


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Operator:
    """Somebody with a database and a topic prefix of their own."""

    pool: "Pool[Any]"
    environment: dict[str, str]
    bootstrap: str
    topic: str

    async def oa(self, *words: str) -> Answer:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ops.commands", *words),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Answer(await process.wait(), out.decode(), err.decode())

    def pages(self) -> KafkaPages:
        return KafkaPages(self.pool, self.bootstrap, self.topic, SUMMARIES.topic, 6)


@pytest.fixture
async def operator(pool: "Pool[Any]", database: str, kafka: Kafka) -> Operator:
    prefix = f"{kafka.prefix}{uuid.uuid4().hex[:6]}."
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OA_")}
    told = {"OA_DATABASE_URL": database, "OA_KAFKA_BOOTSTRAP": kafka.bootstrap, "OA_KAFKA_TOPIC_PREFIX": prefix}
    topic = prefix + SUMMARIES.topic
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    for_ever = {"retention.ms": "-1"}  # these events are old
    topics = [prefix + one for one in names.TOPICS]
    await admin.create_topics([NewTopic(one, 6, 1, topic_configs=for_ever) for one in topics])
    await admin.close()
    return Operator(pool, kept | told, kafka.bootstrap, topic)


def of_workers(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is told of the view that these tests are about."""
    return [one for one in told if one["view"] == VIEW]


async def publish(
    operator: Operator, producer: AIOKafkaProducer, deliveries: dict[int, list[Delivery]], up_to: int
) -> None:
    """As the relay: records, then what it writes down about all partitions."""
    for partition, some in deliveries.items():
        for delivery in some:
            key, value, headers = kafka_record(delivery)
            moment = int(delivery.event.recorded_at.timestamp() * 1000)
            await producer.send(operator.topic, value, key, partition, moment, headers)
    await producer.flush()
    last = {partition: max(delivery.event.position for delivery in some) for partition, some in deliveries.items()}
    rows = [(operator.topic, partition, up_to, last.get(partition, 0)) for partition in range(6)]
    await operator.pool.execute("delete from relay_progress")
    await operator.pool.executemany("insert into relay_progress values ($1, $2, $3, $4, 1)", rows)


async def project(pool: "Pool[Any]", log: Log) -> None:
    await commit(pool, log.events)
    await engine.apply_batch(pool, SUMMARIES, 1, delivered(log.events), log.fill)


@pytest.mark.invariant("I5")
async def test_from_the_topic_it_is_the_live_one_whatever_the_topic_holds(
    operator: Operator, producer: AIOKafkaProducer, log: Log
) -> None:
    """Repeated, out of place, unreadable and missing records."""
    await project(operator.pool, log)
    await producer.send_and_wait(operator.topic, b"\0\0\0\0\7not avro", partition=0)
    sent = delivered(log.events)
    holed = {partition: [some[2], *some[:1], *some[2:], some[3]] for partition, some in sent.items()}
    await publish(operator, producer, holed, up_to=90)
    target = Target(NEXT, 1, dict.fromkeys(range(6), 90))
    done = await rebuild(operator.pool, target, operator.pages())
    assert await engine.digest(operator.pool, NEXT) == await engine.digest(operator.pool, SUMMARIES)
    assert done.filled > 0
    assert await engine.checkpoints(operator.pool, NEXT, 1) == dict.fromkeys(range(6), 90)


async def test_a_topic_that_lost_its_last_records_is_not_believed_to_be_complete(
    operator: Operator, producer: AIOKafkaProducer, log: Log
) -> None:
    await commit(operator.pool, log.events)
    await publish(operator, producer, delivered(log.events[:80]), up_to=80)
    await operator.pool.execute("update relay_progress set position = 90, last_position = 89")
    await rebuild(operator.pool, Target(NEXT, 1, dict.fromkeys(range(6), 90)), operator.pages())
    reached = await engine.checkpoints(operator.pool, NEXT, 1)
    assert max(reached.values()) == 80


async def test_a_rebuild_from_the_topic_reads_on_where_it_ended(
    operator: Operator, producer: AIOKafkaProducer, log: Log
) -> None:
    await project(operator.pool, log)
    await publish(operator, producer, delivered(log.events), up_to=90)
    await rebuild(operator.pool, Target(NEXT, 1, dict.fromkeys(range(6), 85)), operator.pages())
    done = await rebuild(operator.pool, Target(NEXT, 1, dict.fromkeys(range(6), 90)), operator.pages())
    assert (done.events, done.filled) == (5, 0)
    assert await engine.digest(operator.pool, NEXT) == await engine.digest(operator.pool, SUMMARIES)


async def test_processors_go_on_with_the_version_that_became_live(
    operator: Operator, producer: AIOKafkaProducer, log: Log
) -> None:
    """Cut over while they run, to a version that is ahead of them; then everything else arrives."""
    pool = operator.pool
    await commit(pool, log.events)
    await publish(operator, producer, delivered(log.events[:40]), up_to=40)
    prefix = operator.topic.removesuffix(SUMMARIES.topic)
    settings = ProcessorSettings(operator.bootstrap, group=f"{prefix}processors", topic_prefix=prefix)

    async def count(view: View[Any]) -> int:
        query = f"select coalesce(sum((document ->> 'event_count')::int), 0) from {view.table}"
        return int(await pool.fetchval(query))

    async with running(settings, pool):
        await until(lambda: count(SUMMARIES), 40)
        rebuilder = Rebuilder(pool, SUMMARIES, Topic(operator.bootstrap, operator.topic, 6))
        await rebuilder.rebuild(NEXT.version, "postgres", lambda _progress: None)
        assert await rebuilder.cut_over(NEXT.version) == 7
        for number in range(30):
            log.append(f"w{number % 9}", heartbeat())
        await commit(pool, log.events[90:])
        rest = {
            partition: [delivery for delivery in some if delivery.event.position > 40]
            for partition, some in delivered(log.events).items()
        }
        await publish(operator, producer, rest, up_to=120)
        await until(lambda: count(NEXT), 120)
    rows = await JournalReader(pool).read_all(names.WORKER_SUMMARIES, 0, 1000)
    assert len({(row.doc_key, row.doc_version) for row in rows}) == len(rows)
    versions_of = {row.doc_key: row.doc_version for row in rows}
    assert sum(versions_of.values()) == 120


@asynccontextmanager
async def running(settings: ProcessorSettings, pool: "Pool[Any]") -> AsyncIterator[None]:
    task = asyncio.create_task(Processors(settings, pool, lambda: datetime.now(UTC)).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(what: Callable[[], Awaitable[int]], value: int) -> None:
    async with asyncio.timeout(60):
        while await what() != value:  # noqa: ASYNC110 other tasks and Kafka bring it about
            await asyncio.sleep(0.05)


async def test_an_operator_rebuilds_cuts_over_goes_back_and_drops(
    operator: Operator, producer: AIOKafkaProducer, log: Log
) -> None:
    await project(operator.pool, log)
    await publish(operator, producer, delivered(log.events), up_to=90)

    built = await operator.oa("projections", "rebuild", VIEW, "--from", "kafka", "--json")
    assert built.code == 0, built.err
    assert (built.json["version"], built.json["events"], built.json["live"]) == (NEXT.version, 90, False)
    assert await engine.live(operator.pool, SUMMARIES) == SUMMARIES

    cut = await operator.oa("projections", "rebuild", VIEW, "--cut-over")
    assert cut.code == 0, cut.err
    assert "it is live now; 0 documents differed" in cut.out
    assert await engine.live(operator.pool, SUMMARIES) == NEXT
    assert await operator.pool.fetchval("select count(*) from worker_summaries") == 7
    assert await JournalReader(operator.pool).head(names.WORKER_SUMMARIES) == 7  # what the live one had written

    refused = await operator.oa("projections", "drop", VIEW, str(NEXT.version))
    assert (refused.code, "is live" in refused.err) == (1, True)
    assert (await operator.oa("projections", "rebuild", VIEW, "--to", str(SUMMARIES.version), "--cut-over")).code == 0
    assert await engine.live(operator.pool, SUMMARIES) == SUMMARIES
    assert (await operator.oa("projections", "drop", VIEW, str(NEXT.version))).code == 0
    listed = of_workers((await operator.oa("projections", "list", "--json")).json)
    assert [(one["version"], one["live"], one["rows"], one["lag"]) for one in listed] == [
        (SUMMARIES.version, True, 7, 0)
    ]


async def test_the_list_tells_lag_and_the_table_is_for_people(operator: Operator, log: Log) -> None:
    await project(operator.pool, log)
    log.append("w1", heartbeat())
    await commit(operator.pool, log.events[-1:])
    (listed,) = of_workers((await operator.oa("projections", "list", "--json")).json)
    assert (listed["lag"], listed["highest_checkpoint"], listed["verified_digest"]) == (1, 90, None)
    assert VIEW in (await operator.oa("projections", "list")).out


async def test_verify_proves_the_live_version_and_notes_its_digest(
    operator: Operator, producer: AIOKafkaProducer, log: Log
) -> None:
    await project(operator.pool, log)
    await publish(operator, producer, delivered(log.events), up_to=90)
    log.append("w1", heartbeat())
    await commit(operator.pool, log.events[-1:])  # written and not projected yet: no difference
    answer = await operator.oa("projections", "verify", "--json")
    assert answer.code == 0, answer.err
    (verdict,) = of_workers(answer.json)
    assert verdict["equal"]
    assert len(set(verdict["digests"].values())) == 1
    assert set(verdict["digests"]) == {"live", "postgres", "kafka"}
    (listed,) = of_workers((await operator.oa("projections", "list", "--json")).json)
    assert listed["verified_digest"] == verdict["digests"]["live"]
    assert listed["verified_s_ago"] < 100
    left = await operator.pool.fetchval("select count(*) from pg_namespace where nspname like 'rm_%verify%'")
    assert left == 0


async def test_verify_names_the_first_differing_row_and_its_fields(operator: Operator, log: Log) -> None:
    await project(operator.pool, log)
    await operator.pool.execute(
        f"update {SUMMARIES.table} set document = replace(document::text, '\"running\"', '\"stopped\"')::json,"
        " doc_version = doc_version + 1 where doc_key > $1",
        "runtime/codex_worker_summary:w3",
    )
    answer = await operator.oa("projections", "verify", VIEW, "--from", "postgres", "--json")
    assert answer.code == 1
    (verdict,) = answer.json
    difference = verdict["differences"]["postgres"]
    assert (difference["rows"], difference["owner"]) == (3, "user:41")
    assert difference["doc_key"] == "runtime/codex_worker_summary:w4"
    assert difference["fields"] == {"status": ["stopped", "running"], "(doc_version)": [14, 13]}
    told = await operator.oa("projections", "verify", "--from", "postgres")
    assert told.code == 1
    assert "runtime/codex_worker_summary:w4" in told.out
    assert 'status: live "stopped", postgres "running"' in told.out


async def test_verify_finds_a_missing_and_a_surplus_row(operator: Operator, log: Log) -> None:
    await project(operator.pool, log)
    await operator.pool.execute(f"delete from {SUMMARIES.table} where doc_key like '%w5'")
    answer = await operator.oa("projections", "verify", "--from", "postgres", "--json")
    assert answer.json[0]["differences"]["postgres"]["fields"] == {"row": ["missing", "there"]}
    await operator.pool.execute(f"update {SUMMARIES.table} set doc_key = 'a' where doc_key like '%w4'")
    answer = await operator.oa("projections", "verify", "--from", "postgres", "--json")
    assert answer.json[0]["differences"]["postgres"]["fields"] == {"row": ["there", "missing"]}


async def test_what_cannot_be_done_is_told(operator: Operator) -> None:
    unknown = await operator.oa("projections", "rebuild", "workers")
    assert (unknown.code, unknown.err.strip()) == (1, f"oa: no view 'workers': there are {', '.join(VIEWS)}")
    live = await operator.oa("projections", "rebuild", VIEW, "--to", str(SUMMARIES.version))
    assert f"version {SUMMARIES.version} of worker_summaries is live" in live.err
    elsewhere = replace(operator, environment=operator.environment | {"OA_KAFKA_TOPIC_PREFIX": "nobody."})
    no_topic = await elsewhere.oa("projections", "verify", "--from", "kafka")
    assert (no_topic.code, no_topic.err.strip()) == (1, "oa: Kafka has no topic nobody.oa.workers")
