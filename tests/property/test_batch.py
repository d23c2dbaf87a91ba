"""Whatever is submitted in whatever batches, the log's pure part keeps its promises (I3, I6, I10)."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.eventlog.batch import Batch
from producers.eventlog.commands import IdentityKey, Item, Remembered, StreamHead, Submission
from producers.workers import DECIDER
from schemas import hashing
from schemas.events import Recorded
from tests.submissions import NOON, append, create, stop, stream, submission

WORKERS = ("w:a", "w:b", "w:c")
items = st.one_of(
    st.just("create"),
    st.just("stop"),
    st.tuples(st.integers(0, 2), st.sampled_from([None, "k1", "k2", "k3"])),
)
submissions = st.tuples(st.sampled_from(WORKERS), st.lists(items, min_size=1, max_size=4))
batches = st.lists(st.lists(submissions, max_size=5), max_size=6)


def built(worker_id: str, wanted: Sequence[Any]) -> Submission:
    kinds = {"create": create(worker_id), "stop": stop()}
    made: list[Item[Any]] = [kinds[one] if isinstance(one, str) else append(*one) for one in wanted]
    return submission(*made, worker_id=worker_id)


class Story:
    """Batches decided one after the other on what the ones before left, as the log does when nothing fails."""

    def __init__(self) -> None:
        self.heads: dict[str, StreamHead] = {}
        self.known: dict[IdentityKey, Remembered] = {}
        self.events: list[Recorded] = []
        self.columns: list[Any] = []
        self.first_answers: dict[IdentityKey, int] = {}

    def play(self, wanted: Sequence[Sequence[tuple[str, Sequence[Any]]]]) -> None:
        for one in wanted:
            batch = Batch(self.heads, self.known, NOON)
            for worker_id, items_wanted in one:
                batch.decide(built(worker_id, items_wanted))
            self._check_reads(batch)
            self._check_identities(batch)
            batch.placed(len(self.events))
            self.columns.append(batch.columns())
            self.events += batch.events
            self.heads |= batch.heads
            self.known |= batch.commands

    def _check_reads(self, batch: Batch) -> None:
        """Every answer rests on a version that the batch checks or writes."""
        for one, _ in batch.answers:
            assert one.stream in batch.writes or batch.reads[one.stream] == self._loaded_seq(one.stream)

    def _loaded_seq(self, name: str) -> int:
        return self.heads[name].seq if name in self.heads else 0

    def _check_identities(self, batch: Batch) -> None:
        for one, answer in batch.answers:
            if isinstance(answer, Exception):
                continue
            for item, outcome in zip(one.items, answer, strict=True):
                if item.identity:
                    first = self.first_answers.setdefault(item.identity.key, outcome.seq)
                    assert outcome.seq == first
                    known = {**self.known, **batch.commands}[item.identity.key]
                    assert known == Remembered(hashing.digest(item.command.payload["n"]), {"seq": first})


@pytest.mark.invariant("I3", "I6")
@given(batches)
def test_seqs_are_gap_free_heads_are_folds_and_identities_answer_once(wanted: Any) -> None:
    story = Story()
    story.play(wanted)
    assert [event.position for event in story.events] == list(range(1, len(story.events) + 1))
    for worker_id in WORKERS:
        of_stream = [event for event in story.events if event.stream == stream(worker_id)]
        assert [event.seq for event in of_stream] == list(range(1, len(of_stream) + 1))
        state = None
        for event in of_stream:
            state = DECIDER.evolve(state, event)
        assert story.heads.get(stream(worker_id), (0, None))[:2] == (len(of_stream), state)


@pytest.mark.invariant("I10")
@given(batches)
def test_the_same_run_again_is_the_same_to_the_byte(wanted: Any) -> None:
    once, again = Story(), Story()
    once.play(wanted)
    again.play(wanted)
    assert once.columns == again.columns


@given(st.lists(submissions, max_size=8))
def test_how_submissions_are_cut_into_batches_makes_no_difference(wanted: Any) -> None:
    together, alone = Story(), Story()
    together.play([wanted])
    alone.play([[one] for one in wanted])
    assert (together.events, together.heads, together.known) == (alone.events, alone.heads, alone.known)
