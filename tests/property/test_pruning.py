"""Whatever has happened in a run: pruned, it has the same state, chain and summary, and is published (DEC-38)."""

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from producers import chain, runs
from producers.chain import Link
from producers.pruning import goes
from readmodels import runs as summaries
from readmodels.runs import Summary
from schemas import avro
from schemas.events import NewEvent, OpenEvent, Recorded
from schemas.executions import RunErased, RunLost
from schemas.names import run_stream
from schemas.runs_generated import (
    PolicyDecision,
    RunCancelRequested,
    RunDelta,
    RunExecutorLost,
    RunFinished,
    RunFrameConsumed,
    RunLoopDetected,
    RunStarted,
)
from tests.run_histories import RUN_ID, folded, history

MOMENT = "2026-01-01T00:00:00Z"
IDS = st.sampled_from(["f-1", "f-2", "f-3"])
STATUSES = st.sampled_from(["succeeded", "failed", "canceled"])
WRITTEN: st.SearchStrategy[NewEvent] = st.one_of(
    st.builds(RunStarted, st.sampled_from([msgspec.UNSET, "somebody"])),
    st.builds(RunDelta, st.text(max_size=3), IDS),
    st.builds(RunFrameConsumed, IDS, st.just("note"), st.just({"k": 1})),
    st.builds(RunCancelRequested, st.text(max_size=3)),
    st.builds(RunLoopDetected, IDS, *(st.just(word) for word in "tdl"), st.just(3), *(st.just(word) for word in "rrm")),
    st.builds(RunExecutorLost, st.just("x"), st.just(MOMENT), st.just(MOMENT), st.just(1)),
    st.builds(RunFinished, STATUSES, st.just("completed"), st.text(max_size=3)),
    st.builds(PolicyDecision, *(st.just(word) for word in ("denied", "r", "tc")), st.just({}), IDS),
    st.builds(RunErased, STATUSES),
    st.builds(RunLost),
)
TOLD = st.builds(
    lambda kind, payload: OpenEvent(kind, payload, version=0),
    st.sampled_from(["run.started", "run.finished", "run.cancel_requested", "run.delta", "policy.decision", "note"]),
    st.dictionaries(st.sampled_from(["frame_id", "status", "reason", "n"]), IDS | STATUSES, max_size=3),
)


@given(st.lists(WRITTEN | TOLD, max_size=12), st.data())
def test_nothing_but_words_is_gone(events: Sequence[NewEvent], data: st.DataObject) -> None:
    whole = history(run_stream(RUN_ID), events)
    before = data.draw(st.integers(0, len(whole)))
    pruned = [pruned_of(event) for event in whole[:before]] + whole[before:]
    assert folded(runs.DECIDER, pruned) == folded(runs.DECIDER, whole)
    assert chain.walk(RUN_ID, Link(), pruned) == chain.walk(RUN_ID, Link(), whole)
    assert summary_of(pruned) == summary_of(whole)
    assert [avro.decode(avro.encode(event), event.headers) for event in pruned] == pruned


def summary_of(events: Sequence[Recorded]) -> Summary | None:
    summary = None
    for event in events:
        summary = summaries.apply(summary, event)
    return summary


def pruned_of(event: Recorded) -> Recorded:
    return msgspec.structs.replace(event, payload={}, headers={}) if goes(event) else event


def test_words_and_frames_go() -> None:
    [delta, consumed] = history(run_stream(RUN_ID), [RunDelta("a", "f-1"), RunFrameConsumed("f-2", "note", {})])
    assert goes(delta)
    assert goes(consumed)


def test_what_clients_wrote_about_frames_stays() -> None:
    """Runtime §1.3: the frames it names count as consumed."""
    told = [
        OpenEvent("note", payload, version=version) for payload in ({"frame_id": "f"}, {"n": 1}) for version in (0, 1)
    ]
    assert [goes(event) for event in history(run_stream(RUN_ID), told)] == [False, True, True, True]
