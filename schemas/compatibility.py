"""Whether a new schema gets on with the released ones, by Avro's resolution rules (DESIGN §5, docs/adr/0006)."""

import json
from collections.abc import Iterator
from typing import Any

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType


def conflicts(newest: str, released: str) -> list[str]:
    """Why the two cannot live in one topic; empty when they can.

    A reader that has `newest` must read what `released` wrote. A reader that has only `released` must read what
    `newest` writes, payloads of types that it has never heard of left out: those it cannot read in any case.
    """
    new, old = json.loads(newest), json.loads(released)
    known = {record["name"] for record in _records(old)}
    lost = known - {record["name"] for record in _records(new)}
    return [
        *(f"{name} is gone" for name in sorted(lost)),
        *_unreadable(reader=new, writer=old, what="cannot be read any more"),
        *_unreadable(reader=old, writer=_only(new, known), what="cannot be read by those who have the released schema"),
    ]


def _unreadable(reader: Any, writer: Any, what: str) -> Iterator[str]:
    """Record by record, so that a message names the one it is about."""
    readers = {record["name"]: record for record in _records(reader)}
    for record in _records(writer):
        if record["name"] in readers:
            found = ReaderWriterCompatibilityChecker().get_compatibility(
                avro.schema.make_avsc_object(readers[record["name"]]), avro.schema.make_avsc_object(record)
            )
            if found.compatibility is SchemaCompatibilityType.incompatible:
                yield f"{record['name']} {what}: {', '.join(sorted(found.messages))}"


def _records(schema: Any) -> Iterator[dict[str, Any]]:
    """Every record in a schema, the outermost last."""
    match schema:
        case list():
            for branch in schema:
                yield from _records(branch)
        case {"type": "record", "fields": fields}:
            for field in fields:
                yield from _records(field["type"])
            yield schema


def _only(schema: Any, known: set[str]) -> Any:
    """The schema without the records of unions that are not known."""
    match schema:
        case list():
            return [_only(branch, known) for branch in schema if _is_known(branch, known)]
        case {"type": "record", "fields": fields}:
            return schema | {"fields": [field | {"type": _only(field["type"], known)} for field in fields]}
    return schema


def _is_known(branch: Any, known: set[str]) -> bool:
    return not isinstance(branch, dict) or branch["type"] != "record" or branch["name"] in known
