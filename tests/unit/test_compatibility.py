"""A topic holds values of every released schema: which changes readers survive (docs/adr/0006)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

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


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: None,
        lambda schema: fields(schema, "WorkerStopped").append(
            {"name": "by", "type": ["null", "string"], "default": None}
        ),
        lambda schema: schema["fields"].append({"name": "tenant", "type": "string", "default": ""}),
        lambda schema: fields(schema, "WorkerStarted").pop(),  # `reason` has a default
        new_event,
    ],
    ids=["nothing", "an optional field", "a field with a default", "an optional field goes", "a new event"],
)
def test_these_changes_get_on_with_what_was_released(change: Change) -> None:
    assert conflicts(changed(change), RELEASED) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            lambda schema: fields(schema, "WorkerStopped").append({"name": "by", "type": "string"}),
            "WorkerStopped cannot be read any more: by",
        ),
        (
            lambda schema: fields(schema, "WorkerStopped").clear(),
            "WorkerStopped cannot be read by those who have the released schema: reason",
        ),
        (
            lambda schema: fields(schema, "WorkerStopped")[0].update(type="long"),
            "WorkerStopped cannot be read any more: reader type: long",
        ),
        (
            lambda schema: fields(schema, "WorkerStopped")[0].update(type=["null", "string"]),
            "WorkerStopped cannot be read by those who have the released schema",
        ),
        (lambda schema: schema["fields"][3].update(type="int"), "WorkerEvent cannot be read any more"),
        (lambda schema: schema["fields"].pop(0), "WorkerEvent cannot be read by those who have the released schema"),
        (lambda schema: payload(schema).pop(), "WorkerStopped is gone"),
        (lambda schema: record(schema, "WorkerStopped").update(name="WorkerHalted"), "WorkerStopped is gone"),
    ],
    ids=["required", "removed", "type", "nullable", "narrower", "envelope", "event removed", "event renamed"],
)
def test_these_changes_break_a_reader(change: Change, named: str) -> None:
    assert any(line.startswith(named) for line in conflicts(changed(change), RELEASED)), conflicts(
        changed(change), RELEASED
    )
