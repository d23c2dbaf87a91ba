"""Avro values of the Kafka topics: Confluent wire format, schema ids from `registry.json` (DESIGN §5)."""

import io
import json
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import fastavro
import msgspec
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas import canonical_json
from schemas.events import KnownEvent, Payload, Recorded
from schemas.names import KAFKA_TOPICS
from schemas.workers import WorkerRequestReceived, WorkerResponse, WorkerStarted, WorkerStopped

_FOLDER: Final = Path(__file__).parent
_PREFIX: Final = struct.Struct(">bI")
_MAGIC: Final = 0
_NAMESPACE: Final = "openagents.workers.v1"
_OPEN: Final = f"{_NAMESPACE}.OpenPayload"
_JSON_FIELDS: Final = frozenset({"metadata", "params", "response"})


class UnknownSchema(ValueError):
    """The value is not in Confluent format, or its schema id is not in `registry.json`."""


class Registered(NamedTuple):
    """One version of a subject's schema; `fingerprint` is the SHA-256 of its Parsing Canonical Form."""

    subject: str
    version: int
    id: int
    schema: str
    fingerprint: str

    def text(self) -> str:
        return (_FOLDER / self.schema).read_text(encoding="utf-8")


class _KnownRecord(NamedTuple):
    """How the payload of a known event type becomes an Avro record and back."""

    name: str
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
        return {name: _json_text(value) if name in _JSON_FIELDS else value for name, value in payload.items()}

    def payload(self, fields: dict[str, Any]) -> Payload:
        optional = _optional_fields(self.struct)
        return {
            name: canonical_json.decode(value) if name in _JSON_FIELDS else value
            for name, value in fields.items()
            if value is not None or name not in optional
        }


@cache
def registry() -> tuple[Registered, ...]:
    """Every schema ever released, in the order of `registry.json`, which is only appended to."""
    subjects = json.loads((_FOLDER / "registry.json").read_text(encoding="utf-8"))
    return tuple(Registered(subject, **entry) for subject, entries in subjects.items() for entry in entries)


def schema_fingerprint(schema: str) -> str:
    return str(fingerprint(to_parsing_canonical_form(json.loads(schema)), "SHA-256"))


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


def _known(struct_type: type[KnownEvent]) -> _KnownRecord:
    return _KnownRecord(f"{_NAMESPACE}.{struct_type.__name__}", struct_type, frozenset(struct_type.__struct_fields__))


_KNOWN: Final = (
    _known(WorkerStarted),
    _known(WorkerRequestReceived),
    _known(WorkerResponse),
    _known(WorkerStopped),
)
_BY_NAME: Final = {known.name: known for known in _KNOWN}
_BY_TYPE: Final = {(known.struct.type, known.struct.version): known for known in _KNOWN}


def _payload_record(event: Recorded) -> tuple[str, dict[str, Any]]:
    known = _BY_TYPE.get((event.type, event.version))
    fields = known.fields(event.payload) if known else None
    if known is None or fields is None:
        return _OPEN, {"json": _json_text(event.payload)}
    return known.name, fields


def _payload(record: str, fields: dict[str, Any]) -> Payload:
    if record == _OPEN:
        payload: Payload = canonical_json.decode(fields["json"])
        return payload
    return _BY_NAME[record].payload(fields)


@cache
def _writer(kind: str) -> tuple[bytes, Any]:
    """The wire prefix and schema of the newest version for a kind's topic."""
    subject = f"{KAFKA_TOPICS[kind]}-value"
    newest = max((entry for entry in registry() if entry.subject == subject), key=lambda entry: entry.version)
    return _PREFIX.pack(_MAGIC, newest.id), _reader(newest.id)


@cache
def _reader(schema_id: int) -> Any:
    for entry in registry():
        if entry.id == schema_id:
            return fastavro.parse_schema(json.loads(entry.text()))
    raise UnknownSchema(f"no schema has the id {schema_id}")
