"""Frames of `sync:v1`: Phoenix messages as JSON, arrays in version 2, objects in version 1 (sync §4.3, §5.1)."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec

CHANNEL: Final = "sync:v1"
_VERSION = re.compile(r"([12])\.0\.(?:0|[1-9][0-9]*)")

Ref = str | int | None


class BadFrame(Exception):
    """Not a frame of this framing: the whole socket ends with 1011 (sync §5.5)."""


class Message(NamedTuple):
    """One frame; clients send `ref` and `join_ref` as strings, and get back what they sent (sync §5.3)."""

    join_ref: Ref
    ref: Ref
    topic: str
    event: str
    payload: Any


class Framing(Enum):
    """The two versions of the upstream framework's JSON framing."""

    V1 = "1"
    V2 = "2"

    def decode(self, text: str) -> Message:
        try:
            frame = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
            raise BadFrame from error
        return _checked(_from_array(frame) if self is Framing.V2 else _from_object(frame))

    def encode(self, message: Message) -> bytes:
        if self is Framing.V2:
            return msgspec.json.encode(message)
        _, ref, topic, event, payload = message
        return msgspec.json.encode({"topic": topic, "event": event, "payload": payload, "ref": ref})


class Address(NamedTuple):
    """Where pushes of one join go: sockets with equal addresses get byte-identical frames."""

    framing: Framing
    join_ref: Ref

    def push(self, event: str, payload: Any) -> bytes:
        return self.framing.encode(Message(self.join_ref, None, CHANNEL, event, payload))

    def update_batch(self, body: bytes) -> bytes:
        return self.push("sync:update_batch", msgspec.Raw(body))


def framing_of(vsn: str | None) -> Framing | None:
    """The framing a `vsn` parameter asks for, 1.0.0 when absent; None when it is not supported."""
    match = _VERSION.fullmatch("1.0.0" if vsn is None else vsn)
    return Framing(match[1]) if match else None


def _from_array(frame: Any) -> Message:
    if not isinstance(frame, list) or len(frame) < 5:
        raise BadFrame
    return Message(*frame[:5])


def _from_object(frame: Any) -> Message:
    if not isinstance(frame, Mapping) or not {"topic", "event", "payload", "ref"} <= frame.keys():
        raise BadFrame
    return Message(frame.get("join_ref"), frame["ref"], frame["topic"], frame["event"], frame["payload"])


def _checked(message: Message) -> Message:
    if not isinstance(message.topic, str) or not isinstance(message.event, str):
        raise BadFrame
    if not isinstance(message.join_ref, Ref) or not isinstance(message.ref, Ref):
        raise BadFrame
    return message
