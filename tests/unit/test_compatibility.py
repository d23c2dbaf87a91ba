"""A topic holds values of every released schema: which changes readers survive (docs/adr/0006)."""

import io
import json
from collections.abc import Callable
from typing import Any

import fastavro
import pytest
from fastavro.read import SchemaResolutionError

from schemas.compatibility import conflicts
from schemas.registry import registry

RELEASED = registry()[0].text()
OPTIONAL = {"name": "by", "type": ["null", "string"], "default": None}
Change = Callable[[dict[str, Any]], object]


def payload(schema: dict[str, Any]) -> Any:
    return schema["fields"][-1]["type"]


def record(schema: dict[str, Any], name: str) -> Any:
    return next(branch for branch in payload(schema) if branch["name"] == name)


def fields(schema: dict[str, Any], name: str) -> Any:
    return record(schema, name)["fields"]


def changed(change: Change) -> str:
    schema = json.loads(RELEASED)
    change(schema)
    return json.dumps(schema)


def new_event(schema: dict[str, Any]) -> None:
    payload(schema).append({"type": "record", "name": "WorkerPaused", "fields": [{"name": "why", "type": "string"}]})


COMPATIBLE: dict[str, Change] = {
    "nothing": lambda schema: None,
    "an optional field": lambda schema: fields(schema, "WorkerStopped").append(OPTIONAL),
    "a field with a default": lambda schema: schema["fields"].append({"name": "t", "type": "string", "default": ""}),
    "an optional field goes": lambda schema: fields(schema, "WorkerStarted").pop(),
    "a new event": new_event,
}
BREAKING: dict[str, tuple[Change, str]] = {
    "a required field": (
        lambda schema: fields(schema, "WorkerStopped").append({"name": "by", "type": "string"}),
        "WorkerStopped cannot be read any more: by",
    ),
    "a field goes": (
        lambda schema: fields(schema, "WorkerStopped").clear(),
        "WorkerStopped cannot be read by those who have the released schema: reason",
    ),
    "another type": (
        lambda schema: fields(schema, "WorkerStopped")[0].update(type="long"),
        "WorkerStopped cannot be read any more: reader type: long",
    ),
    "nullable": (
        lambda schema: fields(schema, "WorkerStopped")[0].update(type=["null", "string"]),
        "WorkerStopped cannot be read by those who have the released schema",
    ),
    "a narrower type": (
        lambda schema: schema["fields"][3].update(type="int"),
        "WorkerEvent cannot be read any more",
    ),
    "a field of the envelope goes": (
        lambda schema: schema["fields"].pop(0),
        "WorkerEvent cannot be read by those who have the released schema",
    ),
    "an event goes": (lambda schema: payload(schema).pop(), "WorkerStopped is gone"),
    "an event is renamed": (
        lambda schema: record(schema, "WorkerStopped").update(name="WorkerHalted"),
        "WorkerStopped is gone",
    ),
}


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_these_changes_get_on_with_what_was_released(change: Change) -> None:
    assert conflicts(changed(change), RELEASED) == []


@pytest.mark.parametrize(("change", "named"), BREAKING.values(), ids=BREAKING)
def test_these_changes_break_a_reader(change: Change, named: str) -> None:
    found = conflicts(changed(change), RELEASED)
    assert any(line.startswith(named) for line in found), found


STARTED = {"status": "running", "adapter": "a", "workspace_ref": None, "codex_home_ref": "/h", "metadata": "{}"}
ENVELOPE = {
    "position": 2**53,
    "kind": "worker",
    "stream": "worker/user:41/w",
    "seq": 1,
    "type": "worker.started",
    "version": 1,
    "owner": "user:41",
    "recorded_at": 1_771_588_800_103_104,
    "digest": b"\0" * 32,
}
PAYLOADS = [
    ("openagents.workers.v1.WorkerStarted", STARTED),
    ("openagents.workers.v1.WorkerStopped", {"reason": "done"}),
    ("openagents.workers.v1.OpenPayload", {"json": "{}"}),
]


def written(payload: Any, writer: str) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(json.loads(writer)), ENVELOPE | {"payload": payload})
    return buffer.getvalue()


def read(value: bytes, writer: str, reader: str) -> Any:
    """What somebody makes of it who has another schema than the writer's."""
    schemas = fastavro.parse_schema(json.loads(writer)), fastavro.parse_schema(json.loads(reader))
    return fastavro.schemaless_reader(io.BytesIO(value), *schemas, return_record_name=True)


def is_lost(payload: Any, writer: str, reader: str) -> bool:
    try:
        value = written(payload, writer)
    except (ValueError, TypeError):
        return False  # nothing that this writer could have said
    try:
        read(value, writer, reader)
    except SchemaResolutionError:
        return True
    return False


@pytest.mark.parametrize("payload", PAYLOADS, ids=["started", "stopped", "open"])
@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_values_really_go_both_ways_when_schemas_get_on(change: Change, payload: Any) -> None:
    for writer, reader in ((RELEASED, changed(change)), (changed(change), RELEASED)):
        event = read(written(payload, writer), writer, reader)
        assert (event["position"], event["stream"]) == (2**53, "worker/user:41/w")
        assert event["payload"][0] == payload[0]


@pytest.mark.parametrize("change", [change for change, _ in BREAKING.values()], ids=BREAKING)
def test_values_really_get_lost_when_they_do_not(change: Change) -> None:
    both_ways = ((RELEASED, changed(change)), (changed(change), RELEASED))
    payloads = [*PAYLOADS, ("openagents.workers.v1.WorkerStopped", {"reason": None})]
    assert any(is_lost(payload, *schemas) for payload in payloads for schemas in both_ways)
