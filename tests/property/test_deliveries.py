"""I5 without a database: however deliveries arrive, what is taken of them folds to what the log folds to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readmodels.engine import Delivery, Hole, chained
from readmodels.engine.deliveries import in_order
from readmodels.engine.fold import Row, fold
from readmodels.engine.views import Key
from readmodels.workers import SUMMARIES, Summary
from schemas.workers import WorkerStopped
from tests.worker_events import STARTED, Log, heartbeat

HAPPENINGS = (STARTED, heartbeat(), heartbeat({"n": 1}), WorkerStopped("stop_requested"))
happened = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(HAPPENINGS)), min_size=1, max_size=25)
picks = st.lists(st.lists(st.integers(0, 24), max_size=8), max_size=12)


def written(happenings: list[Any]) -> Log:
    """One partition's log; positions of others lie between."""
    log = Log(first_position=3)
    for worker_id, event in happenings:
        log.append("other", event, kind="run")
        log.append(worker_id, event)
    log.events = [event for event in log.events if event.kind == "worker"]
    return log


class Taker:
    """The engine's way with a batch, in memory: the order, the hole, the fold, the checkpoint."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.rows: dict[Key, Row[Summary]] = {}
        self.checkpoint = 0
        self.taken: list[int] = []

    def take(self, batch: list[Delivery]) -> None:
        while isinstance(outcome := in_order(0, batch, self.checkpoint), Hole):
            assert (outcome.partition, outcome.after) == (0, self.checkpoint)
            missing = [event for event in self.log.events if self.checkpoint < event.position <= outcome.up_to]
            assert missing, "a hole has something in it"
            self._apply(chained(missing, self.checkpoint))
        self._apply(outcome)

    def _apply(self, deliveries: list[Delivery]) -> None:
        events = [delivery.event for delivery in deliveries]
        folded = fold(SUMMARIES, self.rows, (), events)
        self.rows |= {key: change.row for key, change in folded.changes.items()}
        self.taken += [event.position for event in events]
        self.checkpoint = events[-1].position if events else self.checkpoint


@pytest.mark.invariant("I5")
@given(happened, picks)
def test_each_event_up_to_the_checkpoint_is_taken_once_in_order(happenings: list[Any], wanted: list[list[int]]) -> None:
    log = written(happenings)
    sent, taker = chained(log.events, 0), Taker(log)
    for batch in wanted:
        taker.take([sent[pick % len(sent)] for pick in batch])
    done = [event for event in log.events if event.position <= taker.checkpoint]
    assert taker.taken == [event.position for event in done]
    assert taker.checkpoint == max([0, *(sent[pick % len(sent)].event.position for batch in wanted for pick in batch)])
    straight = fold(SUMMARIES, {}, (), done)
    assert taker.rows == {key: change.row for key, change in straight.changes.items()}


@given(happened, st.integers(0, 60), st.integers(0, 60))
def test_a_checkpoint_that_was_raised_in_a_quiet_stretch_hides_nothing(
    happenings: list[Any], checkpoint: int, raised: int
) -> None:
    """Raised to any position below the next event, the checkpoint still joins on to what comes."""
    log = written(happenings)
    later = [event for event in log.events if event.position > checkpoint]
    lifted = min([checkpoint + raised, *(event.position - 1 for event in later[:1])])
    deliveries = [one for one in chained(log.events, 0) if one.event.position > checkpoint]
    assert in_order(0, deliveries, max(checkpoint, lifted)) == deliveries
