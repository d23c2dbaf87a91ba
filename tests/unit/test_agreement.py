"""The verdict of the fault tests: silent when everything agrees, and never when one thing does not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace
from oa_client.sync import WORKER_EVENTS, WORKER_SUMMARIES, Update

from readmodels.journal import JournalRow
from schemas import kafka_records
from schemas.events import OpenEvent, Recorded
from tests.faults import agreement
from tests.faults.agreement import Document
from tests.faults.load import Acknowledged
from tests.relayed import Record
from tests.worker_events import Log, delivered, kafka_record

ADA, BOB = "user:1", "user:2"
STREAM = f"worker/{ADA}/w"
DOC_KEY = "runtime/codex_worker_summary:w"


def written() -> list[Recorded]:
    """Two owners' workers of the same name, by turns; each event has a number of its own."""
    log = Log()
    for number in range(1, 7):
        owner = (ADA, BOB)[number % 2]
        log.append("w", OpenEvent("worker.event", {"number": number}, version=0), owner=owner)
    return log.events


def records(events: list[Recorded]) -> dict[int, list[Record]]:
    contents: dict[int, list[Record]] = {partition: [] for partition in range(6)}
    for partition, deliveries in delivered(events).items():
        for offset, delivery in enumerate(deliveries):
            key, value, headers = kafka_record(delivery)
            place = kafka_records.place(headers)
            contents[partition].append(Record(place, key, value, tuple(headers), partition, offset))
    return contents


def row_of(event: Recorded) -> Update:
    payload = {
        "workerId": "w",
        "seq": event.seq,
        "eventType": event.type,
        "payload": event.payload,
        "occurredAt": "2026-02-20T12:00:00.000000Z",
    }
    return Update(WORKER_EVENTS, f"runtime/codex_worker_event:w:{event.seq}", event.seq, event.position, payload)


def summarised(event: Recorded) -> dict[str, Any]:
    return {"event_count": event.seq, "latest_seq": event.seq}


@dataclass
class Everything:
    """A log of two owners, and what everybody else has of it."""

    events: list[Recorded] = field(default_factory=written)

    def __post_init__(self) -> None:
        own = [event for event in self.events if event.owner == ADA]
        self.acknowledged = {STREAM: [Acknowledged(event.seq, event.payload["number"]) for event in own]}
        self.unanswered = {event.payload["number"] for event in self.events if event.owner == BOB}
        self.contents = records(self.events)
        self.journal = [
            JournalRow("topic", number, DOC_KEY, event.seq, summarised(event), b"", event.owner, event.position)
            for number, event in enumerate(self.events, 1)
        ]
        self.documents = [Document(event.owner, DOC_KEY, event.seq, summarised(event)) for event in self.events[-2:]]
        self.rows = {
            WORKER_EVENTS: [row_of(event) for event in own],
            WORKER_SUMMARIES: [
                Update("topic", row.doc_key, row.doc_version, row.watermark, row.payload)
                for row in self.journal
                if row.owner == ADA
            ],
        }

    def differences(self) -> Iterator[str]:
        yield from agreement.log_differences(self.events, self.acknowledged, self.unanswered)
        yield from agreement.partition_differences(self.events, self.contents)
        yield from agreement.socket_differences(self.events, self.journal, ADA, self.rows)
        yield from agreement.summary_differences(self.events, self.documents, self.journal)

    @property
    def busiest(self) -> list[Record]:
        return max(self.contents.values(), key=len)


def test_nothing_is_told_when_everything_agrees() -> None:
    assert list(Everything().differences()) == []


def test_a_repeated_record_counts_once() -> None:
    everything = Everything()
    everything.busiest.append(everything.busiest[0])
    assert list(everything.differences()) == []
    assert agreement.repeats(everything.contents) == 1


def acknowledge(everything: Everything, *promises: Acknowledged) -> None:
    everything.acknowledged[STREAM] = list(promises)


def lose_event(everything: Everything) -> None:
    del everything.events[2]


def repeat_number(everything: Everything) -> None:
    everything.events[4] = replace(everything.events[4], payload=everything.events[2].payload)


def swap_records(everything: Everything) -> None:
    busiest = everything.busiest
    busiest[0], busiest[1] = busiest[1], busiest[0]


def break_chain(everything: Everything) -> None:
    first, second = everything.busiest[:2]
    everything.busiest[1] = second._replace(place=second.place._replace(previous=first.place.previous))


def garble_record(everything: Everything) -> None:
    everything.busiest[0] = everything.busiest[0]._replace(value=everything.busiest[1].value)


def show_stranger(everything: Everything) -> None:
    stranger = next(event for event in everything.events if event.owner == BOB)
    everything.rows[WORKER_EVENTS].insert(0, row_of(stranger))


FAULTS: dict[str, Callable[[Everything], object]] = {
    "acknowledged events of": lambda every: acknowledge(every, Acknowledged(1, 4)),
    "acknowledged events of worker/user:1/w: 1": lambda every: acknowledge(every, Acknowledged(9, 2)),
    "order of the acknowledged events": lambda every: acknowledge(every, Acknowledged(2, 4), Acknowledged(1, 2)),
    "never sent": lambda every: every.unanswered.clear(),
    "not in the log": lambda every: every.acknowledged.update({"worker/user:1/lost": [Acknowledged(1, 99)]}),
    "positions: 5": lose_event,
    "seqs of": lose_event,
    "is in the log 2 times": repeat_number,
    "positions of partition": swap_records,
    "oa_prev of partition": break_chain,
    "events of partition": garble_record,
    "a row of user:2": show_stranger,
    "watermarks of the socket's events: 2": lambda every: every.rows[WORKER_EVENTS].pop(1),
    "watermarks of the socket's events: 4": lambda every: every.rows[WORKER_EVENTS].append(
        every.rows[WORKER_EVENTS][0]
    ),
    "the socket's summaries": lambda every: every.rows[WORKER_SUMMARIES].pop(0),
    "summary of": lambda every: every.documents[0].document.update(event_count=99),
    "last journal row of": lambda every: every.journal.pop(),
    "watermarks of the journal": lambda every: every.journal.pop(0),
}


@pytest.mark.parametrize("told", FAULTS)
def test_each_difference_is_told(told: str) -> None:
    everything = Everything()
    FAULTS[told](everything)
    assert any(told in difference for difference in everything.differences())
