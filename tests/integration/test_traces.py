"""One trace from a request to a socket's frame, through a real Postgres and a real Kafka; and no id as a label."""

import asyncio
import json
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import asyncpg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from websockets.asyncio.client import connect

from ops import traces
from ops.serving.running import Process, spans_of
from ops.settings import read
from processors.app import Processors, ProcessorSettings
from producers.relay.service import Relay
from producers.relay.settings import RelaySettings
from schemas import names
from schemas.names import run_stream
from tests.conftest import Kafka
from tests.declared_metrics import FORBIDDEN
from tests.nodes import Node, node
from tests.run_calls import RunCalls
from tests.services import eventually

Pool = asyncpg.Pool
TRACE, CALLER = uuid.uuid4().hex, "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
WORKERS = "/runtime/codex/workers"
HOPS = {"log.append", "relay.publish", "projection.apply", "sync.frame"}


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
async def here(pool: "Pool[Any]", database: str, kafka: Kafka, exporter: InMemorySpanExporter) -> AsyncIterator[Node]:
    """An edge, a relay and processors that tell their spans."""
    with traces.exported("test", SimpleSpanProcessor(exporter)) as spans:
        relay = Relay(RelaySettings(database, kafka.bootstrap, topic_prefix=kafka.prefix), pool, spans)
        told = ProcessorSettings(kafka.bootstrap, f"{kafka.prefix}processors", kafka.prefix)
        processors = Processors(told, pool, lambda: datetime.now(UTC), spans=spans)
        async with node(pool, spans=spans) as running:
            tasks = [asyncio.create_task(work.run()) for work in (relay, processors)]
            try:
                yield running
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


class Socket:
    """A client that follows a topic."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def until(self, event: str, holds: str = "") -> None:
        """The next frame of this event that has a text in it."""
        async with asyncio.timeout(30):
            while not (event in (frame := await self._connection.recv()) and holds in frame):
                pass


@asynccontextmanager
async def following(here: Node, topic: str) -> AsyncIterator[Socket]:
    token = (await here.ada.public("POST", "/sync/token", json={"scopes": [topic]})).json()["data"]["token"]
    address = here.url.replace("http", "ws") + f"/sync/socket/websocket?vsn=2.0.0&token={token}"
    async with connect(address) as connection:
        await connection.send(json.dumps(["1", "1", "sync:v1", "phx_join", {}]))
        await connection.send(json.dumps(["1", "2", "sync:v1", "sync:subscribe", {"topics": [topic]}]))
        socket = Socket(connection)
        await socket.until("phx_reply", '"1","2"')
        yield socket


async def said(here: Node, worker_id: str, text: str, traceparent: str = TRACEPARENT) -> None:
    """One event of a worker, posted by a caller who has a trace of its own."""
    body = {"event": {"event_type": "worker.event", "payload": {"text": text}}}
    answer = await here.ada.signed(
        "POST", f"/codex/workers/{worker_id}/events", json=body, headers={"traceparent": traceparent}
    )
    assert answer.status_code == 202, answer.text


async def created(here: Node) -> str:
    worker_id = f"w:{uuid.uuid4().hex}"
    assert (await here.ada.signed("POST", "/codex/workers", json={"worker_id": worker_id})).status_code == 202
    return worker_id


def spans_of_trace(exporter: InMemorySpanExporter, trace: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if f"{span.context.trace_id:032x}" == trace]


def of_trace(exporter: InMemorySpanExporter, trace: str) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans_of_trace(exporter, trace)}


async def test_an_event_is_one_trace_from_its_request_to_its_frame(here: Node, exporter: InMemorySpanExporter) -> None:
    """runtime §9, span names; §2.1."""
    worker_id = await created(here)
    async with following(here, names.WORKER_EVENTS) as socket:
        await said(here, worker_id, "hello")
        await socket.until("update_batch", "hello")
    await eventually(lambda: set(of_trace(exporter, TRACE)) > HOPS, 60)
    spans = of_trace(exporter, TRACE)
    ingest = spans.pop("runtime.ingest")
    assert ingest.parent is not None
    assert f"{ingest.parent.span_id:016x}" == CALLER
    assert ingest.attributes is not None
    assert ingest.attributes["http.response.status_code"] == 202
    assert set(spans) == HOPS
    for span in spans.values():
        assert span.parent is not None
        assert span.parent.span_id == ingest.context.span_id
    for hop in HOPS - {"sync.frame"}:
        assert worker_id in str((spans[hop].attributes or {})["oa.stream"])


async def test_a_frame_and_what_its_run_says_of_it_are_one_trace(here: Node, exporter: InMemorySpanExporter) -> None:
    """runtime §9: `runtime.infer` is the executor's pass."""
    trace, run = uuid.uuid4().hex, RunCalls(here.ada, f"run_{uuid.uuid4().hex}")
    assert (await run.create()).status_code == 202
    frame = {"thread_id": run.thread_id, "frame_id": "f-1", "type": "user_message", "payload": {"text": "hello"}}
    headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
    assert (await run.call("POST", f"/{run.run_id}/frames", json=frame, headers=headers)).status_code == 202

    def hops() -> list[tuple[str, str, str]]:
        """Name, parent's name and stream."""
        spans = spans_of_trace(exporter, trace)
        named = {span.context.span_id: span.name for span in spans}
        parents = [named.get(span.parent.span_id, "") if span.parent else "" for span in spans]
        streams = [str((span.attributes or {}).get("oa.stream")) for span in spans]
        return [(span.name, parent, stream) for span, parent, stream in zip(spans, parents, streams, strict=True)]

    said = ("relay.publish", "runtime.infer", run_stream(run.run_id))
    await eventually(lambda: said in hops(), 60)
    assert {(name, parent) for name, parent, _ in hops()} >= {
        ("runtime.ingest", ""),
        ("log.append", "runtime.ingest"),
        ("relay.publish", "runtime.ingest"),
        ("runtime.infer", "runtime.ingest"),
        ("log.append", "runtime.infer"),
    }


async def test_a_caller_that_is_not_sampled_is_believed(here: Node, exporter: InMemorySpanExporter) -> None:
    trace = uuid.uuid4().hex
    worker_id = await created(here)
    async with following(here, names.WORKER_EVENTS) as socket:
        await said(here, worker_id, "unsampled", f"00-{trace}-{CALLER}-00")
        await socket.until("update_batch", "unsampled")
    assert of_trace(exporter, trace) == {}


async def test_without_spans_an_event_carries_what_its_request_did(pool: "Pool[Any]") -> None:
    """runtime §2.1: nothing is made and nothing replaced."""
    async with node(pool) as untraced:
        worker_id = await created(untraced)
        await said(untraced, worker_id, "carried")
    headers = await pool.fetchval("select headers from events where stream like $1 and seq = 2", f"%/{worker_id}")
    assert json.loads(headers) == {"traceparent": TRACEPARENT}


async def test_no_id_is_a_label(here: Node, exporter: InMemorySpanExporter) -> None:
    """runtime §9: whatever has happened, ids are in logs and traces."""
    worker_id = await created(here)
    async with following(here, names.WORKER_SUMMARIES) as socket:
        await said(here, worker_id, "hello")
        await socket.until("update_batch", worker_id)
    for path in ("snapshot", "stream?cursor=0&tail_ms=1"):
        assert (await here.ada.signed("GET", f"/codex/workers/{worker_id}/{path}")).status_code == 200
    run = RunCalls(here.ada, f"run_{uuid.uuid4().hex}", f"thr_{uuid.uuid4().hex}")
    for answer in (await run.create(), await run.frame(f"f-{uuid.uuid4().hex}"), await run.cancel()):
        assert answer.status_code == 202
    assert await run.frames_above(0)
    labels = [sample.labels for metric in REGISTRY.collect() for sample in metric.samples]
    assert {name for told in labels for name in told} & FORBIDDEN == set()
    values = {value for told in labels for value in told.values()}
    assert {value for value in values if is_id(value, worker_id, run.run_id, run.thread_id, CALLER)} == set()


def is_id(value: str, *ids: str) -> bool:
    """One of these, or what looks like one: so many hexadecimal digits, a principal, a stream."""
    return any(known in value for known in ids) or re.search(r"[0-9a-f]{12}|user:|guest:|/", value) is not None


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """Takes what an OTLP exporter sends."""
    received: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            received.append(ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", received
        finally:
            server.shutdown()
            thread.join()


def test_a_process_sends_its_spans_to_the_collector_that_its_settings_name() -> None:
    with collector() as (endpoint, received):
        told = read({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
        with spans_of(told, Process.EDGE) as spans:
            assert spans is not None
            spans.begin("runtime.ingest", {"traceparent": TRACEPARENT}, {"oa.position": 3}).end()
    [resource] = received[0].resource_spans
    assert "oa-edge" in str(resource.resource)
    [span] = resource.scope_spans[0].spans
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("runtime.ingest", TRACE, CALLER)


def test_a_process_without_a_collector_loads_nothing_that_makes_or_sends_spans() -> None:
    """Off by default, and then free; what redis loads for metrics of its own is 3 MB."""
    check = (
        "import sys, ops.serving.edge, ops.serving.relay, ops.serving.processors\n"
        "from ops.serving.running import Process, spans_of\n"
        "from ops.settings import read\n"
        "with spans_of(read({}), Process.EDGE) as spans: assert spans is None\n"
        "sys.exit(any(name.startswith(('opentelemetry.sdk.trace', 'opentelemetry.exporter')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False, timeout=60).returncode == 0
