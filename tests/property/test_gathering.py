"""Whatever is put, taken and released in whatever order: one batch a stream, and each stream in order (DESIGN §4)."""

import asyncio
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from producers.eventlog.commands import Part, Submission
from producers.eventlog.gathering import Gathering, Waiting
from producers.workers import DECIDER
from tests.submissions import OWNER

STREAMS = "abcd"
puts = st.tuples(st.just("put"), st.sets(st.sampled_from(STREAMS), min_size=1, max_size=3).map(sorted))
steps = st.lists(st.one_of(puts, st.tuples(st.sampled_from(["take", "release"]), st.integers(0, 3))), max_size=40)


class Story:
    """What was put and is not taken yet, by stream, and the batches in flight."""

    def __init__(self) -> None:
        self.gathering = Gathering(2)
        self.waiting: dict[str, list[Submission]] = {stream: [] for stream in STREAMS}
        self.batches: list[list[Waiting]] = []

    def put(self, streams: list[str]) -> None:
        submission = Submission(tuple(Part(stream, OWNER, DECIDER) for stream in streams), lambda *_: [], [])
        self.gathering.put(submission)
        for stream in streams:
            self.waiting[stream].append(submission)

    def take(self, _: int = 0) -> int:
        batch = self.gathering.take()
        held = {part.stream for other in self.batches for submission, _ in other for part in submission.parts}
        for submission, _future in batch:
            for part in submission.parts:
                assert part.stream not in held, "a stream is in two batches"
                assert self.waiting[part.stream].pop(0) is submission, "a stream is out of order"
        if batch:
            self.batches.append(batch)
        return len(batch)

    def release(self, which: int = 0) -> None:
        if self.batches:
            self.gathering.release(self.batches.pop(which % len(self.batches)))

    def finish(self) -> None:
        """Everything that was put is taken in the end."""
        while self.batches or any(self.waiting.values()):
            if not self.take():
                assert self.batches, "something waits and nothing is in flight"
                self.release()
        assert self.gathering.unsettled == 0


JOINED = [("put", ["a"]), ("take", 0), ("put", ["b"]), ("take", 0), ("put", ["a", "b"]), ("release", 0), ("take", 0)]


@pytest.mark.invariant("I3")
@example(JOINED)
@given(steps)
def test_no_stream_is_in_two_batches_or_out_of_order_and_nothing_is_left(wanted: list[Any]) -> None:
    async def play() -> None:
        story = Story()
        for step, argument in wanted:
            getattr(story, step)(argument)
        story.finish()

    asyncio.run(play())
