"""The audit between a real Kafka and a real Postgres: silent while all agree, also under load, and never else."""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec.structs import replace
from prometheus_client import REGISTRY
from typer import Typer
from typer.testing import CliRunner, Result

from ops.commands import audit
from processors.app import Processors, ProcessorSettings
from processors.audit import audit as audit_parts
from processors.audit import last, minutely
from processors.audit.audit import PAGE, Audit, Report
from processors.audit.evidence import Topic
from processors.audit.last import LastAudit
from processors.audit.topics import audited
from processors.log_source import LogSource
from processors.projector import Projector
from processors.quarantine import Releases, parked
from producers import budgets
from producers.budgets import Authorize, Terms
from producers.eventlog import epochs, erasure
from producers.eventlog.commands import Item, Part
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.relay.service import Relay
from producers.relay.settings import RelaySettings
from producers.workers import DECIDER, AppendEvent, CreateWorker, StopWorker
from readmodels.engine import Delivery, View
from readmodels.engine.skips import Decision
from readmodels.erasure import erase as forget
from readmodels.workers import SUMMARIES
from schemas import names
from schemas.budgets import BudgetHeld
from schemas.names import worker_stream
from tests import services
from tests.conftest import Kafka
from tests.quarantined import FAULTY
from tests.worker_events import NOON, delivered, kafka_record

Pool = asyncpg.Pool
PARTITIONS = 6
WORKERS = 9
EVENTS = 60
STREAM = "worker/user:1/desk:2"
NEVER, ALWAYS = timedelta(days=1), timedelta(0)

Records = dict[int, list[Delivery]]


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@dataclass(frozen=True)
class Stack:
    """One log, its topic and its view, fed by hand, so that each can be wrong on its own."""

    pool: "Pool[Any]"
    bootstrap: str
    topic: str

    def audit(self) -> Audit:
        topic = Topic(self.topic, {names.WORKER: DECIDER}, [SUMMARIES], PARTITIONS, 1)
        return Audit(self.pool, self.bootstrap, [topic])

    async def whole(self) -> Report:
        return await self.audit().run(0)

    async def write(self, count: int = EVENTS, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Two owners' workers by turns."""
        log = EventLog(self.pool, clock=clock)
        try:
            for number in range(count):
                await write(log, number, {"n": number})
        finally:
            await log.close()

    async def head(self) -> int:
        return (await LogReader(self.pool).head()).position

    async def deliveries(self) -> Records:
        return delivered(await LogReader(self.pool).read_all(0, 100_000), PARTITIONS)

    async def publish(self, records: Records) -> None:
        """Write the records, and what the relay would have written down about them."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        sent = []
        try:
            for partition, some in records.items():
                for delivery in some:
                    key, value, headers = kafka_record(delivery)
                    at_ms = int(delivery.event.recorded_at.timestamp() * 1000)
                    sent.append(await producer.send(self.topic, value, key, partition, at_ms, headers))
            await asyncio.gather(*sent)
        finally:
            await producer.stop()
        await self.claim_published()

    async def grow(self, heartbeats: int) -> None:
        """Some more events of one worker, relayed and projected."""
        before, log = await self.head(), EventLog(self.pool)
        try:
            command = Item(AppendEvent("worker.heartbeat", {}))
            await log.execute(DECIDER, STREAM, "user:1", [command] * heartbeats)
        finally:
            await log.close()
        records = await self.deliveries()
        await self.publish({p: [one for one in some if one.event.position > before] for p, some in records.items()})
        await self.project()

    async def claim_published(self) -> None:
        await self.pool.execute(
            "insert into relay_progress select $1, n, position, position, 1 from log_head, generate_series(0, 5) n"
            " on conflict (topic, partition) do update set position = excluded.position",
            self.topic,
        )

    async def project(self, view: View[Any] = SUMMARIES) -> None:
        source = LogSource(LogReader(self.pool), SUMMARIES.topic, PARTITIONS)
        await Projector(self.pool, view, 1, source).apply(await self.deliveries())


async def write(log: EventLog, number: int, payload: dict[str, Any]) -> None:
    """Makes the worker when it is new or stopped; every 18th time it is stopped again."""
    owner, worker = f"user:{number % 2 + 1}", f"desk:{number % WORKERS}"
    commands: list[Any] = [CreateWorker(worker, metadata={"n": 1.5}), AppendEvent("worker.event", payload)]
    if number % (2 * WORKERS) == 0:
        commands.append(StopWorker())
    await log.execute(DECIDER, worker_stream(owner, worker), owner, [Item(command) for command in commands])


async def make_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])
    finally:
        await admin.close()


@pytest.fixture
async def stack(pool: "Pool[Any]", kafka: Kafka) -> Stack:
    topic = f"{kafka.prefix}{uuid.uuid4().hex[:6]}.oa.workers"
    await make_topic(kafka.bootstrap, topic)
    return Stack(pool, kafka.bootstrap, topic)


@pytest.fixture
async def settled(stack: Stack) -> Stack:
    await stack.write()
    await stack.publish(await stack.deliveries())
    await stack.project()
    return stack


async def test_nothing_is_told_when_everything_agrees(settled: Stack) -> None:
    report = await settled.whole()
    events = await settled.head()
    assert report == Report(0, events, 0, events, events, 2 * WORKERS, 0, 0, [])


@pytest.mark.invariant("I7")
async def test_money_that_no_hold_accounts_for_is_found(settled: Stack) -> None:
    log, stream = EventLog(settled.pool), names.budget_stream("auth_desk")
    part = Part(stream, "user:1", budgets.DECIDER)
    authorized = Authorize("auth_desk", ("auth_desk",), Terms())
    await log.execute(part.decider, stream, part.owner, [Item(authorized)])
    assert (await settled.whole()).first == []
    held = BudgetHeld(hold_id="h", amount_msats=5000, day="2026-02-20")
    await log.execute_together(lambda _, event, __: [(stream, event)], [part], [Item(held)])
    await log.close()
    report = await settled.whole()
    assert report.first == [f"position {await settled.head()}, {stream}: budget.held without its hold"]
    assert report.parts == [audit_parts.Part("log", "ledger", 1)]


async def test_an_audit_goes_on_where_the_last_one_ended(settled: Stack) -> None:
    first = await settled.whole()
    await settled.grow(5)
    second = await settled.audit().run(first.up_to)
    assert (second.after, second.first, second.events, second.records) == (first.up_to, [], 5, 5)


async def test_a_range_longer_than_a_page_is_gone_through_page_by_page(stack: Stack) -> None:
    await stack.write(2 * PAGE + 7)
    await stack.publish(await stack.deliveries())
    await stack.project()
    report = await stack.whole()
    assert (report.differences, report.first, report.documents, report.events) == (0, [], 2 * WORKERS, report.records)
    recent = await stack.audit().recent(300)
    assert (recent.events, recent.records, recent.differences) == (300, 300, 0)


@pytest.mark.parametrize("spread_s", [0, 60])
async def test_the_range_is_found_in_a_topic_whatever_the_writers_clocks_say(stack: Stack, spread_s: int) -> None:
    clocks = random.Random(spread_s)
    await stack.write(200, lambda: NOON + timedelta(seconds=clocks.uniform(0, spread_s)))
    await stack.publish(await stack.deliveries())
    await stack.grow(1000)
    for positions in (1, 17, 100, 333, 1100):
        report = await stack.audit().recent(positions)
        assert (report.first, report.events, report.records) == ([], positions, positions)


async def test_a_log_of_two_epochs_is_audited_as_one(settled: Stack) -> None:
    old = await settled.head()
    async with settled.pool.acquire() as connection, connection.transaction():
        await epochs.begin(connection, old, NOON)
    await settled.grow(4)
    for after in (0, old - 5, old, old + 1000):
        assert (await settled.audit().run(after)).first == []
    assert (await settled.audit().recent(4)).events == 4


async def test_an_erased_owner_is_no_difference_once_the_topic_says_so_too(settled: Stack) -> None:
    log = EventLog(settled.pool)
    try:
        erased = await erasure.erase(settled.pool, log, "user:1", [DECIDER])
    finally:
        await log.close()
    await forget(settled.pool, "user:1", erased.position)
    await settled.claim_published()
    await settled.project()
    assert "is not the event at position" in (await settled.whole()).first[0]
    refed = Stack(settled.pool, settled.bootstrap, f"again.{settled.topic}")
    await make_topic(refed.bootstrap, refed.topic)
    await refed.publish(await refed.deliveries())
    assert (await refed.whole()).first == []


async def test_what_is_not_relayed_or_not_projected_yet_is_no_difference(stack: Stack) -> None:
    await stack.write()
    events = await stack.head()
    assert await stack.whole() == Report(0, 0, events, 0, 0, 0, 0, 0, [])
    await stack.publish(await stack.deliveries())
    assert (await stack.whole()).behind == events
    await stack.project()
    assert (await stack.whole()).behind == 0
    await stack.write(3)
    report = await stack.whole()
    assert (report.behind, report.differences) == (await stack.head() - events, 0)


async def test_a_parked_and_a_released_document_are_no_difference(stack: Stack) -> None:
    await stack.write()
    log = EventLog(stack.pool)
    try:
        await write(log, 40, {"poison": True})
        await write(log, 40, {"n": 40})
    finally:
        await log.close()
    await stack.publish(await stack.deliveries())
    await stack.project(FAULTY)
    assert (await stack.whole()).first == []
    (one,) = await parked(stack.pool)
    source = LogSource(LogReader(stack.pool), SUMMARIES.topic, PARTITIONS)
    await Releases(stack.pool, FAULTY, 1, source).drop(one, Decision("ada", "why not"))
    assert (await stack.whole()).first == []
    await stack.pool.execute("delete from skips")
    assert (await stack.whole()).differences > 0


DOCUMENTS = SUMMARIES.table
DOCUMENT = "runtime/codex_worker_summary:desk:2"
OF_DOCUMENT = f"owner = 'user:1' and doc_key = '{DOCUMENT}'"
IN_POSTGRES = {
    "position 7: the payload is not what its": "update events set payload = '{\"n\": 99}' where position = 7",
    "the log lacks 8 to 9": "delete from events where position in (8, 9)",
    "the log lacks 77 to 85": "delete from events where position > 76",
    "has seq 99 where": "update events set seq = 99 where position = 37",
    f"{STREAM}: the row says seq 3, the last event has": f"update streams set seq = 3 where stream = '{STREAM}'",
    f"{STREAM}: has events and no row": f"delete from streams where stream = '{STREAM}'",
    f"{STREAM}: position 6 is of worker and user:1": f"update streams set owner = 'user:9' where stream = '{STREAM}'",
    f"{STREAM}: the state is not the fold": "update streams set state = replace(state::text, 'memory', 'mummy')::json",
    f"{STREAM}: is to be woken at 2026-11-22": f"update streams set wake_at = '2026-11-22' where stream = '{STREAM}'",
    f"{DOCUMENT}: is not the fold": f"update {DOCUMENTS} set document = replace(document::text, 'run', 'ran')::json",
    f"{DOCUMENT}: is version 1 at position": f"update {DOCUMENTS} set doc_version = 1 where {OF_DOCUMENT}",
    f"{DOCUMENT}: is no document": f"delete from {DOCUMENTS} where {OF_DOCUMENT}",
    "lacks watermark 2": "delete from journal where watermark = 2",
    "lacks watermark 18": "delete from journal where watermark = 18",
    "summaries 3: is not what its hash says": "update journal set payload = '{}' where watermark = 3",
    "says something else": "update journal set payload = replace(payload::text, 'run', 'ran')::json",
    "summaries 4: is of user:9, its event of": "update journal set owner = 'user:9' where watermark = 4",
    f"{DOCUMENT}: has no row in the journal": f"delete from journal where {OF_DOCUMENT}",
    "summaries 5: is version 1, its event": "update journal set doc_version = 1 where watermark = 5",
}


@pytest.mark.parametrize("told", IN_POSTGRES)
async def test_a_difference_in_postgres_is_named(settled: Stack, told: str) -> None:
    await settled.pool.execute(IN_POSTGRES[told])
    report = await settled.whole()
    assert any(told in difference for difference in report.first), report.first
    assert report.differences >= 1


def busiest(records: Records) -> list[Delivery]:
    return max(records.values(), key=len)


def lose(some: list[Delivery]) -> None:
    del some[2]


def lose_last(some: list[Delivery]) -> None:
    del some[-1]


def repeat(some: list[Delivery]) -> None:
    some.insert(3, some[2])


def repeat_at_end(some: list[Delivery]) -> None:
    some.append(some[2])


def swap(some: list[Delivery]) -> None:
    some[2], some[3] = some[3], some[2]


def break_chain(some: list[Delivery]) -> None:
    some[3] = Delivery(some[3].event, some[1].event.position, 1)


def alter(some: list[Delivery]) -> None:
    some[2] = Delivery(replace(some[2].event, payload={"n": 0}), some[2].prev, 1)


IN_TOPIC: dict[str, Callable[[list[Delivery]], None]] = {
    "lacks position": lose,
    "lacks position ": lose_last,
    "comes after": repeat,
    "comes after ": repeat_at_end,
    "comes after  ": swap,
    "says that it follows": break_chain,
    "is not the event at position": alter,
}


@pytest.mark.parametrize("told", IN_TOPIC)
async def test_a_difference_in_a_topic_is_named(stack: Stack, told: str) -> None:
    await stack.write()
    records = await stack.deliveries()
    IN_TOPIC[told](busiest(records))
    await stack.publish(records)
    await stack.project()
    report = await stack.whole()
    assert any(told.rstrip() in difference for difference in report.first), report.first


async def test_a_record_in_the_wrong_partition_is_named_twice(stack: Stack) -> None:
    await stack.write()
    records = await stack.deliveries()
    wrong = min(records, key=lambda partition: len(records[partition]))
    astray = busiest(records).pop()
    records[wrong].append(Delivery(astray.event, records[wrong][-1].event.position, 1))
    await stack.publish(records)
    await stack.project()
    found = (await stack.whole()).first
    assert [f"lacks position {astray.event.position}" in one or "does not belong here" in one for one in found] == [
        True
    ] * 2


async def test_a_record_of_somebody_else_is_named(settled: Stack) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settled.bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(settled.topic, b"?", partition=0)
    finally:
        await producer.stop()
    (difference,) = (await settled.whole()).first
    assert "is no record of the relay" in difference


async def test_the_audit_of_every_minute_goes_on_from_the_last_and_keeps_what_it_found(settled: Stack) -> None:
    pool, work = settled.pool, settled.audit()
    await minutely.look(pool, work, NEVER)
    assert _metrics() == (await settled.head(), 0)
    agreed = REGISTRY.get_sample_value("oa_audit_last_success_timestamp_seconds")
    await settled.pool.execute("update events set payload = '{}' where position = 7")
    await settled.grow(4)
    await minutely.look(pool, work, NEVER)
    assert (await known(pool)).position == await settled.head() - 4, "somebody has just audited"
    await minutely.look(pool, work, ALWAYS)
    assert _metrics() == (await settled.head(), 0), "position 7 lies below what is new"
    await settled.grow(4)
    await pool.execute("update journal set payload_hash = '' where watermark = (select max(watermark) from journal)")
    before = _counted()
    await minutely.look(pool, work, ALWAYS)
    assert _metrics() == (await settled.head(), 1)
    assert _counted() == (before[0], before[1] + 1)
    await settled.grow(4)
    await minutely.look(pool, work, ALWAYS)
    assert _metrics() == (await settled.head(), 1), "found, and not seen gone"
    assert "is not what its hash says" in (await known(pool)).first[0]
    assert REGISTRY.get_sample_value("oa_audit_last_success_timestamp_seconds") != agreed


async def test_a_document_that_differs_counts_as_drift_of_its_view(settled: Stack) -> None:
    """runtime §9."""
    await minutely.look(settled.pool, settled.audit(), NEVER)
    await settled.grow(4)
    table = SUMMARIES.table
    await settled.pool.execute(f"update {table} set doc_version = 1 where last_position = $1", await settled.head())
    before = _counted()
    await minutely.look(settled.pool, settled.audit(), ALWAYS)
    assert _counted() == (before[0] + 1, before[1])


async def test_differences_are_gone_when_an_audit_that_began_as_early_finds_none(settled: Stack) -> None:
    await settled.pool.execute("update streams set seq = 99 where stream = $1", STREAM)
    await last.record(settled.pool, await settled.whole())
    assert (await known(settled.pool)).differences == 1
    await settled.pool.execute(
        "update streams set seq = (select max(seq) from events where stream = $1) where stream = $1", STREAM
    )
    await last.record(settled.pool, await settled.audit().recent(3))
    assert (await known(settled.pool)).differences == 1, "it did not look there"
    await last.record(settled.pool, await settled.whole())
    assert (await known(settled.pool))[:3] == (await settled.head(), 0, [])


async def test_an_audit_that_fails_ends_nobody_and_is_tried_again(settled: Stack) -> None:
    nowhere = Audit(settled.pool, "127.0.0.1:1", audited("", 1, {SUMMARIES.topic: PARTITIONS}))
    work = asyncio.create_task(minutely.run(settled.pool, nowhere))
    try:
        async with asyncio.timeout(30):
            while await last.last(settled.pool) is None:  # noqa: ASYNC110 what is waited for happens in Postgres
                await asyncio.sleep(0.01)
        assert not work.done()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def known(pool: "Pool[Any]") -> LastAudit:
    found = await last.last(pool)
    assert found is not None
    return found


def _metrics() -> tuple[float | None, float | None]:
    return (
        REGISTRY.get_sample_value("oa_audit_last_position"),
        REGISTRY.get_sample_value("oa_audit_differences"),
    )


def _counted() -> tuple[float, float]:
    """Drift of the summaries, and what the journal says otherwise than was written."""
    prefix = "openagents_runtime_"
    drift = {"projection": SUMMARIES.name, "reason_class": "audit"}
    parity = {"class": "sync_dual_publish", "reason_class": "audit", "component": "journal", "outcome": "different"}
    return (
        REGISTRY.get_sample_value(f"{prefix}khala_projection_drift_count_total", drift) or 0.0,
        REGISTRY.get_sample_value(f"{prefix}parity_failure_count_total", parity) or 0.0,
    )


@asynccontextmanager
async def running(database: str, bootstrap: str, prefix: str) -> AsyncIterator[None]:
    """A relay and processors, each with a pool of its own."""
    async with (
        asyncpg.create_pool(database, min_size=1, max_size=2) as for_relay,
        asyncpg.create_pool(database, min_size=1, max_size=2) as for_processors,
    ):
        relay = Relay(RelaySettings(database, bootstrap, topic_prefix=prefix), for_relay)
        settings = ProcessorSettings(bootstrap, f"{prefix}processors", prefix)
        processors = Processors(settings, for_processors, lambda: datetime.now(UTC))
        tasks = [asyncio.create_task(work.run()) for work in (relay, processors)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_busy_healthy_stack_has_no_difference(pool: "Pool[Any]", database: str, kafka: Kafka) -> None:
    """Audits begin and end anywhere while writers, relay and projector are at work; the last one sees everything."""
    prefix = f"{kafka.prefix}{uuid.uuid4().hex[:6]}."
    stack = Stack(pool, kafka.bootstrap, f"{prefix}oa.workers")
    async with running(database, kafka.bootstrap, prefix):
        log = EventLog(pool)
        reached, audits, enough = 0, 0, asyncio.Event()
        writing = asyncio.create_task(_write_on(log, enough))
        async with asyncio.timeout(120):
            while not writing.done() or reached < (await LogReader(pool).head()).position:
                report = await stack.audit().run(reached, 1000)
                assert report.first == []
                reached, audits = report.up_to, audits + bool(report.events)
                if audits > 3:
                    enough.set()
                await asyncio.sleep(0)
        await writing
        await log.close()
        assert (await stack.whole()).first == []


async def _write_on(log: EventLog, enough: asyncio.Event) -> None:
    number = 0
    while number < 1500 or not enough.is_set():
        await asyncio.gather(*(write(log, number + offset, {"n": number}) for offset in range(5)))
        number += 5


def test_the_operator_is_told_that_all_agree_or_what_differs(database: str, kafka: Kafka) -> None:
    prefix = f"{kafka.prefix}{uuid.uuid4().hex[:6]}."
    services.run(_settled_at(database, kafka.bootstrap, prefix))
    app = Typer(pretty_exceptions_enable=False)
    audit.register(app)
    environment = {
        "OA_DATABASE_URL": database,
        "OA_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "OA_KAFKA_TOPIC_PREFIX": prefix,
        "OA_DATA_DIR": "/nonexistent",
    }

    def oa(*words: str, **other: str) -> Result:
        return CliRunner().invoke(app, words, env=environment | other)

    answer = oa("--all")
    assert (answer.exit_code, answer.output.splitlines()[-1]) == (0, "log, topics, read models and journal agree")
    assert "positions 1 to 85: 85 events, 85 records, 18 documents in" in answer.output
    assert json.loads(oa("--recent", "10", "--json").output)["after"] == 75
    assert json.loads(oa("--since", "80", "--json").output)["events"] == 5
    services.run(_execute_at(database, "delete from events where position in (8, 9)"))
    answer = oa("--all")
    assert (answer.exit_code, "the log lacks 8 to 9" in answer.output) == (1, True)
    answer = oa(OA_KAFKA_TOPIC_PREFIX="another.")
    assert (answer.exit_code, "there is no topic yet" in answer.output) == (1, True)
    answer = oa(OA_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert (answer.exit_code, "Kafka does not answer" in answer.output) == (1, True)


async def _settled_at(database: str, bootstrap: str, prefix: str) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        stack = Stack(pool, bootstrap, f"{prefix}oa.workers")
        await make_topic(bootstrap, stack.topic)
        await stack.write()
        await stack.publish(await stack.deliveries())
        await stack.project()


async def _execute_at(database: str, statement: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
