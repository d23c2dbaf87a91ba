"""The Avro schema of a topic's values: the envelope, and a union of the payloads' records."""

import json
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from schemas.generate.descriptors import Field, File, Message
from schemas.generate.options import type_of

_PRIMITIVES: Final[Mapping[int, Any]] = {
    FieldDescriptorProto.TYPE_INT32: "int",
    FieldDescriptorProto.TYPE_INT64: "long",
    FieldDescriptorProto.TYPE_BOOL: "boolean",
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
}
_WELL_KNOWN: Final[Mapping[str, Any]] = {
    ".google.protobuf.Timestamp": {"type": "long", "logicalType": "timestamp-micros"},
    ".google.protobuf.StringValue": ["null", "string"],
}


def schema(file: File, envelope: Message) -> str:
    """The text of the `.avsc` of a topic's envelope."""
    known = {f".{file.package}.{message.name}": message for message in file.messages}
    record = {"type": "record", "name": envelope.name, "namespace": file.package, "doc": envelope.doc}
    fields = [_field(field, known) for field in envelope.fields]
    return json.dumps(record | {"fields": fields}, indent=2, ensure_ascii=False) + "\n"


def _field(field: Field, known: Mapping[str, Message]) -> dict[str, Any]:
    made: dict[str, Any] = {"name": field.name}
    if field.members:
        made["type"] = [_record(known[member.type_name], known) for member in field.members]
    elif field.descriptor.proto3_optional:
        made |= {"type": ["null", type_of(field, _PRIMITIVES, _WELL_KNOWN)], "default": None}
    else:
        made["type"] = type_of(field, _PRIMITIVES, _WELL_KNOWN)
    return made | ({"doc": field.doc} if field.doc else {})


def _record(message: Message, known: Mapping[str, Message]) -> dict[str, Any]:
    fields = [_field(field, known) for field in message.fields]
    return {"type": "record", "name": message.name, "doc": message.doc, "fields": fields}
