"""Events as the log keeps them: what a decider returns, and what everybody reads afterwards."""

from datetime import datetime
from typing import Any, ClassVar, Final, Protocol

import msgspec

from schemas import hashing

Payload = dict[str, Any]

_OF_NOTHING: Final = hashing.digest({})


class NewEvent(Protocol):
    """A fact a decider returns: payload only; the envelope (stream, seq, owner, time) is the log's."""

    @property
    def type(self) -> str: ...

    @property
    def version(self) -> int: ...

    def body(self) -> Payload: ...


class KnownEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event type the server itself writes; its fields are its payload. Optional fields default to UNSET.

    Those that have fields are generated: `record` names their Avro record, where `json_fields` are strings of JSON.
    """

    type: ClassVar[str]
    version: ClassVar[int]
    record: ClassVar[str]
    json_fields: ClassVar[frozenset[str]]

    def body(self) -> Payload:
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not msgspec.UNSET}


class OpenEvent(msgspec.Struct, frozen=True):
    """An event whose type and payload came from a client; legal when the contract calls the type legal."""

    type: str
    content: Payload
    version: int = 1

    def body(self) -> Payload:
        return self.content


class Recorded(msgspec.Struct, frozen=True):
    """A committed event with its envelope.

    `position` is the dense global order, `seq` the gap-free order of its stream from 1 (DESIGN I2, I3); `digest` is the
    SHA-256 of the payload's canonical JSON and stays when a payload is erased.
    """

    position: int
    kind: str
    stream: str
    seq: int
    type: str
    version: int
    owner: str
    payload: Payload
    digest: bytes
    headers: dict[str, str]
    recorded_at: datetime

    @property
    def erased(self) -> bool:
        """Whether the payload is gone; the digest is still of what it was (ADR 12)."""
        return not self.payload and self.digest != _OF_NOTHING
