"""Third parties read our topics: Confluent's consumer by the edge's registry, and Debian's kcat (DESIGN §5)."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import msgspec
import pytest
from confluent_kafka import Consumer, Message
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from producers.eventlog.reader import LogReader
from producers.relay.settings import RelaySettings
from schemas import names
from schemas.events import Recorded
from schemas.registry import newest
from schemas.workers import EVENTS
from tests import debian, kcat, nodes
from tests.conftest import Kafka
from tests.integration.test_relay import running
from tests.nodes import Node
from tests.relayed import until_relayed

WORKERS = "/runtime/codex/workers"
JSON_TEXT = {name for event in EVENTS for name in event.json_fields}
MAY_BE_ABSENT = {field.name for event in EVENTS for field in msgspec.structs.fields(event) if not field.required}
KNOWN = {"worker.started": "WorkerStarted", "worker.request.received": "WorkerRequestReceived"}


@dataclass(frozen=True)
class Published:
    """A topic that the relay filled from `events`, and the registry of the edge they came in by."""

    bootstrap: str
    topic: str
    registry: str
    events: dict[int, Recorded]


@pytest.fixture
async def published(database: str, pool: "asyncpg.Pool[Any]", kafka: Kafka) -> AsyncIterator[Published]:
    prefix = f"{kafka.prefix}{uuid.uuid4().hex[:6]}."
    topic = f"{prefix}oa.workers"
    async with nodes.node(pool, replace(nodes.SETTINGS, topic_prefix=prefix)) as node:
        await work(node)
        async with running(RelaySettings(database, kafka.bootstrap, topic_prefix=prefix), pool):
            await until_relayed(pool, kafka.bootstrap, topic)
        events = {event.position: event for event in await LogReader(pool).read_all(0, 5000)}
        yield Published(kafka.bootstrap, topic, f"{node.url}/registry", events)


async def work(node: Node) -> None:
    """What a worker's life leaves in the log: typed events, and open ones."""
    for number in range(5):
        worker_id = f"desktopw:{uuid.uuid4().hex[:8]}"
        created = await node.ada.public("POST", WORKERS, json={"worker_id": worker_id, "metadata": {"n": number}})
        created.raise_for_status()
        for path, body in (
            ("events", {"event": {"event_type": "worker.event", "payload": {"source": "desk", "ü": [1, None]}}}),
            ("requests", {"request": {"request_id": "req_1", "method": "turn/start", "params": {"a": 1}}}),
            ("stop", {"reason": "done"}),
        ):
            (await node.ada.public("POST", f"{WORKERS}/{worker_id}/{path}", json=body)).raise_for_status()


def consumed(published: Published, schema: str | None = None) -> list[tuple[Message, dict[str, Any]]]:
    """Every record with its value, as Confluent's own consumer gives them; `schema` is the reader's own."""
    group = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "enable.partition.eof": False}
    consumer = Consumer({"bootstrap.servers": published.bootstrap, **group})
    consumer.subscribe([published.topic])
    with SchemaRegistryClient({"url": published.registry}) as registry:
        read = AvroDeserializer(registry, schema, return_record_name=True)
        try:
            return [_record(consumer, read, published.topic) for _ in published.events]
        finally:
            consumer.close()


def _record(consumer: Consumer, read: AvroDeserializer, topic: str) -> tuple[Message, dict[str, Any]]:
    message = consumer.poll(30)
    assert message is not None, "fewer records than events"
    assert message.error() is None
    value = read(message.value(), SerializationContext(topic, MessageField.VALUE))
    assert isinstance(value, dict)
    return message, value


def payload_of(value: dict[str, Any]) -> Any:
    """The payload as the log has it, by what docs/data-engineers.md says of the records."""
    record, fields = value["payload"]
    if record.endswith(".OpenPayload"):
        return json.loads(fields["json"])
    present = {name: field for name, field in fields.items() if field is not None or name not in MAY_BE_ABSENT}
    return {name: json.loads(field) if name in JSON_TEXT else field for name, field in present.items()}


@pytest.mark.parametrize("schema", [None, newest("oa.workers-value").text()], ids=["as written", "with its own schema"])
async def test_confluents_consumer_reads_every_event(published: Published, schema: str | None) -> None:
    records = await asyncio.to_thread(consumed, published, schema)
    assert sorted(value["position"] for _, value in records) == sorted(published.events)
    for message, value in records:
        event = published.events[value["position"]]
        assert message.key() == names.kafka_key(event.stream)
        assert payload_of(value) == event.payload
        told = (value["stream"], value["seq"], value["type"], value["owner"], value["digest"], value["recorded_at"])
        assert told == (event.stream, event.seq, event.type, event.owner, event.digest, event.recorded_at)


async def test_typed_events_come_in_their_own_records(published: Published) -> None:
    records = await asyncio.to_thread(consumed, published)
    found = {value["type"]: value["payload"][0].rpartition(".")[2] for _, value in records}
    assert KNOWN.items() <= found.items()
    assert found["worker.event"] == "OpenPayload"


async def test_the_newest_schema_is_found_by_the_topics_name(published: Published) -> None:
    with SchemaRegistryClient({"url": published.registry}) as registry:
        found = await asyncio.to_thread(registry.get_latest_version, f"{published.topic}-value")
    assert found.schema_id == newest("oa.workers-value").id


async def test_kcat_reads_keys_headers_and_schema_ids(published: Published) -> None:
    try:
        found = await asyncio.to_thread(kcat.kcat)
    except debian.Missing as missing:
        pytest.skip(str(missing))
    arguments = ("-C", "-e", "-q", "-o", "beginning", "-s", "value=>bI", "-f", "%k|%h|%s\n")
    lines = await asyncio.to_thread(found.run, "-b", published.bootstrap, "-t", published.topic, *arguments)
    assert len(lines) == len(published.events)
    for line in lines:
        key, headers, value = line.split("|")
        told = dict(header.split("=", 1) for header in headers.split(","))
        event = published.events[int(told["oa_position"])]
        assert key == names.kafka_key(event.stream).decode()
        assert (told["ce_type"], told["oa_seq"]) == (event.type, str(event.seq))
        assert value == f"0{newest('oa.workers-value').id}"
