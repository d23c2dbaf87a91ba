"""What a noun hands to the log: its decider, its commands, and the identities clients gave them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from schemas import canonical_json
from schemas.events import NewEvent, Recorded

S = TypeVar("S")
C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)


def _never(_state: Any) -> None:
    return None


@dataclass(frozen=True)
class Decider(Generic[S, C]):
    """The pure rules of one kind of stream.

    `decide` returns events or raises a `Rejection`; `evolve` accepts every event version ever written. `state` is a
    msgspec struct kept inline in `streams.state`; a stored `state_version` below ours is refolded, above ours refused.
    From `wake_at` on somebody has to do something about a stream; `wake` is the command that does, and that decides
    nothing when it comes early or twice (DESIGN §4, Timers). `stand_in` is what a recovery writes where a lost event
    of a seq stood, so that nobody's cursor skips what comes next (ADR 11). `erase` says that what was written until
    now is going to be erased (ADR 12); without it nothing in the stream is personal.
    """

    kind: str
    state: type[S]
    state_version: int
    decide: Callable[[S | None, C, datetime], Sequence[NewEvent]]
    evolve: Callable[[S | None, Recorded], S]
    stand_in: Callable[[int], NewEvent]
    wake_at: Callable[[S], datetime | None] = _never
    wake: C | None = None
    erase: C | None = None


class IdentityKey(NamedTuple):
    """A client-made identity, scoped by principal and target."""

    scope: str
    key: str


class Identity(NamedTuple):
    """An identity and the digest of the content it stands for; other content under the same key is a conflict.

    `reason_code` is what that conflict is called, when a program has to know.
    """

    key: IdentityKey
    fingerprint: bytes
    reason_code: str | None = None


class Remembered(NamedTuple):
    """What an accepted command with an identity answered first (DESIGN I6)."""

    fingerprint: bytes
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item(Generic[C_co]):
    """One command of a submission."""

    command: C_co
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """How one command ended: the stream's state after it, its events, and whether it was known before.

    `seq` is the stream's after the command; of a known identity the one it answered first. Of a command on several
    streams `state` is their states by stream, and `seq` the first one's.
    """

    state: S
    seq: int
    events: tuple[Recorded, ...]
    replayed: bool


class Part(NamedTuple):
    """A stream that a command may touch: whose it is, and the rules its events are folded by."""

    stream: str
    owner: str
    decider: Decider[Any, Any]


States = Mapping[str, Any]
"""States by stream; None of one that does not exist."""

Rules = Callable[[States, C, datetime], Sequence[tuple[str, NewEvent]]]
"""What a command writes: events and their streams in the log's order, unless a `Rejection` is raised (ADR 14)."""


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """Commands that are committed together or not at all; the first part is the stream they are about.

    `together`: outcomes tell the states of all parts, not only of the first.
    """

    parts: tuple[Part, ...]
    rules: Rules[Any]
    items: Sequence[Item[Any]]
    headers: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    together: bool = True

    @property
    def stream(self) -> str:
        return self.parts[0].stream

    @property
    def identities(self) -> list[IdentityKey]:
        return [item.identity.key for item in self.items if item.identity]


def alone(decider: Decider[S, C], stream: str) -> Rules[C]:
    """The rules of commands on one stream."""
    decide = decider.decide

    def rules(states: States, command: C, now: datetime) -> list[tuple[str, NewEvent]]:
        return [(stream, new) for new in decide(states[stream], command, now)]

    return rules


class StreamHead(NamedTuple):
    """A stream's version, state and owner; seq 0 and nothing else for one that does not exist."""

    seq: int
    state: Any
    owner: str | None = None


NO_STREAM = StreamHead(0, None)


def dumps(value: Any) -> str:
    """JSON text in the order it was given; control characters are escaped, so 0x1F can join columns."""
    return canonical_json.in_given_order(value).decode()
