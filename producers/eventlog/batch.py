"""A batch of submissions decided on known stream heads: pure, so that it can be thrown away and decided afresh."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from producers.errors import Forbidden, IdentityConflict, Rejection, TooLarge
from producers.eventlog.commands import (
    NO_STREAM,
    Identity,
    IdentityKey,
    Item,
    Outcome,
    Part,
    Remembered,
    StreamHead,
    Submission,
    dumps,
)
from schemas import canonical_json, hashing
from schemas.events import NewEvent, Recorded
from schemas.times import iso6

Answer = Sequence[Outcome[Any]] | Exception
MAX_PAYLOAD_BYTES = 512 * 1024
_SEPARATOR = "\x1f"


class Batch:
    """Heads move on inside the batch, so later submissions see what earlier ones decided.

    `writes` and `reads` are the versions the answers rely on; `unsure` are identities behind rejections that memory
    does not know and the table might.
    """

    def __init__(self, heads: Mapping[str, StreamHead], known: Mapping[IdentityKey, Remembered], now: datetime) -> None:
        self._loaded = heads
        self._known = known
        self.now = now
        self.heads: dict[str, StreamHead] = {}
        self.writes: dict[str, Part] = {}
        self.reads: dict[str, int] = {}
        self.commands: dict[IdentityKey, Remembered] = {}
        self.events: list[Recorded] = []
        self.answers: list[tuple[Submission, Answer]] = []
        self.unsure: set[IdentityKey] = set()

    def decide(self, submission: Submission) -> None:
        trial = _Trial(self, submission)
        try:
            trial.check_owners()
            for item in submission.items:
                trial.decide(item)
        except Rejection as rejection:
            self.unsure.update(key for key in submission.identities if self.remembered(key) is None)
            self._rely_on(submission.parts)
            self.answers.append((submission, rejection))
        except Exception as error:  # noqa: BLE001 - a decider's bug is its caller's, not the whole batch's
            self.answers.append((submission, error))
        else:
            self._accept(submission, trial)

    def head(self, stream: str) -> StreamHead:
        return self.heads.get(stream) or self._loaded.get(stream, NO_STREAM)

    def remembered(self, key: IdentityKey) -> Remembered | None:
        return self.commands.get(key) or self._known.get(key)

    def columns(self) -> tuple[Any, ...]:
        """The arguments of `log_append` (append.sql), in its order."""
        return (self.now, *self._write_columns(), *self._command_columns(), *self._event_columns())

    def placed(self, base: int) -> None:
        """Tell the events their positions, once the log has given them."""
        for offset, event in enumerate(self.events, start=1):
            msgspec.structs.force_setattr(event, "position", base + offset)

    def record(self, part: Part, headers: Mapping[str, str], seq: int, new: NewEvent) -> Recorded:
        payload = new.body()
        canonical = canonical_json.encode(payload)
        if len(canonical) > MAX_PAYLOAD_BYTES:
            raise TooLarge(f"an event's payload may be {MAX_PAYLOAD_BYTES} bytes of canonical JSON at most")
        return Recorded(
            0,
            part.decider.kind,
            part.stream,
            seq,
            new.type,
            new.version,
            part.owner,
            payload,
            hashing.digest_bytes(canonical),
            dict(headers),
            self.now,
        )

    def _accept(self, submission: Submission, trial: "_Trial") -> None:
        if trial.events:
            self.events += trial.events
            self.writes.update(trial.written)
            self.heads.update((stream, trial.heads[stream]) for stream in trial.written)
            self.commands.update(trial.commands)
        self._rely_on(part for part in submission.parts if part.stream not in trial.written)
        self.answers.append((submission, trial.outcomes))

    def _rely_on(self, parts: Iterable[Part]) -> None:
        for part in parts:
            if part.stream not in self.writes:
                self.reads[part.stream] = self.head(part.stream).seq

    def _write_columns(self) -> tuple[str, ...]:
        names = list(self.writes)
        heads = [self.heads[name] for name in names]
        parts = self.writes.values()
        reads = {name: seq for name, seq in self.reads.items() if name not in self.writes}
        return (
            _joined(names),
            _integers([self._loaded.get(name, NO_STREAM).seq for name in names]),
            _integers([head.seq for head in heads]),
            _joined([part.decider.kind for part in parts]),
            _joined([part.owner for part in parts]),
            _joined([dumps(head.state) for head in heads]),
            _integers([part.decider.state_version for part in parts]),
            _moments([part.decider.wake_at(head.state) for part, head in zip(parts, heads, strict=True)]),
            _joined(list(reads)),
            _integers(list(reads.values())),
        )

    def _command_columns(self) -> tuple[str, ...]:
        return (
            _joined([key.scope for key in self.commands]),
            _joined([key.key for key in self.commands]),
            _joined([remembered.fingerprint.hex() for remembered in self.commands.values()]),
            _joined([dumps(remembered.answer) for remembered in self.commands.values()]),
        )

    def _event_columns(self) -> tuple[Any, ...]:
        events = self.events
        return (
            len(events),
            _joined([event.kind for event in events]),
            _joined([event.stream for event in events]),
            _integers([event.seq for event in events]),
            _joined([event.type for event in events]),
            _integers([event.version for event in events]),
            _joined([event.owner for event in events]),
            _joined([dumps(event.payload) for event in events]),
            _joined([event.digest.hex() for event in events]),
            _joined([dumps(event.headers) for event in events]),
        )


class _Trial:
    """One submission being decided; nothing of it counts before all its commands were accepted."""

    def __init__(self, batch: Batch, submission: Submission) -> None:
        self._batch = batch
        self._submission = submission
        self._parts = {part.stream: part for part in submission.parts}
        self.heads = {stream: batch.head(stream) for stream in self._parts}
        self.written: dict[str, Part] = {}
        self.events: list[Recorded] = []
        self.outcomes: list[Outcome[Any]] = []
        self.commands: dict[IdentityKey, Remembered] = {}

    def check_owners(self) -> None:
        """A stream's owner never changes (DESIGN §4); raises Forbidden."""
        for stream, part in self._parts.items():
            if self.heads[stream].owner not in (None, part.owner):
                raise Forbidden("it belongs to somebody else")

    def decide(self, item: Item[Any]) -> None:
        if item.identity:
            remembered = self.commands.get(item.identity.key) or self._batch.remembered(item.identity.key)
            if remembered:
                return self._replay(item.identity, remembered)
        recorded = self._append(item)
        seq = self._seq
        if item.identity:
            self.commands[item.identity.key] = Remembered(item.identity.fingerprint, {"seq": seq})
        self.outcomes.append(Outcome(self._state, seq, recorded, replayed=not recorded))
        return None

    @property
    def _seq(self) -> int:
        return self.heads[self._submission.stream].seq

    @property
    def _state(self) -> Any:
        if self._submission.together:
            return {stream: head.state for stream, head in self.heads.items()}
        return self.heads[self._submission.stream].state

    def _replay(self, identity: Identity, remembered: Remembered) -> None:
        if remembered.fingerprint != identity.fingerprint:
            raise IdentityConflict("the same identity came with other content before", reason_code=identity.reason_code)
        self.outcomes.append(Outcome(self._state, remembered.answer["seq"], (), replayed=True))

    def _append(self, item: Item[Any]) -> tuple[Recorded, ...]:
        states = {stream: head.state for stream, head in self.heads.items()}
        start = len(self.events)
        for stream, new in self._submission.rules(states, item.command, self._batch.now):
            part, head = self._parts[stream], self.heads[stream]
            event = self._batch.record(part, self._submission.headers, head.seq + 1, new)
            self.heads[stream] = StreamHead(event.seq, part.decider.evolve(head.state, event), part.owner)
            self.written[stream] = part
            self.events.append(event)
        return tuple(self.events[start:])


def _joined(values: Sequence[str]) -> str:
    return _SEPARATOR.join(values)


def _integers(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _moments(values: Sequence[datetime | None]) -> str:
    return "{" + ",".join("NULL" if value is None else iso6(value) for value in values) + "}"
