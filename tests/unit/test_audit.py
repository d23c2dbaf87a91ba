"""What the audit's comparisons name, one difference each; the rest is in the integration lane."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from processors.audit import differences
from processors.audit.audit import SHOWN, Part, Tally
from processors.audit.differences import PartitionChain
from processors.audit.evidence import DocumentRow, Journal, JournalFault, StreamRow
from processors.audit.histories import DocumentTold
from processors.audit.records import UNKNOWN, Seen
from readmodels.engine.views import encode
from readmodels.workers import SUMMARIES
from schemas import kafka_records
from schemas.events import Recorded
from schemas.history import Epoch
from tests.quarantined import FAULTY, POISON
from tests.worker_events import STARTED, Log, delivered, heartbeat, kafka_record


def written() -> list[Recorded]:
    log = Log()
    for event in (STARTED, heartbeat(), heartbeat({"n": 1}), heartbeat({"n": 2})):
        log.append("w", event)
    return log.events


EVENTS = written()
STREAM = EVENTS[0].stream


def records(events: list[Recorded]) -> list[Seen]:
    ((_, deliveries),) = delivered(events).items()
    made = [kafka_record(delivery) for delivery in deliveries]
    return [
        Seen(offset, kafka_records.place(headers), key, value, tuple(headers))
        for offset, (key, value, headers) in enumerate(made)
    ]


def test_a_log_without_a_gap_is_fine_and_each_gap_is_named() -> None:
    assert list(differences.log_differences(0, 4, EVENTS)) == []
    assert list(differences.log_differences(0, 9, EVENTS[1:2])) == ["the log lacks 1", "the log lacks 3 to 9"]


def test_between_two_epochs_there_is_nothing() -> None:
    epochs = [Epoch(1, 0, 0), Epoch(2, 2, 100)]
    later = [replace(event, position=event.position + 98) for event in EVENTS[2:]]
    assert list(differences.log_differences(0, 102, [*EVENTS[:2], *later], epochs)) == []
    assert list(differences.log_differences(50, 102, later, epochs)) == []
    assert list(differences.log_differences(0, 100, EVENTS[:2], epochs)) == []
    assert list(differences.log_differences(0, 102, [EVENTS[0], *later], epochs)) == ["the log lacks 2 to 100"]
    assert list(differences.log_differences(0, 102, [*EVENTS[:2], later[1]], epochs)) == ["the log lacks 3 to 101"]


def test_an_erased_payload_is_no_difference() -> None:
    assert list(differences.log_differences(2, 3, [replace(EVENTS[2], payload={})])) == []


def test_a_payload_that_was_changed_is_named() -> None:
    changed = replace(EVENTS[2], payload={"n": 9})
    assert list(differences.log_differences(2, 3, [changed])) == ["position 3: the payload is not what its digest says"]


def stream_row(**changes: object) -> StreamRow:
    return StreamRow(STREAM, "worker", "user:41", 4, None, 1, None, None, 4, None)._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (stream_row(), []),
        (stream_row(seq=None), [f"{STREAM}: has events and no row"]),
        (stream_row(seq=3), [f"{STREAM}: the row says seq 3, the last event has 4"]),
        (stream_row(owner="user:1"), [f"{STREAM}: position 1 is of worker and user:41"]),
        (stream_row(before_seq=1), [f"{STREAM}: position 1 has seq 1 where 2 follows"]),
    ],
)
def test_a_streams_row_is_at_its_last_event(row: StreamRow, told: list[str]) -> None:
    assert list(differences.stream_differences(row, EVENTS)) == told


def test_a_seq_that_is_left_out_is_named() -> None:
    events = [EVENTS[0], *EVENTS[2:]]
    assert list(differences.stream_differences(stream_row(), events)) == [
        f"{STREAM}: position 3 has seq 3 where 2 follows"
    ]


def lose(seen: list[Seen]) -> None:
    del seen[1]


def repeat(seen: list[Seen]) -> None:
    seen.append(seen[1])


def swap(seen: list[Seen]) -> None:
    seen[1], seen[2] = seen[2], seen[1]


def rename(seen: list[Seen]) -> None:
    seen[1] = seen[1]._replace(key=b"user:1/w")


def garble(seen: list[Seen]) -> None:
    seen[1] = seen[1]._replace(value=b"?")


def confuse(seen: list[Seen]) -> None:
    seen[1] = seen[1]._replace(value=seen[2].value)


def strip(seen: list[Seen]) -> None:
    seen[1] = seen[1]._replace(place=None)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (lose, ["offset 2: position 3 says that it follows 2 instead of 1", "lacks position 2"]),
        (repeat, ["offset 1: position 2 comes after 4"]),
        (
            swap,
            [
                "offset 2: position 3 says that it follows 2 instead of 1",
                "offset 1: position 2 comes after 3",
                "lacks position 2",
            ],
        ),
        (rename, ["offset 1: is not the event at position 2"]),
        (garble, ["offset 1: is not the event at position 2"]),
        (confuse, ["offset 1: is not the event at position 2"]),
        (
            strip,
            [
                "offset 1: is no record of the relay",
                "offset 2: position 3 says that it follows 2 instead of 1",
                "lacks position 2",
            ],
        ),
    ],
)
def test_each_fault_of_a_partition_is_named(fault: Callable[[list[Seen]], None], told: list[str]) -> None:
    seen = records(EVENTS)
    assert list(PartitionChain(5, 0).differences(seen, EVENTS)) == []
    fault(seen)
    named = [one.removeprefix("partition 5 ") for one in PartitionChain(5, 0).differences(seen, EVENTS)]
    assert named == told


def test_an_event_that_belongs_elsewhere_is_named() -> None:
    told = list(PartitionChain(5, 0).differences(records(EVENTS), EVENTS[:-1]))
    assert told == ["partition 5 offset 3: position 4 does not belong here"]


def test_a_chain_goes_on_from_page_to_page_and_begins_anywhere_after_a_trimmed_topic() -> None:
    seen = records(EVENTS)
    chain = PartitionChain(5, UNKNOWN)
    assert list(chain.differences(seen[1:3], EVENTS[1:3])) == []
    assert list(chain.differences(seen[3:], EVENTS[3:])) == []
    assert list(PartitionChain(5, 0).differences(seen[1:], EVENTS[1:])) == [
        "partition 5 offset 1: position 2 says that it follows 1 instead of 0"
    ]


def folded(up_to: int = 4, skipped: frozenset[int] = frozenset()) -> DocumentTold:
    told = DocumentTold(SUMMARIES, SUMMARIES.key(EVENTS[0]), up_to, skipped)
    for event in EVENTS:
        told.take(event)
    return told


def document_row(told: DocumentTold, /, **changes: object) -> DocumentRow:
    assert told.row is not None
    text = encode(told.row.document)
    row = DocumentRow("user:41", "d", text, told.row.doc_version, told.row.last_position, None, 7, text, 4)
    return row._replace(**changes)  # type: ignore[arg-type]


NAME = "worker_summaries user:41 d: "


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"document": None}, ["is no document"]),
        ({"doc_version": 3}, ["is version 3 at position 4 instead of 4 at 4"]),
        ({"last_position": 3}, ["is version 4 at position 3 instead of 4 at 4"]),
        ({"watermark": None, "told": None}, ["has no row in the journal"]),
        ({"told": "{}"}, ["its newest row of the journal, 7, says something else"]),
    ],
)
def test_a_document_is_the_fold_and_the_journal_says_so(changes: dict[str, object], told: list[str]) -> None:
    row = document_row(folded(), **changes)
    named = differences.document_differences(SUMMARIES, row, folded())
    assert [one.removeprefix(NAME) for one in named] == told


def test_a_document_that_says_something_else_is_named() -> None:
    other = document_row(folded(up_to=2))
    row = document_row(folded(), document=other.document, told=other.told)
    assert list(differences.document_differences(SUMMARIES, row, folded())) == [f"{NAME}is not the fold of its events"]


def test_what_is_skipped_parked_or_not_projected_yet_is_not_in_the_document() -> None:
    assert [folded(up_to=up_to).row.doc_version for up_to in (1, 3)] == [1, 3]  # type: ignore[union-attr]
    without = folded(skipped=frozenset({4})).row
    assert without is not None
    assert without.last_position == 3


def test_an_event_that_cannot_be_applied_and_is_not_parked_is_named() -> None:
    log = Log()
    told = DocumentTold(FAULTY, SUMMARIES.key(EVENTS[0]), 10, ())
    for event in (STARTED, POISON, heartbeat()):
        told.take(log.append("w", event))
    row = document_row(folded())
    assert list(differences.document_differences(FAULTY, row, told)) == [
        f"{NAME}position 2 cannot be applied and is not parked: ValueError('poison')"
    ]


def test_a_document_without_events_is_named() -> None:
    row = document_row(folded())
    nothing = DocumentTold(SUMMARIES, SUMMARIES.key(EVENTS[0]), 0, ())
    assert list(differences.document_differences(SUMMARIES, row, nothing)) == [
        f"{NAME}is a document, and the log has none"
    ]


def test_of_a_stream_that_is_too_long_only_the_reach_is_judged() -> None:
    row = document_row(folded())
    assert list(differences.reach_differences(SUMMARIES, row, EVENTS[-1])) == []
    behind = row._replace(last_position=3)
    assert list(differences.reach_differences(SUMMARIES, behind, EVENTS[-1])) == [
        f"{NAME}is at position 3 instead of 4"
    ]
    assert list(differences.reach_differences(SUMMARIES, behind._replace(broken_from=4), EVENTS[-1])) == []


FAULT = JournalFault(7, 8, "user:1", 3, "user:1", 3, is_new=True, altered=False)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (FAULT, []),
        (FAULT._replace(next=9), ["t lacks watermark 8"]),
        (FAULT._replace(next=12), ["t lacks watermark 8 to 11"]),
        (
            FAULT._replace(event_owner=None, event_seq=None),
            ["t 7: is of user:1, its event of None", "t 7: is version 3, its event None"],
        ),
        (FAULT._replace(watermark=20, next=51), []),
        (FAULT._replace(watermark=19, next=51), ["t lacks watermark 20 to 50"]),
        (FAULT._replace(altered=True), ["t 7: is not what its hash says"]),
        (FAULT._replace(altered=True, next=9, is_new=False), ["t lacks watermark 8"]),
    ],
)
def test_each_fault_of_the_journal_is_named(fault: JournalFault, told: list[str]) -> None:
    assert list(differences.journal_differences("t", Journal([fault], [Epoch(2, 20, 50)]))) == told


def test_all_differences_are_counted_and_the_first_are_kept() -> None:
    tally = Tally(0, 0, 10, None)
    tally.add("log", "", (str(number) for number in range(3 * SHOWN)))
    assert (tally.report().differences, tally.report().first) == (3 * SHOWN, [str(number) for number in range(SHOWN)])


def test_differences_are_told_by_what_they_were_found_in() -> None:
    tally = Tally(0, 0, 10, None)
    for component, name, found in [("journal", "t", ["a"]), ("log", "", []), ("journal", "t", ["b"])]:
        tally.add(component, name, found)
    assert tally.report().parts == [Part("journal", "t", 2)]


def test_streams_are_folded_while_the_audit_can_afford_it() -> None:
    tally = Tally(0, 0, 10, 100)
    assert [tally.affords(events) for events in (60, 50, 40, 1)] == [True, False, True, False]
    assert tally.report().unfolded == 2
