"""What a run is and what may be told to it, as pure functions (runtime §1.2, §1.4, §1.5; DEC-8, 10, 14)."""

from datetime import timedelta

import pytest

from producers.chain import event_hash
from producers.errors import Conflict, InvalidRequest
from producers.runs import DECIDER, MAX_NAMED, AppendRunEvent, EraseRun, RequestCancel, Run, decide, evolve
from schemas import hashing
from schemas.events import NewEvent, OpenEvent
from schemas.executions import RunErased, RunLost
from schemas.names import run_stream
from schemas.runs_generated import (
    PolicyDecision,
    RunCancelRequested,
    RunDelta,
    RunExecutorLost,
    RunFinished,
    RunFrameConsumed,
    RunStarted,
)
from tests.run_histories import NOON, RUN_ID, bodies, folded, given_run, history, recorded

CANCEL = RunCancelRequested("enough", requested_by="phone", requested_at="2026-02-20T12:00:00Z")
SUCCEEDED = RunFinished("succeeded", "completed", "completed", frame_id="f-9")
LOST = RunExecutorLost("a", "2026-02-20T12:00:00Z", "2026-02-20T12:00:01Z", 3)
DENIED = PolicyDecision("denied", "policy_denied.explicit_deny", "tc-1", {}, "d-1")


def run(*events: NewEvent) -> Run:
    state = given_run(*events)
    assert state is not None
    return state


def written(event_type: str, **payload: object) -> OpenEvent:
    """By a client, without the server's word for it."""
    return OpenEvent(event_type, payload, version=0)


def test_a_started_run_is_running() -> None:
    """runtime §1.2"""
    assert run(RunStarted()).status == "running"


def test_the_first_cancel_is_told_with_who_wants_it_when_and_why() -> None:
    """runtime §1.2, §1.5, §2.8"""
    [told] = bodies(decide(run(RunStarted()), RequestCancel("enough"), NOON + timedelta(milliseconds=7)))
    assert told == {
        "type": "run.cancel_requested",
        "reason": "enough",
        "requested_by": "control_plane",
        "requested_at": "2026-02-20T12:00:00Z",
    }


def test_a_run_without_events_can_be_canceled() -> None:
    """runtime §1.2"""
    [told] = bodies(decide(None, RequestCancel(requested_by="phone"), NOON))
    assert (told["reason"], told["requested_by"]) == ("cancel requested", "phone")


def test_a_second_cancel_writes_nothing_whatever_its_reason() -> None:
    """DEC-8, runtime §1.10"""
    assert decide(run(RunStarted(), CANCEL), RequestCancel("another"), NOON) == []


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
def test_a_run_that_has_ended_is_not_canceled(status: str) -> None:
    """runtime §2.8"""
    assert decide(run(RunFinished(status, "x", "x")), RequestCancel(), NOON) == []


def test_secrets_in_a_reason_are_not_kept() -> None:
    """runtime §1.4, §5.7"""
    [told] = bodies(decide(None, RequestCancel("mail me@example.org"), NOON))
    assert told["reason"] == "mail [REDACTED_EMAIL]"


def test_a_canceled_run_knows_why_until_it_ends() -> None:
    """runtime §1.2"""
    state = run(RunStarted(), CANCEL)
    assert (state.status, state.cancel_reason) == ("canceling", "enough")


def test_terminal_states_never_change() -> None:
    """runtime §1.2"""
    ended = run(RunStarted(), SUCCEEDED)
    after = run(RunStarted(), SUCCEEDED, CANCEL, RunFinished("failed", "x", "y"), RunStarted())
    for name in ("status", "cancel_reason", "terminal_reason_class", "terminal_reason", "terminal_at"):
        assert getattr(after, name) == getattr(ended, name)
    assert (ended.status, ended.terminal_reason_class, ended.terminal_reason) == ("succeeded", "completed", "completed")
    assert ended.terminal_at == NOON + timedelta(seconds=2)


def test_each_consumed_frame_moves_the_cursor_and_ends_what_recoveries_counted() -> None:
    """runtime §1.2, DEC-10"""
    lost = run(RunStarted(), LOST, LOST)
    assert (lost.recovery_attempts, lost.last_recovery_at, lost.cursor) == (2, NOON + timedelta(seconds=3), 0)
    after = run(RunStarted(), LOST, LOST, RunDelta("hi", "f-1"), RunFrameConsumed("f-2", "note", {}))
    assert (after.recovery_attempts, after.last_recovery_at, after.cursor) == (0, lost.last_recovery_at, 2)


def test_every_type_may_be_told_from_outside_and_is_sanitised() -> None:
    """runtime §1.4, §1.5"""
    [told] = decide(None, AppendRunEvent("tool.call", {"tool_call_id": "tc-1", "input": {"password": "x"}}), NOON)
    assert (told.type, told.version) == ("tool.call", 0)
    assert told.body() == {"tool_call_id": "tc-1", "input": {"password": "[REDACTED]"}}


def test_what_clients_write_consumes_nothing_but_names_frames_that_count_as_consumed() -> None:
    """runtime §1.3"""
    state = run(
        written("run.delta", delta="hi", frame_id="f-1"), written("x", frame_id="f-1"), written("y", frame_id=7)
    )
    assert (state.cursor, state.named) == (0, ("f-1",))


def test_the_newest_names_are_kept() -> None:
    state = run(*(written("x", frame_id=f"f-{number}") for number in range(MAX_NAMED + 1)))
    assert state.named == tuple(f"f-{number}" for number in range(1, MAX_NAMED + 1))


def test_a_client_may_end_a_run_once_and_only_in_a_known_way() -> None:
    """runtime §1.2: at most one run.finished"""
    [told] = decide(run(RunStarted()), AppendRunEvent("run.finished", {"status": "failed"}), NOON)
    assert run(RunStarted(), told).status == "failed"
    with pytest.raises(Conflict):
        decide(run(SUCCEEDED), AppendRunEvent("run.finished", {"status": "failed"}), NOON)
    with pytest.raises(InvalidRequest):
        decide(None, AppendRunEvent("run.finished", {"status": "paused"}), NOON)


def test_a_cancel_event_of_a_client_counts() -> None:
    """runtime §4.1: canceling, or a cancel event exists"""
    assert run(written("run.cancel_requested", reason="by hand")).cancel_reason == "by hand"


def test_the_head_hash_is_the_chain_over_all_events() -> None:
    """runtime §1.4, DEC-33: and every event moves `updated_at`."""
    state = run(RunStarted(), RunDelta("hi", "f-1"))
    first = event_hash(RUN_ID, 1, "run.started", hashing.hex_digest({}), None)
    told = hashing.hex_digest({"delta": "hi", "frame_id": "f-1"})
    assert state.head_hash == event_hash(RUN_ID, 2, "run.delta", told, first)
    assert (state.latest_seq, state.updated_at) == (2, NOON + timedelta(seconds=2))


def test_the_last_denial_is_known() -> None:
    assert run(DENIED, RunStarted()).last_decision_id == "d-1"


def test_what_an_erasure_left_folds_to_the_same_as_before_it() -> None:
    """ADR 12: the words are gone, what became of the run is not"""
    events = [RunStarted(), DENIED, RunDelta("hi", "f-1"), LOST, CANCEL, RunFinished("canceled", "x", "y")]
    [erased] = decide(run(*events), EraseRun(), NOON)
    assert erased == RunErased("canceled")
    live = history(run_stream(RUN_ID), [*events, erased])
    blanked = [
        recorded(event.stream, event.seq, new, event.recorded_at, {})
        for event, new in zip(live, [*events, erased], strict=True)
    ]
    state = folded(DECIDER, [*blanked[:-1], live[-1]])
    assert state == folded(DECIDER, live)
    assert (state.status, state.cursor, state.cancel_reason, state.terminal_reason) == ("canceled", 1, None, None)


def test_a_run_may_be_erased_before_its_first_event() -> None:
    assert decide(None, EraseRun(), NOON) == [RunErased("created")]
    assert run(RunErased("created")).status == "created"


def test_what_stands_for_a_lost_event_changes_nothing() -> None:
    """ADR 11"""
    assert DECIDER.stand_in(1) == RunLost()
    after = run(RunStarted(), RunLost())
    assert (after.status, after.latest_seq) == ("running", 2)


def test_a_policy_decision_that_was_blanked_is_no_decision() -> None:
    blank = recorded(run_stream(RUN_ID), 1, DENIED, NOON, {})
    assert evolve(None, blank).last_decision_id is None
