"""Whether log, partitions, socket and summaries say the same: each function tells every difference it finds."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from oa_client.sync import Update

from readmodels.journal import JournalRow
from readmodels.workers import document_id
from schemas import kafka_records, names
from schemas.events import Payload, Recorded
from schemas.partitioning import partition_of
from tests.faults.load import Acknowledged
from tests.relayed import Record

Contents = Mapping[int, Sequence[Record]]
"""What a topic holds, by partition."""

_SHOWN = 3


class Document(NamedTuple):
    """A row of a view."""

    owner: str
    doc_key: str
    doc_version: int
    document: Payload


class Count(NamedTuple):
    """What a summary says about its worker's stream."""

    event_count: int
    latest_seq: int
    doc_version: int


def log_differences(
    events: Sequence[Recorded], acknowledged: Mapping[str, Sequence[Acknowledged]], unanswered: Collection[int]
) -> Iterator[str]:
    """Positions and seqs without a gap, every acknowledged event at its seq, no event twice, none that nobody sent."""
    yield from _difference("positions", [event.position for event in events], _counted(events))
    for stream, written in _by_stream(events).items():
        yield from _difference(f"seqs of {stream}", [event.seq for event in written], _counted(written))
        promised = acknowledged.get(stream, ())
        numbers = {event.seq: _number(event) for event in written}
        kept = [(seq, numbers.get(seq)) for seq, _ in promised]
        yield from _difference(f"acknowledged events of {stream}", kept, promised)
        seqs = [seq for seq, _ in promised]
        yield from _difference(f"order of the acknowledged events of {stream}", seqs, sorted(set(seqs)))
    for stream in acknowledged.keys() - _by_stream(events).keys():
        yield f"{stream}: not in the log"
    counted = Counter(number for event in events if (number := _number(event)) is not None)
    yield from (f"number {number} is in the log {times} times" for number, times in counted.items() if times > 1)
    sent = {number for promised in acknowledged.values() for _, number in promised} | set(unanswered)
    yield from (f"number {number} is in the log and was never sent" for number in counted.keys() - sent)


def partition_differences(events: Sequence[Recorded], contents: Contents) -> Iterator[str]:
    """Each partition has exactly its events, ascending and chained; repeats of a record count once."""
    expected: dict[int, list[Recorded]] = {partition: [] for partition in contents}
    for event in events:
        expected[partition_of(names.kafka_key(event.stream), len(contents))].append(event)
    for partition, records in contents.items():
        once = _once(records)
        positions = [event.position for event in expected[partition]]
        found = [record.place.position for record in once]
        yield from _difference(f"positions of partition {partition}", found, positions)
        chain = [record.place.previous for record in once]
        yield from _difference(f"oa_prev of partition {partition}", chain, [0, *positions][: len(positions)])
        carried = [kafka_records.event(record.value, record.headers) for record in once]
        yield from _difference(f"events of partition {partition}", carried, expected[partition])


def _once(records: Iterable[Record]) -> list[Record]:
    first: dict[int, Record] = {}
    for record in records:
        first.setdefault(record.place.position, record)
    return list(first.values())


def repeats(contents: Contents) -> int:
    """How many records are there again."""
    return sum(len(records) - len(_once(records)) for records in contents.values())


def socket_differences(
    events: Sequence[Recorded], journal: Iterable[JournalRow], owner: str, rows: Mapping[str, Sequence[Update]]
) -> Iterator[str]:
    """A socket of `owner` got its events and its summaries: all of them, once, in order, and nobody else's."""
    own_events = [event for event in events if event.owner == owner]
    strangers = {event.position: event.owner for event in events if event.owner != owner}
    got = rows[names.WORKER_EVENTS]
    yield from (f"a row of {strangers[row.watermark]}: {row}" for row in got if row.watermark in strangers)
    yield from _difference(
        "watermarks of the socket's events", [row.watermark for row in got], [event.position for event in own_events]
    )
    content = [(row.watermark, row.doc_version, row.worker_event().payload) for row in got]
    sent = [(event.position, event.seq, event.payload) for event in own_events]
    yield from _difference("the socket's events", content, sent)
    summaries = [(row.watermark, row.doc_key, row.doc_version, row.payload) for row in rows[names.WORKER_SUMMARIES]]
    journalled = [(row.watermark, row.doc_key, row.doc_version, row.payload) for row in journal if row.owner == owner]
    yield from _difference("the socket's summaries", summaries, journalled)


def summary_differences(
    events: Sequence[Recorded], documents: Iterable[Document], journal: Sequence[JournalRow]
) -> Iterator[str]:
    """Each worker's document and its last journal row count the events of its stream."""
    counted = {
        (written[-1].owner, document_id(names.worker_id_of(stream))): Count(
            len(written), written[-1].seq, written[-1].seq
        )
        for stream, written in _by_stream(events).items()
    }
    found = {(row.owner, row.doc_key): _count(row.document, row.doc_version) for row in documents}
    last = {(row.owner, row.doc_key): _count(row.payload or {}, row.doc_version) for row in journal}
    for what, said in (("summary", found), ("last journal row", last)):
        for key in sorted(counted.keys() | said.keys()):
            if said.get(key) != counted.get(key):
                yield f"{what} of {key}: {said.get(key)} instead of {counted.get(key)}"
    yield from _difference("watermarks of the journal", [row.watermark for row in journal], _counted(journal))


def _count(document: Payload, doc_version: int) -> Count:
    return Count(document.get("event_count", -1), document.get("latest_seq", -1), doc_version)


def _by_stream(events: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    streams: dict[str, list[Recorded]] = {}
    for event in events:
        streams.setdefault(event.stream, []).append(event)
    return streams


def _number(event: Recorded) -> int | None:
    return event.payload.get("number")


def _counted(rows: Sequence[Any]) -> list[int]:
    return list(range(1, len(rows) + 1))


def _difference(what: str, found: Sequence[Any], expected: Sequence[Any]) -> Iterator[str]:
    """Where two sequences part, if they do."""
    missing = object()
    for at, (one, other) in enumerate(zip_longest(found, expected, fillvalue=missing)):
        if one != other:
            there, wanted = found[at : at + _SHOWN], expected[at : at + _SHOWN]
            yield f"{what}: {len(found)} instead of {len(expected)}; from {at} on {there} instead of {wanted}"
            return
