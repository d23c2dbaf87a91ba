"""What is told of a run after each of its events (runtime §10.1, sync §14.3), also of erased ones and clients' own."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import runs
from readmodels.engine.fold import fold
from readmodels.engine.views import encode
from readmodels.runs import SUMMARIES, Summary, apply
from schemas import canonical_json
from schemas.events import NewEvent, OpenEvent, Payload, Recorded
from schemas.executions import RunErased
from schemas.names import OWNERSHIP, RUN
from schemas.runs import RunPruned
from schemas.runs_generated import RunCreated, RunDelta, RunFinished
from tests.run_events import CREATED, ENDED, LIFE, RUN_ID, RunLog

NOW = "2026-02-20T12:00:0{}.103104Z"


def after(*events: NewEvent) -> Summary:
    log, summary = RunLog(), None
    for event in events:
        summary = apply(summary, log.append(event))
    assert summary is not None
    return summary


def document(summary: Summary) -> Payload:
    decoded: Payload = canonical_json.decode(encode(summary))
    return decoded


def test_a_run_that_was_only_created_has_every_key_and_no_event_yet() -> None:
    """runtime §10.1, sync §14.3."""
    assert document(after(CREATED)) == {
        "document_id": "runtime/run_summary:run_demo",
        "kind": "run_summary",
        "run_id": "run_demo",
        "thread_id": "thr_demo",
        "status": "created",
        "owner_user_id": 41,
        "owner_guest_scope": None,
        "latest_seq": 0,
        "event_count": 0,
        "latest_event_type": None,
        "latest_event_at": None,
        "terminal_reason_class": None,
        "terminal_reason": None,
        "terminal_at": None,
        "updated_at": NOW.format(1),
        "runtime_source": {"entity": "run", "run_id": "run_demo", "seq": 0},
        "projection_version": "khala_summary_v1",
        "projected_at": NOW.format(1),
    }


def test_an_ended_run_says_how_and_when_in_the_summary_of_that_very_event() -> None:
    """runtime §10.1."""
    told = document(after(CREATED, *LIFE))
    assert {key: told[key] for key in ("status", "latest_seq", "event_count", "latest_event_type")} == {
        "status": "succeeded",
        "latest_seq": len(LIFE),
        "event_count": len(LIFE),
        "latest_event_type": "run.finished",
    }
    assert (told["terminal_reason_class"], told["terminal_reason"]) == ("completed", "done")
    assert told["terminal_at"] == told["updated_at"] == told["latest_event_at"] == told["projected_at"]
    assert told["runtime_source"] == {"entity": "run", "run_id": "run_demo", "seq": len(LIFE)}


def test_an_end_is_an_end() -> None:
    """runtime §1.2: late events are counted, terminal states never change."""
    late: list[NewEvent] = [OpenEvent("run.cancel_requested", {}, 0), ENDED, OpenEvent("run.started", {}, 0)]
    before, summary = after(CREATED, *LIFE), after(CREATED, *LIFE, *late)
    assert (summary.status, summary.terminal_at) == (before.status, before.terminal_at)
    assert summary.latest_seq == before.latest_seq + 3


def test_what_happens_to_the_ownership_is_no_event_of_the_run() -> None:
    before, summary = after(CREATED, *LIFE), after(CREATED, *LIFE, RunPruned(2, "ab"))
    assert summary == msgspec.structs.replace(before, projected_at=summary.projected_at)


def test_a_run_whose_ownership_was_lost_is_told_all_the_same() -> None:
    """ADR 11."""
    summary = after(LIFE[0], RunCreated("", "lost"))
    assert (summary.thread_id, summary.latest_seq, summary.run_id) == ("lost", 1, RUN_ID)


words: st.SearchStrategy[Any] = st.sampled_from(["succeeded", "failed", "canceled", "odd", 7, None])
told_by_clients = st.builds(
    lambda kind, status: OpenEvent(f"run.{kind}", {"status": status, "reason": status, "reason_class": 7}, version=0),
    st.sampled_from(["started", "finished", "cancel_requested", "erased", "delta", "something.new"]),
    words,
)
lives = st.lists(st.one_of(st.sampled_from([*LIFE, ENDED]), told_by_clients), max_size=12)


@given(lives, st.lists(st.booleans(), min_size=12, max_size=12))
def test_status_and_end_are_what_the_runs_own_fold_says(events: list[NewEvent], erased: list[bool]) -> None:
    """runtime §1.2, whatever clients told and whatever was erased."""
    log, summary, run = RunLog(), apply(None, RunLog().append(CREATED)), None
    for event, is_erased in zip(events, erased, strict=False):
        written = log.append(event)
        left = msgspec.structs.replace(written, payload={}) if is_erased else written
        summary, run = apply(summary, left), runs.evolve(run, left)
        assert (summary.status, summary.latest_seq) == (run.status, run.latest_seq)
        assert (summary.terminal_reason_class, summary.terminal_reason) == (
            run.terminal_reason_class,
            run.terminal_reason,
        )
        assert (summary.terminal_at is None) == (run.terminal_at is None)


@given(lives)
def test_an_erased_summary_is_the_same_from_what_was_written_and_from_what_is_left(events: list[NewEvent]) -> None:
    """ADR 12."""
    log = RunLog()
    written = [log.append(event) for event in (CREATED, *events)]
    run = None
    for event in written[1:]:
        run = runs.evolve(run, event)
    last = log.append(RunErased(run.status if run else "created"))
    left = [written[0], *(msgspec.structs.replace(event, payload={}) for event in written[1:])]
    assert told([*written, last]) == told([*left, last])


def test_a_summary_that_is_erased_twice_is_the_same_from_what_is_left() -> None:
    """ADR 12: the first `run.erased` has lost its own words by then."""
    log = RunLog()
    written = [log.append(event) for event in (CREATED, LIFE[0], RunErased("running"), ENDED, RunErased("succeeded"))]
    left = [written[0], *(msgspec.structs.replace(event, payload={}) for event in written[1:-1]), written[-1]]
    assert told(left) == told(written)


def told(events: Sequence[Recorded]) -> str:
    [change] = fold(SUMMARIES, {}, (), events).changes.values()
    return encode(change.row.document)


def test_the_documents_version_is_the_runs_seq_alone() -> None:
    log = RunLog()
    events = [log.append(CREATED), *map(log.append, LIFE), log.append(RunPruned(1, "ab"))]
    versions = [
        change.row.doc_version
        for number in range(1, len(events) + 1)
        for change in fold(SUMMARIES, {}, (), events[:number]).changes.values()
    ]
    assert versions == [0, *range(1, len(LIFE) + 1), len(LIFE)]


def test_a_lease_is_no_news() -> None:
    log = RunLog()
    assert fold(SUMMARIES, {}, (), [log.append(OpenEvent("lease.acquired", {}), kind="lease")]).changes == {}


def test_a_document_is_read_back_as_it_was_written() -> None:
    summary = after(CREATED, *LIFE)
    assert SUMMARIES.decode(encode(summary)) == summary


@pytest.mark.parametrize("kind", [RUN, OWNERSHIP])
def test_both_streams_of_a_run_have_one_document(kind: str) -> None:
    assert SUMMARIES.key(RunLog().append(RunDelta("a", "f"), kind=kind)) == ("user:41", "runtime/run_summary:run_demo")


def test_a_failed_run_keeps_its_reason() -> None:
    summary = after(CREATED, RunFinished("failed", "execution_failed", "boom", frame_id="f"))
    assert (summary.status, summary.terminal_reason_class, summary.terminal_reason) == (
        "failed",
        "execution_failed",
        "boom",
    )
