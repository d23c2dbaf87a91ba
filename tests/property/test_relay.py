"""I4: whatever crashes, is deleted or trimmed, every partition gets the log's records once, ascending and chained."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from producers.eventlog.reader import Head
from producers.relay.chain import Chain
from producers.relay.plan import Contents, Progress, check_history, plan
from schemas import kafka_records
from schemas.events import Recorded
from schemas.history import Epoch, History
from schemas.kafka_records import Origin, Place, origin_of
from tests.worker_events import Log, heartbeat, partition_in

TOPIC = "oa.workers"
PARTITIONS = [TopicPartition(TOPIC, number) for number in range(3)]

sessions = st.lists(
    st.tuples(
        st.integers(0, 6),  # events committed before it
        st.tuples(*[st.floats(0, 1)] * 3),  # how much of what was sent each partition has taken when it ends
        st.booleans(),  # is progress written down
        st.sampled_from(["nothing", "nothing", "delete", "trim"]),  # what befalls the topic afterwards
    ),
    max_size=6,
)


@dataclass
class Kafka:
    """What the partitions hold, and what was ever deleted from their beginning by retention."""

    held: dict[TopicPartition, list[Place]] = field(default_factory=lambda: {part: [] for part in PARTITIONS})
    trimmed: dict[TopicPartition, int] = field(default_factory=lambda: dict.fromkeys(PARTITIONS, 0))

    def contents(self, origins: dict[int, Origin]) -> dict[TopicPartition, Contents | None]:
        return {
            part: Contents(places[0], places[-1], self.trimmed[part] > 0, origins[places[-1].position])
            if places
            else None
            for part, places in self.held.items()
        }

    def delete(self) -> None:
        self.held, self.trimmed = {part: [] for part in PARTITIONS}, dict.fromkeys(PARTITIONS, 0)

    def trim(self) -> None:
        """Retention takes the older half of each partition, never its last record."""
        for part, places in self.held.items():
            gone, kept = places[: len(places) // 2], places[len(places) // 2 :]
            self.trimmed[part] = gone[-1].position if gone else self.trimmed[part]
            self.held[part] = kept


class Story:
    def __init__(self) -> None:
        self.log = Log()
        self.kafka = Kafka()
        self.progress: dict[TopicPartition, Progress] = {}

    def commit(self, count: int) -> None:
        for _ in range(count):
            number = len(self.log.events)
            self.log.append(f"w{number % 5}", heartbeat(), kind="run" if number % 4 == 3 else "worker")

    def session(self, taken: tuple[float, ...], *, writes_down: bool) -> None:
        head = len(self.log.events)
        origins = {event.position: origin_of(event) for event in self.log.events}
        contents = self.kafka.contents(origins)
        start = plan(Head(1, head), contents, self.progress)
        check_history(contents, origins)
        chain = Chain(start, History([Epoch(1, 0, 0)]), {"worker": TOPIC}, {TOPIC: len(PARTITIONS)})
        sent: dict[TopicPartition, list[Place]] = {part: [] for part in PARTITIONS}
        for record in chain.records(event for event in self.log.events if event.position > start.after):
            sent[record.partition].append(kafka_records.place(record.headers))
        kept = {
            part: places[: round(share * len(places))]
            for share, (part, places) in zip(taken, sent.items(), strict=True)
        }
        lost = [places[len(kept[part])].position for part, places in sent.items() if len(kept[part]) < len(places)]
        for part, places in kept.items():
            self.kafka.held[part] += places
        if writes_down:
            self._write_down(min(lost, default=head + 1) - 1, start.published)

    def _write_down(self, acknowledged: int, published: dict[TopicPartition, int]) -> None:
        """As `Acknowledged.save`: what all partitions have, with each one's last record up to there."""
        for part, places in self.kafka.held.items():
            position = max(acknowledged, published[part])
            last = max((place.position for place in places if place.position <= position), default=0)
            self.progress[part] = Progress(position, last, 1)

    def check(self) -> None:
        for part, places in self.kafka.held.items():
            mine = [event.position for event in self.log.events if _is_in(event, part)]
            positions = [position for position in mine if position > self.kafka.trimmed[part]]
            assert [place.position for place in places] == positions
            before = [position for position in mine if position <= self.kafka.trimmed[part]][-1:] or [0]
            assert [place.previous for place in places] == [*before, *positions][: len(positions)]


def _is_in(event: Recorded, part: TopicPartition) -> bool:
    return event.kind == "worker" and partition_in(event, len(PARTITIONS)) == part.partition


@pytest.mark.invariant("I4")
@given(sessions, st.integers(0, 5))
def test_partitions_end_complete_ascending_and_chained(story_sessions: Any, more: int) -> None:
    story = Story()
    for count, taken, writes_down, befalls in story_sessions:
        story.commit(count)
        story.session(taken, writes_down=writes_down)
        {"delete": story.kafka.delete, "trim": story.kafka.trim}.get(befalls, lambda: None)()
    story.commit(more)
    story.session((1.0, 1.0, 1.0), writes_down=True)
    story.check()
    story.session((1.0, 1.0, 1.0), writes_down=True)
    story.check()
