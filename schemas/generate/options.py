"""What a message or field is to the log, by the options of `openagents.log.v1`."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from openagents.log.v1 import options_pb2
from openagents.log.v1.options_pb2 import JSON_OBJECT, JSON_VALUE, Event
from schemas.generate.descriptors import Field, File, Message

T = TypeVar("T")

# protoc's stubs call extensions by a type that the stubs of their runtime do not take
_EVENT: Final[Any] = options_pb2.event
_TOPIC: Final[Any] = options_pb2.topic
_JSON: Final[Any] = options_pb2.json

_JSON_TYPES: Final = {int(JSON_OBJECT): "Payload", int(JSON_VALUE): "Any"}


class NotInTheLog(ValueError):
    """Something that no record of a topic can carry: a type without a rule here, or an event that no topic has."""


def event_of(message: Message) -> Event | None:
    """The event that the message is the payload of."""
    options = message.descriptor.options
    return options.Extensions[_EVENT] if options.HasExtension(_EVENT) else None


def events_of(file: File, envelope: Message) -> dict[str, tuple[Message, Event]]:
    """By the message's name; raises NotInTheLog for an event that the envelope does not carry."""
    events = {message.name: (message, event) for message in file.messages if (event := event_of(message))}
    carried = {member.type_name.rpartition(".")[2] for field in envelope.fields for member in field.members}
    if missing := events.keys() - carried:
        raise NotInTheLog(f"{', '.join(sorted(missing))}: an event that is not in the payload of {envelope.name}")
    return events


def topic_of(message: Message) -> str | None:
    """The topic that the message is the value of."""
    return message.descriptor.options.Extensions[_TOPIC] or None


def type_of(field: Field, primitives: Mapping[int, T], well_known: Mapping[str, T]) -> T:
    """The type that a table has for a field; raises NotInTheLog."""
    descriptor = field.descriptor
    found = primitives.get(descriptor.type) or well_known.get(descriptor.type_name)
    if found is None or descriptor.label == FieldDescriptorProto.LABEL_REPEATED:
        raise NotInTheLog(f"{field.name} is {descriptor.type_name or descriptor.type}, which no event has had so far")
    return found


def json_type_of(field: Field) -> str | None:
    """The Python type of what a string of JSON holds."""
    return _JSON_TYPES.get(field.descriptor.options.Extensions[_JSON])
