"""Avro values of the Kafka topics: Confluent wire format, schema ids from `registry.json` (DESIGN §5)."""

import io
import json
import struct
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import fastavro
import msgspec

from schemas import (
    budgets_generated,
    canonical_json,
    deliveries_generated,
    inbox_generated,
    notifications_generated,
    policies_generated,
    runs_generated,
    workers_generated,
)
from schemas.events import KnownEvent, Payload, Recorded
from schemas.names import KAFKA_TOPICS
from schemas.registry import newest, registry, subject_of

_PREFIX: Final = struct.Struct(">bI")
_MAGIC: Final = 0
_MODULES: Final = {
    "oa.workers": workers_generated,
    "oa.runs": runs_generated,
    "oa.inbox": inbox_generated,
    "oa.budgets": budgets_generated,
    "oa.policies": policies_generated,
    "oa.deliveries": deliveries_generated,
    "oa.notifications": notifications_generated,
}
_OPEN_PAYLOADS: Final = {topic: module.OPEN_PAYLOAD for topic, module in _MODULES.items()}
_OPEN_RECORDS: Final = frozenset(_OPEN_PAYLOADS.values())


class UnknownSchema(ValueError):
    """The value is not in Confluent format, or its schema id is not in `registry.json`."""


class _KnownRecord(NamedTuple):
    """How the payload of a known event type becomes an Avro record and back."""

    struct: type[KnownEvent]
    field_names: frozenset[str]

    def fields(self, payload: Payload) -> dict[str, Any] | None:
        """The record's fields, or None when the payload does not have exactly this type's shape."""
        if not payload.keys() <= self.field_names:
            return None
        try:
            msgspec.convert(payload, self.struct)
        except msgspec.ValidationError:
            return None
        json_fields = self.struct.json_fields
        return {name: _json_text(value) if name in json_fields else value for name, value in payload.items()}

    def payload(self, fields: dict[str, Any]) -> Payload:
        optional = _optional_fields(self.struct)
        return {
            name: canonical_json.decode(value) if name in self.struct.json_fields else value
            for name, value in fields.items()
            if value is not None or name not in optional
        }


def encode(event: Recorded) -> bytes:
    """The value of `event` on its kind's topic; a KeyError when the kind has no topic."""
    prefix, schema = _writer(event.kind)
    buffer = io.BytesIO()
    buffer.write(prefix)
    fastavro.schemaless_writer(
        buffer,
        schema,
        {
            "position": event.position,
            "kind": event.kind,
            "stream": event.stream,
            "seq": event.seq,
            "type": event.type,
            "version": event.version,
            "owner": event.owner,
            "recorded_at": event.recorded_at,
            "digest": event.digest,
            "payload": _payload_record(event),
        },
    )
    return buffer.getvalue()


def decode(value: bytes, headers: Mapping[str, str] | None = None) -> Recorded:
    """The event a value was made from; `headers` are the event's own, which travel beside the value."""
    if len(value) < _PREFIX.size or value[0] != _MAGIC:
        raise UnknownSchema("not in Confluent wire format")
    _, schema_id = _PREFIX.unpack_from(value)
    fields = fastavro.schemaless_reader(
        io.BytesIO(value[_PREFIX.size :]), _reader(schema_id), None, return_record_name=True
    )
    fields["payload"] = _payload(*fields["payload"])
    return Recorded(**fields, headers=dict(headers or {}))


def _json_text(value: Any) -> str:
    return canonical_json.encode(value).decode()


@cache
def _optional_fields(struct_type: type[KnownEvent]) -> frozenset[str]:
    return frozenset(field.name for field in msgspec.structs.fields(struct_type) if not field.required)


_KNOWN: Final = {
    topic: tuple(_KnownRecord(event, frozenset(event.__struct_fields__)) for event in module.EVENTS)
    for topic, module in _MODULES.items()
}
_BY_NAME: Final = {known.struct.record: known for found in _KNOWN.values() for known in found}
_BY_TYPE: Final = {
    (topic, known.struct.type, known.struct.version): known for topic, found in _KNOWN.items() for known in found
}


def _payload_record(event: Recorded) -> tuple[str, dict[str, Any]]:
    topic = KAFKA_TOPICS[event.kind]
    known = _BY_TYPE.get((topic, event.type, event.version))
    fields = known.fields(event.payload) if known else None
    if known is None or fields is None:
        return _OPEN_PAYLOADS[topic], {"json": _json_text(event.payload)}
    return known.struct.record, fields


def _payload(record: str, fields: dict[str, Any]) -> Payload:
    if record in _OPEN_RECORDS:
        payload: Payload = canonical_json.decode(fields["json"])
        return payload
    return _BY_NAME[record].payload(fields)


@cache
def _writer(kind: str) -> tuple[bytes, Any]:
    """The wire prefix and schema of the newest version for a kind's topic."""
    entry = newest(subject_of(KAFKA_TOPICS[kind]))
    return _PREFIX.pack(_MAGIC, entry.id), _reader(entry.id)


@cache
def _reader(schema_id: int) -> Any:
    for entry in registry():
        if entry.id == schema_id:
            return fastavro.parse_schema(json.loads(entry.text()))
    raise UnknownSchema(f"no schema has the id {schema_id}")
