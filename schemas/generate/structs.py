"""The event structs of a noun: one `KnownEvent` for each message that is an event's payload."""

from collections.abc import Iterator, Mapping
from typing import Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from openagents.log.v1.options_pb2 import Event
from schemas.generate.descriptors import File, Message
from schemas.generate.options import events_of, json_type_of, type_of

_PRIMITIVES: Final[Mapping[int, str]] = {
    FieldDescriptorProto.TYPE_INT32: "int",
    FieldDescriptorProto.TYPE_INT64: "int",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_STRING: "str",
}
_WELL_KNOWN: Final = {".google.protobuf.StringValue": "str | None"}

_MODULE: Final = '''"""{doc}

Made by `python -m schemas.generate` from `{source}`; not to be edited.
"""

from typing import {typing}

{msgspec}from schemas.events import KnownEvent{payload}


{classes}


EVENTS: Final[tuple[type[KnownEvent], ...]] = ({names})
OPEN_PAYLOAD: Final = "{package}.OpenPayload"
'''
_CLASS: Final = '''class {name}(KnownEvent, frozen=True):
    """{doc}"""

    type: ClassVar[str] = "{event.type}"
    version: ClassVar[int] = {event.version}
    record: ClassVar[str] = "{package}.{name}"
    json_fields: ClassVar[frozenset[str]] = frozenset({json_fields})
{fields}'''


def module(file: File, envelope: Message) -> str:
    """The text of the noun's `_generated.py`."""
    events = {name: _class(file, *found) for name, found in events_of(file, envelope).items()}
    classes = "\n\n\n".join(events.values())
    return _MODULE.format(
        doc=file.doc,
        source=file.name,
        package=file.package,
        typing="Any, ClassVar, Final" if ": Any" in classes else "ClassVar, Final",
        msgspec=_imported("msgspec", [name for name in ("UNSET", "UnsetType") if name in classes]),
        payload=", Payload" if ": Payload" in classes else "",
        classes=classes,
        names=_listed(list(events)),
    )


def _listed(names: list[str]) -> str:
    """As the formatter would have it."""
    return f"{names[0]}," if len(names) == 1 else "\n" + "".join(f"    {name},\n" for name in names)


def _imported(module: str, names: list[str]) -> str:
    return f"from {module} import {', '.join(names)}\n\n" if names else ""


def _class(file: File, message: Message, event: Event) -> str:
    json_fields = ", ".join(f'"{field.name}"' for field in message.fields if json_type_of(field))
    return _CLASS.format(
        name=message.name,
        doc=message.doc,
        event=event,
        package=file.package,
        json_fields=f"{{{json_fields}}}" if json_fields else "",
        fields="\n".join(_fields(message)),
    )


def _fields(message: Message) -> Iterator[str]:
    """Those that may be absent come last, as Python wants it."""
    for field in sorted(message.fields, key=lambda field: field.descriptor.proto3_optional):
        kind = json_type_of(field) or type_of(field, _PRIMITIVES, _WELL_KNOWN)
        if not field.descriptor.proto3_optional:
            yield f"    {field.name}: {kind}"
        else:
            yield f"    {field.name}: {kind if kind == 'Any' else f'{kind} | UnsetType'} = UNSET"
