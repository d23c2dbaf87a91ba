"""Compares what the log says with what everybody made of it: each function names every difference it finds."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from processors.audit.evidence import DocumentRow, Journal, StreamRow
from processors.audit.histories import DocumentTold, StateTold
from processors.audit.records import UNKNOWN, Seen
from readmodels.engine.views import View, encode, says_the_same
from schemas import canonical_json, hashing, names
from schemas.events import Recorded
from schemas.history import Epoch


def log_differences(after: int, up_to: int, events: Sequence[Recorded], epochs: Sequence[Epoch] = ()) -> Iterator[str]:
    """Positions without a gap but between epochs, and payloads that their digests were made of unless erased."""
    reached = after
    for event in events:
        yield from _missing("the log lacks", reached, event.position, epochs)
        reached = event.position
        if not event.erased and hashing.digest(event.payload) != event.digest:
            yield f"position {event.position}: the payload is not what its digest says"
    yield from _missing("the log lacks", reached, up_to + 1, epochs)


def _missing(what: str, reached: int, following: int, epochs: Sequence[Epoch]) -> Iterator[str]:
    """What lies between, unless the epoch of what follows begins there."""
    if any(epoch.kept_through <= reached and following == epoch.began_after + 1 for epoch in epochs):
        return
    if following - reached == 2:
        yield f"{what} {reached + 1}"
    elif following - reached > 2:
        yield f"{what} {reached + 1} to {following - 1}"


def stream_differences(row: StreamRow, events: Sequence[Recorded]) -> Iterator[str]:
    """Seqs without a gap, one kind and owner, and the stream's row at its last event."""
    expected = (row.before_seq or 0) + 1
    for event in events:
        if event.seq != expected:
            yield f"{row.stream}: position {event.position} has seq {event.seq} where {expected} follows"
        expected = event.seq + 1
    if row.seq is None:
        yield f"{row.stream}: has events and no row"
        return
    if row.seq != row.last_seq:
        yield f"{row.stream}: the row says seq {row.seq}, the last event has {row.last_seq}"
    strangers = [event for event in events if (event.kind, event.owner) != (row.kind, row.owner)]
    for event in strangers[:1]:
        yield f"{row.stream}: position {event.position} is of {event.kind} and {event.owner}"


def state_differences(row: StreamRow, told: StateTold) -> Iterator[str]:
    """The state inline in a stream is the fold of its events; one of another version is refolded by its next reader."""
    if row.state is None or row.state_version != told.decider.state_version:
        return
    if told.state_error:
        yield f"{row.stream}: its events cannot be folded: {told.state_error}"
    elif _decoded(row.state, told.decider.state) != told.state:
        yield f"{row.stream}: the state is not the fold of its events"
    elif row.wake_at != (due := told.decider.wake_at(told.state)):
        yield f"{row.stream}: is to be woken at {row.wake_at}, its state says {due}"


def _decoded(text: str, shape: type[Any]) -> Any:
    """None when the text is of another shape."""
    try:
        return canonical_json.decode_as(text, shape)
    except ValueError:
        return None


def document_differences(view: View[Any], row: DocumentRow, told: DocumentTold) -> Iterator[str]:
    """The document is the fold of its events, and its newest row of the journal says the same."""
    name = f"{view.name} {row.owner} {row.doc_key}"
    if told.document_error:
        yield f"{name}: {told.document_error}"
    elif told.row is None:
        if row.document is not None:
            yield f"{name}: is a document, and the log has none"
    elif row.document is None:
        yield f"{name}: is no document"
    else:
        if (row.doc_version, row.last_position) != (told.row.doc_version, told.row.last_position):
            yield (
                f"{name}: is version {row.doc_version} at position {row.last_position}"
                f" instead of {told.row.doc_version} at {told.row.last_position}"
            )
        if row.document != encode(told.row.document):
            yield f"{name}: is not the fold of its events"
        if view.feeds:
            yield from _journal_differences(view, name, row)


def reach_differences(view: View[Any], row: DocumentRow, last: Recorded) -> Iterator[str]:
    """What can be said of a document without its stream: it has come as far as an event that is projected."""
    if row.broken_from is None and (row.last_position or 0) < last.position:
        yield f"{view.name} {row.owner} {row.doc_key}: is at position {row.last_position} instead of {last.position}"


def _journal_differences(view: View[Any], name: str, row: DocumentRow) -> Iterator[str]:
    if row.watermark is None:
        yield f"{name}: has no row in the journal"
    elif row.told is not None and row.document is not None:
        told, document = _decoded(row.told, view.document), _decoded(row.document, view.document)
        if document is None or not says_the_same(told, document):
            yield f"{name}: its newest row of the journal, {row.watermark}, says something else"


def journal_differences(topic: str, journal: Journal) -> Iterator[str]:
    """Watermarks without a gap; each row of its event's owner and seq, with the hash of what it says."""
    for fault in journal.faults:
        yield from _missing(f"{topic} lacks watermark", fault.watermark, fault.next, journal.epochs)
        if not fault.is_new:
            continue
        if fault.event_owner != fault.owner:
            yield f"{topic} {fault.watermark}: is of {fault.owner}, its event of {fault.event_owner}"
        if fault.event_seq != fault.doc_version:
            yield f"{topic} {fault.watermark}: is version {fault.doc_version}, its event {fault.event_seq}"
        if fault.altered:
            yield f"{topic} {fault.watermark}: is not what its hash says"


class PartitionChain:
    """One partition's records, page by page: ascending, chained, each event of the log there as the log has it."""

    def __init__(self, partition: int, before: int) -> None:
        self._name = f"partition {partition}"
        self._last = before

    def differences(self, records: Iterable[Seen], events: Iterable[Recorded]) -> Iterator[str]:
        """`records` and `events` reach as far as the page; what is told about a record names its offset."""
        found: dict[int, Seen] = {}
        for seen in records:
            yield from self._take(seen, found)
        for event in events:
            yield from self._compare(event, found.pop(event.position, None))
        for position, seen in found.items():
            yield f"{self._name} offset {seen.offset}: position {position} does not belong here"

    def _take(self, seen: Seen, found: dict[int, Seen]) -> Iterator[str]:
        where = f"{self._name} offset {seen.offset}"
        if seen.place is None:
            yield f"{where}: is no record of the relay"
            return
        position, previous = seen.place.position, seen.place.previous
        if position <= self._last:
            yield f"{where}: position {position} comes after {self._last}"
            return
        if self._last != UNKNOWN and previous != self._last:
            yield f"{where}: position {position} says that it follows {previous} instead of {self._last}"
        self._last = position
        found[position] = seen

    def _compare(self, event: Recorded, seen: Seen | None) -> Iterator[str]:
        if seen is None:
            yield f"{self._name} lacks position {event.position}"
        elif seen.key != names.kafka_key(event.stream) or not _carries(seen, event):
            yield f"{self._name} offset {seen.offset}: is not the event at position {event.position}"


def _carries(seen: Seen, event: Recorded) -> bool:
    try:
        carried = seen.event()
    except Exception:  # noqa: BLE001 the border to bytes of unknown origin: named as a difference
        return False
    return carried == msgspec.structs.replace(event, headers=carried.headers)
