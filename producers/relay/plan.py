"""Where a session starts: what each partition holds, weighed against what was written down about it."""

from collections.abc import Mapping
from typing import NamedTuple

from aiokafka import TopicPartition

from producers.eventlog.reader import Head
from producers.relay.errors import LogBehindPublication, LogRewritten, TopicIncomplete
from schemas.kafka_records import Origin, Place


class Contents(NamedTuple):
    """A partition's first and last record; `trimmed` when older ones were deleted by retention."""

    first: Place
    last: Place
    trimmed: bool
    origin: Origin
    """Of the last record."""


class Progress(NamedTuple):
    """Everything of the partition up to `position` was published; its last record then was `last_position`."""

    position: int
    last_position: int
    epoch: int


class Start(NamedTuple):
    """By partition: up to where it is complete, and the position of its last record (0: none)."""

    published: dict[TopicPartition, int]
    last: dict[TopicPartition, int]

    @property
    def after(self) -> int:
        """Events up to here are on Kafka, whatever their partition."""
        return min(self.published.values())


def plan(
    head: Head, contents: Mapping[TopicPartition, Contents | None], progress: Mapping[TopicPartition, Progress]
) -> Start:
    """Raises LogBehindPublication and TopicIncomplete."""
    for partition, held in contents.items():
        _check(head, partition, held, progress.get(partition))
    last = {partition: held.last.position if held else 0 for partition, held in contents.items()}
    return Start({partition: max(end, _claimed(progress.get(partition), end)) for partition, end in last.items()}, last)


def check_history(contents: Mapping[TopicPartition, Contents | None], origins: Mapping[int, Origin]) -> None:
    """Each partition ends with an event that the log has at that position; raises LogRewritten.

    `origins` are the log's, by position.
    """
    for partition, held in contents.items():
        if held and origins.get(held.last.position) != held.origin:
            raise LogRewritten(partition.topic, partition.partition, held.last.position)


def _claimed(progress: Progress | None, last: int) -> int:
    """What was written down counts only while the partition has what it had then."""
    return progress.position if progress and last >= progress.last_position else 0


def _check(head: Head, partition: TopicPartition, held: Contents | None, progress: Progress | None) -> None:
    name = f"partition {partition.partition} of {partition.topic}"
    if held:
        _check_not_ahead(head, name, (held.last.epoch, held.last.position))
        if held.first.previous and not held.trimmed:
            raise TopicIncomplete(partition.topic, partition.partition, held.first.previous)
    if progress:
        _check_not_ahead(head, f"what was written down about {name}", (progress.epoch, progress.position))


def _check_not_ahead(head: Head, where: str, published: tuple[int, int]) -> None:
    epoch, position = published
    if epoch > head.epoch or position > head.position:
        raise LogBehindPublication(
            f"the log ends at position {head.position} of epoch {head.epoch}, but {where} is at position {position} of "
            f"epoch {epoch}. Restore the newer log, or let `oa log recover` begin a new epoch above what was published"
        )
