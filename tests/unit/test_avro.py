"""Values on Kafka: known shapes in their own records, everything else whole in the open one (DESIGN §5)."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas import avro, hashing
from schemas.events import Payload, Recorded

STARTED: Payload = {
    "status": "running",
    "adapter": "in_memory",
    "workspace_ref": None,
    "codex_home_ref": "/h",
    "metadata": {},
}
RECEIVED = {"request_id": "req_1", "method": "turn/start"}
RESPONSE = {"request_id": "req_1", "response": {"jsonrpc": "2.0", "id": "req_1", "result": {"n": 1}}}
STOPPED = {"reason": "stop_requested"}


def recorded(event_type: str, payload: Payload, version: int = 1) -> Recorded:
    return Recorded(
        position=2**53 + 1,
        kind="worker",
        stream="worker/user:41/desktopw:shared",
        seq=7,
        type=event_type,
        version=version,
        owner="user:41",
        payload=payload,
        digest=hashing.digest(payload),
        headers={},
        recorded_at=datetime(2026, 2, 20, 12, 0, 0, 103_104, tzinfo=UTC),
    )


def read_plainly(value: bytes) -> dict[str, Any]:
    """What any consumer does: find the schema by the id in the value, read with a stock Avro library."""
    folder = Path(avro.__file__).parent
    subjects = json.loads((folder / "registry.json").read_text())
    files = {entry["id"]: entry["schema"] for entries in subjects.values() for entry in entries}
    assert value[0] == 0
    schema = fastavro.schema.load_schema(folder / files[int.from_bytes(value[1:5], "big")])
    fields = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None, return_record_name=True)
    assert isinstance(fields, dict)
    return fields


@pytest.mark.parametrize(
    ("event_type", "payload", "record"),
    [
        ("worker.started", STARTED, "WorkerStarted"),
        ("worker.started", STARTED | {"reason": "reattach", "workspace_ref": "/w"}, "WorkerStarted"),
        ("worker.request.received", RECEIVED, "WorkerRequestReceived"),
        ("worker.request.received", RECEIVED | {"params": None}, "WorkerRequestReceived"),
        ("worker.request.received", RECEIVED | {"params": [1, {"a": 1.0}]}, "WorkerRequestReceived"),
        ("worker.response", RESPONSE, "WorkerResponse"),
        ("worker.stopped", STOPPED, "WorkerStopped"),
    ],
)
def test_a_known_event_is_in_its_own_record(event_type: str, payload: Payload, record: str) -> None:
    event = recorded(event_type, payload)
    name, _ = read_plainly(avro.encode(event))["payload"]
    assert name == f"openagents.workers.v1.{record}"
    assert avro.decode(avro.encode(event)) == event


@pytest.mark.parametrize(
    ("event_type", "payload", "version"),
    [
        ("worker.heartbeat", {}, 1),
        ("worker.event", {"source": "codex", "params": {"ü": "\u0000", "big": 2**70, "f": -0.0}}, 1),
        ("worker.started", {"status": "running"}, 1),
        ("worker.started", STARTED | {"extra": 1}, 1),
        ("worker.started", STARTED | {"metadata": None}, 1),
        ("worker.started", STARTED | {"reason": None}, 1),
        ("worker.started", STARTED, 2),
        ("worker.stopped", {"reason": 5}, 1),
        ("worker.stopped", {}, 1),
    ],
)
def test_everything_else_is_in_the_open_record(event_type: str, payload: Payload, version: int) -> None:
    event = recorded(event_type, payload, version)
    name, fields = read_plainly(avro.encode(event))["payload"]
    assert name == "openagents.workers.v1.OpenPayload"
    assert json.loads(fields["json"]) == payload
    assert avro.decode(avro.encode(event)) == event


def test_the_envelope_can_be_read_without_our_code() -> None:
    event = recorded("worker.stopped", STOPPED)
    fields = read_plainly(avro.encode(event))
    assert {name: fields[name] for name in ("position", "stream", "seq", "type", "owner", "digest", "recorded_at")} == {
        "position": 2**53 + 1,
        "stream": "worker/user:41/desktopw:shared",
        "seq": 7,
        "type": "worker.stopped",
        "owner": "user:41",
        "digest": hashing.digest(STOPPED),
        "recorded_at": event.recorded_at,
    }


def test_a_value_written_with_schema_1_can_be_read_for_ever() -> None:
    value = bytes.fromhex(
        "000000000182808080808080200c776f726b65723c776f726b65722f757365723a34312f6465736b746f70773a7368617265640e1c776f"
        "726b65722e73746f70706564020e757365723a3431808bf29185d0a506403aa8baef8a8a2f7121db77cbb094d952172f879e0045ebe95f"
        "05bbdb17d6186e081c73746f705f726571756573746564"
    )
    assert avro.decode(value) == recorded("worker.stopped", STOPPED)


@pytest.mark.parametrize("value", [b"", b"\x00\x00", b"\x01\x00\x00\x00\x01rest", b"\x00\x00\x00\xff\xffrest"])
def test_a_value_that_is_not_ours_is_refused(value: bytes) -> None:
    with pytest.raises(avro.UnknownSchema):
        avro.decode(value)
