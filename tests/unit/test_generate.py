"""What is made of the protos, how drift from them is found, and how ids are given (docs/adr/0006)."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.generate import outputs, releases
from schemas.generate.options import NotInTheLog
from schemas.generate.releases import Incompatible
from schemas.registry import registry

EVENTS = "proto/openagents/workers/v1/events.proto"
PAUSED = """
// A worker waits for its owner.
message WorkerPaused {
  option (openagents.log.v1.event) = {
    type: "worker.paused"
    version: 2
  };

  optional bool asked = 1;
  // A JSON object.
  string details = 2 [(openagents.log.v1.json) = JSON_OBJECT];
  int64 minutes = 3;
}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of everything that the generator reads and writes."""
    shutil.copytree(outputs.ROOT / "proto", tmp_path / "proto")
    shutil.copytree(outputs.ROOT / "schemas" / "released", tmp_path / "schemas" / "released")
    for pattern in ("*.avsc", "*_generated.py", "registry.json"):
        for path in (outputs.ROOT / "schemas").glob(pattern):
            shutil.copyfile(path, tmp_path / "schemas" / path.name)
    return tmp_path


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def generate(root: Path) -> None:
    outputs.write(outputs.outputs(root), root)


def add_paused(root: Path) -> None:
    rewrite(root / EVENTS, "answered = 22;", "answered = 22;\nWorkerPaused worker_paused = 99;")
    (root / EVENTS).write_text((root / EVENTS).read_text() + PAUSED)


def entries(root: Path) -> list[dict[str, Any]]:
    subjects = json.loads((root / "schemas" / "registry.json").read_text())
    return list(subjects["oa.workers-value"])


def test_what_is_checked_in_is_what_the_protos_say(root: Path) -> None:
    assert outputs.differences(outputs.outputs(root), root) == []
    assert releases.unreleased(root) == []


def test_every_kind_of_drift_is_named(root: Path) -> None:
    made = outputs.outputs(root)
    rewrite(root / "schemas" / "workers_generated.py", "status: str", "status: int")
    (root / "schemas" / "oa.workers-value.avsc").unlink()
    (root / "schemas" / "payments_generated.py").touch()
    assert outputs.differences(made, root) == [
        "schemas/payments_generated.py is not made by the generator any more",
        "schemas/oa.workers-value.avsc is missing",
        "schemas/workers_generated.py is not what the generator makes",
    ]
    outputs.write(made, root)
    assert outputs.differences(made, root) == []


def test_a_changed_proto_is_drift_until_everything_is_made_anew(root: Path) -> None:
    add_paused(root)
    drifted = outputs.differences(outputs.outputs(root), root)
    for path in ("schemas/workers_generated.py", "schemas/oa.workers-value.avsc", "events_pb2.py", "v1/__init__.py"):
        assert any(path in line for line in drifted), path
    generate(root)
    assert outputs.differences(outputs.outputs(root), root) == []


def test_an_event_becomes_a_struct(root: Path) -> None:
    add_paused(root)
    generate(root)
    module: dict[str, Any] = {"__name__": "workers_generated"}
    exec((root / "schemas" / "workers_generated.py").read_text(), module)
    paused = module["WorkerPaused"](details={"a": 1}, minutes=5)
    assert paused.body() == {"details": {"a": 1}, "minutes": 5}
    assert (paused.type, paused.version, paused.record) == ("worker.paused", 2, "openagents.workers.v1.WorkerPaused")
    assert paused.json_fields == {"details"}
    assert msgspec.convert({"details": {}, "minutes": 1, "asked": True}, type(paused)).asked is True
    assert module["EVENTS"][-1] is type(paused)


def test_an_event_becomes_an_avro_record(root: Path) -> None:
    add_paused(root)
    generate(root)
    schema = json.loads((root / "schemas" / "oa.workers-value.avsc").read_text())
    assert schema["fields"][-1]["type"][-1] == {
        "type": "record",
        "name": "WorkerPaused",
        "doc": "A worker waits for its owner.",
        "fields": [
            {"name": "asked", "type": ["null", "boolean"], "default": None},
            {"name": "details", "type": "string", "doc": "A JSON object."},
            {"name": "minutes", "type": "long"},
        ],
    }


@pytest.mark.parametrize("kind", ["repeated string", "double", "OpenPayload"])
def test_a_type_that_no_event_has_had_is_refused(root: Path, kind: str) -> None:
    rewrite(root / EVENTS, "  string reason = 1;", f"  {kind} reason = 1;")
    with pytest.raises(NotInTheLog, match="reason"):
        outputs.outputs(root)


def test_an_event_that_no_topic_carries_is_refused(root: Path) -> None:
    """Or the relay would find out, with the event already in the log."""
    add_paused(root)
    rewrite(root / EVENTS, "WorkerPaused worker_paused = 99;", "")
    with pytest.raises(NotInTheLog, match="WorkerPaused: an event that is not in the payload of WorkerEvent"):
        outputs.outputs(root)


def test_a_changed_schema_gets_the_next_id_and_nothing_else_moves(root: Path) -> None:
    before, released = entries(root), (root / "schemas" / "released" / "oa.workers-value.1.avsc").read_bytes()
    add_paused(root)
    generate(root)
    assert releases.unreleased(root) == ["oa.workers-value"]
    assert releases.release(root) == [
        f"oa.workers-value version 3 has the id {max(entry.id for entry in registry()) + 1}"
    ]
    assert entries(root)[:-1] == before
    assert entries(root)[-1]["schema"] == "released/oa.workers-value.3.avsc"
    assert (root / "schemas" / "released" / "oa.workers-value.1.avsc").read_bytes() == released
    assert releases.unreleased(root) == []
    assert "WorkerPaused" in (root / "proto/baseline/openagents/workers/v1/events.proto").read_text()
    assert releases.release(root) == []


def test_what_a_schema_tells_people_may_change_without_an_id(root: Path) -> None:
    rewrite(root / EVENTS, "Dense global order", "Global order")
    generate(root)
    assert "Global order" in (root / "schemas" / "oa.workers-value.avsc").read_text()
    assert releases.unreleased(root) == []


def test_a_schema_that_breaks_readers_gets_no_id(root: Path) -> None:
    before = entries(root)
    rewrite(root / EVENTS, "  string reason = 1;", "  string reason = 1;\n  string by = 2;")
    generate(root)
    with pytest.raises(Incompatible, match=r"oa\.workers-value: WorkerStopped cannot be read any more: by.* id 1"):
        releases.release(root)
    assert entries(root) == before
    assert "string by" not in (root / "proto/baseline/openagents/workers/v1/events.proto").read_text()
