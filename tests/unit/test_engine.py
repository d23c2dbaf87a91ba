"""The engine's pure parts: what of a batch is new, where it has holes, and what it makes of documents (DESIGN §7)."""

from dataclasses import replace

import msgspec
import pytest

from readmodels.engine import Delivery, Hole, chained
from readmodels.engine.deliveries import in_order
from readmodels.engine.fold import Failure, fold
from readmodels.workers import SUMMARIES, Summary, apply
from schemas.events import Recorded
from tests.worker_events import STARTED, Log, heartbeat

LOG = Log()
FIRST, SECOND, THIRD = (LOG.append("w", event) for event in (STARTED, heartbeat(), heartbeat()))
OTHER = LOG.append("other", STARTED)
FIRST_DELIVERY, SECOND_DELIVERY, THIRD_DELIVERY = chained([FIRST, SECOND, THIRD], 0)


@pytest.mark.invariant("I5")
def test_late_and_repeated_deliveries_are_dropped() -> None:
    arrived = [THIRD_DELIVERY, FIRST_DELIVERY, SECOND_DELIVERY, SECOND_DELIVERY]
    assert in_order(0, arrived, checkpoint=1) == [SECOND_DELIVERY, THIRD_DELIVERY]


@pytest.mark.invariant("I5")
def test_a_delivery_whose_predecessor_is_above_the_checkpoint_shows_a_hole() -> None:
    assert in_order(4, [THIRD_DELIVERY], checkpoint=1) == Hole(4, after=1, up_to=2)


@pytest.mark.invariant("I5")
def test_a_hole_within_the_batch_is_found_too() -> None:
    assert in_order(4, [FIRST_DELIVERY, THIRD_DELIVERY], checkpoint=0) == Hole(4, after=0, up_to=2)


def test_a_checkpoint_above_the_predecessor_is_no_hole() -> None:
    """A quiet partition's checkpoint is raised past positions of other partitions."""
    assert in_order(0, [Delivery(THIRD, prev=1)], checkpoint=2) == [Delivery(THIRD, prev=1)]


def test_several_events_of_a_document_fold_into_one_change() -> None:
    folded = fold(SUMMARIES, {}, set(), [FIRST, SECOND, THIRD])
    (change,) = folded.changes.values()
    assert (change.row.doc_version, change.row.last_position, change.row.document.event_count) == (3, 3, 3)


@pytest.mark.invariant("I5")
def test_events_a_row_has_already_are_not_folded_again() -> None:
    rows = {key: change.row for key, change in fold(SUMMARIES, {}, set(), [FIRST, SECOND]).changes.items()}
    for events in ([FIRST, SECOND, THIRD], [THIRD]):
        (change,) = fold(SUMMARIES, rows, set(), events).changes.values()
        assert change.row.document.event_count == 3
    assert fold(SUMMARIES, rows, set(), [FIRST, SECOND]).changes == {}


def _refuses_second(summary: Summary | None, event: Recorded) -> Summary:
    if event == SECOND:
        raise ValueError("cannot")
    return apply(summary, event)


def test_an_event_that_cannot_be_applied_stops_its_document_and_no_other() -> None:
    view = replace(SUMMARIES, apply=_refuses_second)
    folded = fold(view, {}, set(), LOG.events)
    assert {key[1][-5:]: change.row.last_position for key, change in folded.changes.items()} == {"ary:w": 1, "other": 4}
    (failure,) = folded.failures.values()
    assert failure == Failure(SUMMARIES.key(SECOND), 2, "ValueError('cannot')")


def test_a_broken_document_is_left_alone() -> None:
    assert fold(SUMMARIES, {}, {SUMMARIES.key(FIRST)}, [SECOND]).changes == {}


def test_a_change_carries_the_time_of_its_last_event() -> None:
    (change,) = fold(SUMMARIES, {}, set(), [FIRST, SECOND]).changes.values()
    assert change.projected_at == SECOND.recorded_at


def _knows_only_the_time(summary: Summary | None, event: Recorded) -> Summary:
    return apply(None, FIRST) if summary is None else msgspec.structs.replace(summary, projected_at=str(event.position))


def test_a_change_that_readers_cannot_see_says_no_more() -> None:
    view = replace(SUMMARIES, apply=_knows_only_the_time)
    (change,) = fold(view, {}, set(), [FIRST]).changes.values()
    assert change.says_more
    rows = {SUMMARIES.key(FIRST): change.row}
    (later,) = fold(view, rows, set(), [SECOND]).changes.values()
    assert (later.says_more, later.row.document.projected_at) == (False, "2")
    (seen,) = fold(SUMMARIES, rows, set(), [SECOND]).changes.values()
    assert seen.says_more


def test_events_of_the_log_are_chained_as_if_delivered() -> None:
    assert chained([SECOND, THIRD], 1) == [Delivery(SECOND, 1), Delivery(THIRD, 2)]
    assert chained([], 1) == []


def test_a_skipped_event_leaves_no_trace() -> None:
    (change,) = fold(SUMMARIES, {}, set(), [FIRST, SECOND, THIRD], {SECOND.position}).changes.values()
    assert (change.row.document.event_count, change.row.doc_version) == (2, 3)
    assert fold(SUMMARIES, {}, set(), [FIRST], {FIRST.position}).changes == {}
