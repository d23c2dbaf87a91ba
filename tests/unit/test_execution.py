"""What a pass and a recovery write, all or nothing (runtime §4.1–4.4; DEC-9, 10, 13, 14, 42)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from producers import leases, runs
from producers.errors import Conflict
from producers.eventlog.batch import MAX_PAYLOAD_BYTES
from producers.execution import Frame, Pass, TellLost, cursor, execute, frame, parts, tell_lost
from producers.leases import Lease
from producers.loops import seen
from producers.runs import Run
from schemas import canonical_json, hashing
from schemas.events import NewEvent, OpenEvent, Payload, Recorded
from schemas.executions import LeaseFramesPassed
from schemas.inbox_generated import FrameReceived
from schemas.names import inbox_stream, lease_stream, run_stream
from schemas.runs_generated import (
    LeaseAcquired,
    LeaseReleased,
    RunCancelRequested,
    RunDelta,
    RunExecutorLost,
    RunFinished,
    RunFrameConsumed,
    RunStarted,
)
from tests.run_histories import NOON, OWNER, RUN_ID, bodies, given_lease, given_run, recorded

CANCEL = RunCancelRequested("enough", requested_by="phone", requested_at="2026-02-20T12:00:00Z")
EXPIRY = "2026-02-20T12:00:30.000000Z"
LATER = NOON + timedelta(seconds=30)
HELD_BY_A = LeaseAcquired("acquired", "a", EXPIRY, 1)
LOST = RunExecutorLost("a", EXPIRY, EXPIRY, 1)


def sent(frame_type: str, payload: Payload, number: int = 1) -> Frame:
    return Frame(f"f-{number}", frame_type, payload, seen(frame_type, payload, hashing.hex_digest(payload)))


def texts(*words: str, start: int = 1) -> list[Frame]:
    return [sent("user_message", {"text": word}, number) for number, word in enumerate(words, start)]


def states(run: Run | None, lease: Lease | None) -> dict[str, Any]:
    return {run_stream(RUN_ID): run, lease_stream(RUN_ID): lease}


def passed(
    *entries: Frame | None,
    run: Run | None = None,
    lease: Lease | None = None,
    after: int = 0,
    more: bool = False,
    executor: str = "a",
    before: Sequence[Frame] = (),
    now: datetime = NOON,
) -> list[tuple[str, NewEvent]]:
    command = Pass(RUN_ID, executor, after, entries, [one.seen for one in before], more)
    return execute(states(run, lease), command, now)


def said(written: list[tuple[str, NewEvent]]) -> list[dict[str, Any]]:
    """What the run's log says."""
    return bodies(event for stream, event in written if stream == run_stream(RUN_ID))


def on_lease(written: list[tuple[str, NewEvent]]) -> list[NewEvent]:
    return [event for stream, event in written if stream == lease_stream(RUN_ID)]


def told(frame_type: str, **payload: Any) -> list[dict[str, Any]]:
    """By one frame to a run that is running."""
    return said(passed(sent(frame_type, payload, 7), run=given_run(RunStarted())))


def test_three_frames_on_a_fresh_run_are_four_events() -> None:
    """runtime §4.1: the example"""
    written = passed(*texts("hi", "there"), sent("complete", {}, 3))
    assert said(written) == [
        {"type": "run.started"},
        {"type": "run.delta", "delta": "hi", "frame_id": "f-1"},
        {"type": "run.delta", "delta": "there", "frame_id": "f-2"},
        {
            "type": "run.finished",
            "status": "succeeded",
            "reason_class": "completed",
            "reason": "completed",
            "frame_id": "f-3",
        },
    ]
    assert on_lease(written) == []


def test_the_worked_example() -> None:
    """runtime A.2"""
    written = passed(sent("user_message", {"text": "Bon"}, 1), sent("note", {"k": 1}, 2), sent("complete", {}, 3))
    assert said(written)[2] == {
        "type": "run.frame_consumed",
        "frame_id": "f-2",
        "frame_type": "note",
        "payload": {"k": 1},
    }


@pytest.mark.parametrize("frame_type", ["cancel", "cancel_requested"])
def test_a_frame_cancels(frame_type: str) -> None:
    """runtime §4.1, §1.5: reason = payload.reason or default"""
    assert told(frame_type, reason="enough") == [
        {
            "type": "run.cancel_requested",
            "frame_id": "f-7",
            "frame_type": frame_type,
            "payload": {"reason": "enough"},
            "reason_class": "cancel_requested",
            "reason": "enough",
        },
        {
            "type": "run.finished",
            "status": "canceled",
            "reason_class": "cancel_requested",
            "reason": "enough",
            "frame_id": "f-7",
        },
    ]
    assert [event["reason"] for event in told(frame_type)] == ["cancel requested"] * 2


@pytest.mark.parametrize("frame_type", ["finish", "complete", "run_complete"])
def test_a_frame_completes(frame_type: str) -> None:
    """runtime §4.1: class completed, reason payload.reason or completed"""
    [finished] = told(frame_type, reason="all done")
    assert finished == {
        "type": "run.finished",
        "status": "succeeded",
        "reason_class": "completed",
        "reason": "all done",
        "frame_id": "f-7",
    }
    assert told(frame_type, reason=7)[0]["reason"] == "completed"


@pytest.mark.parametrize("frame_type", ["fail", "error"])
@pytest.mark.parametrize(
    ("payload", "reason_class", "reason"),
    [
        ({}, "execution_failed", "execution_failed"),
        ({"reason": "broken"}, "execution_failed", "broken"),
        ({"reason_class": "no_disk"}, "no_disk", "no_disk"),
        ({"reason_class": "no_disk", "reason": "full"}, "no_disk", "full"),
        ({"reason_class": "", "reason": None}, "execution_failed", "execution_failed"),
    ],
)
def test_a_frame_fails(frame_type: str, payload: Payload, reason_class: str, reason: str) -> None:
    """runtime §4.1: class payload.reason_class or execution_failed, reason payload.reason or the class"""
    [finished] = told(frame_type, **payload)
    assert (finished["status"], finished["reason_class"], finished["reason"]) == ("failed", reason_class, reason)


@pytest.mark.parametrize(
    ("payload", "delta"),
    [
        ({"text": "a", "delta": "b"}, "a"),
        ({"text": "", "delta": "b"}, "b"),
        ({"text": 7, "delta": "b"}, "b"),
        ({"delta": "b"}, "b"),
    ],
)
def test_words_are_a_delta(payload: Payload, delta: str) -> None:
    """runtime §4.1: a non-empty string in text (preferred) or delta"""
    assert told("anything", **payload) == [{"type": "run.delta", "delta": delta, "frame_id": "f-7"}]


@pytest.mark.parametrize("payload", [{}, {"text": ""}, {"delta": None}, {"words": "hi"}])
def test_everything_else_is_consumed(payload: Payload) -> None:
    """runtime §4.1"""
    assert told("note", **payload) == [
        {"type": "run.frame_consumed", "frame_id": "f-7", "frame_type": "note", "payload": payload}
    ]


def test_copies_are_sanitised_but_for_what_programs_go_by() -> None:
    """DEC-42, DEC-14, runtime §1.4"""
    payload = {"token": "x", "at": "2026-02-25T06:13:20Z", "tool_call_id": "5550100200300", "to": "me@example.org"}
    assert told("note", **payload)[0]["payload"] == payload | {"token": "[REDACTED]", "to": "[REDACTED_EMAIL]"}
    assert told("user_message", text="Bearer abc.def")[0]["delta"] == "Bearer [REDACTED]"
    assert told("fail", reason="ask me@example.org")[0]["reason"] == "ask [REDACTED_EMAIL]"


@pytest.mark.parametrize("frame_type", ["note", "cancel"])
def test_a_copy_too_large_for_an_event_is_left_out(frame_type: str) -> None:
    """DEC-49: what is stored as a frame never stops its run"""
    payload = {"reason": "x" * (MAX_PAYLOAD_BYTES - 50)}
    first, *_ = told(frame_type, **payload)
    assert first["payload"] == {"omitted": "too large for an event"}
    assert len(canonical_json.encode(first)) < MAX_PAYLOAD_BYTES


def test_frames_after_the_end_are_not_processed() -> None:
    """runtime §1.3, §1.2: late input cannot reopen a terminal run"""
    written = passed(sent("complete", {}, 1), *texts("late", start=2))
    assert [event["type"] for event in said(written)] == ["run.started", "run.finished"]
    ended = given_run(RunStarted(), RunFinished("succeeded", "completed", "completed", "f-1"))
    assert passed(*texts("late", start=2), run=ended, after=1) == []


def test_an_asked_for_cancel_ends_the_run_before_any_frame() -> None:
    """runtime §4.1, §4.2: cancel observed; no new frame starts"""
    written = passed(*texts("hi"), run=given_run(RunStarted(), CANCEL))
    assert said(written) == [
        {"type": "run.finished", "status": "canceled", "reason_class": "cancel_requested", "reason": "enough"}
    ]


def test_a_run_that_is_canceled_before_its_first_pass_never_starts() -> None:
    """runtime §1.2"""
    written = passed(*texts("hi"), run=given_run(CANCEL))
    assert [event["type"] for event in said(written)] == ["run.finished"]


def test_the_reason_is_of_the_latest_cancel() -> None:
    """runtime §4.2"""
    later = OpenEvent("run.cancel_requested", {"reason": "really"}, version=0)
    assert said(passed(run=given_run(CANCEL, later)))[0]["reason"] == "really"


def test_an_erased_reason_is_the_default() -> None:
    """ADR 12"""
    run = given_run(CANCEL, runs.DECIDER.decide(given_run(CANCEL), runs.EraseRun(), NOON)[0])
    assert said(passed(run=run))[0]["reason"] == "cancel requested"


def test_frames_that_were_consumed_are_taken_once() -> None:
    """runtime §1.3, DEC-13: the cursor is what the run's own events say"""
    run = given_run(RunStarted(), RunDelta("hi", "f-1"))
    assert said(passed(*texts("hi", "there"), run=run)) == [{"type": "run.delta", "delta": "there", "frame_id": "f-2"}]
    assert passed(*texts("hi"), run=run) == []


def test_a_pass_over_what_is_done_leaves_the_lease_alone() -> None:
    """DEC-9: whoever knows less than the run does not know whether work is left"""
    run, lease = given_run(RunStarted(), RunDelta("hi", "f-1"), RunDelta("you", "f-2")), given_lease(HELD_BY_A)
    assert passed(*texts("hi"), run=run, lease=lease) == []


def test_nothing_is_written_when_something_before_is_missing() -> None:
    """runtime §1.3: one at a time, in the order of insertion"""
    assert passed(*texts("third"), run=given_run(RunStarted(), RunDelta("hi", "f-1")), after=2) == []


def test_nothing_to_take_starts_nothing() -> None:
    """runtime §4.1"""
    assert passed() == []


def test_a_frame_that_a_client_named_as_consumed_is_passed_over() -> None:
    """runtime §1.3: any event that carries its frame_id; only the cursor moves"""
    run = given_run(RunStarted(), OpenEvent("tool.result", {"frame_id": "f-1"}, version=0))
    written = passed(*texts("hi", "there"), run=run)
    assert said(written) == [{"type": "run.delta", "delta": "there", "frame_id": "f-2"}]
    assert on_lease(written) == [LeaseFramesPassed(1)]
    after = given_run(RunStarted(), OpenEvent("tool.result", {"frame_id": "f-1"}, version=0), RunDelta("there", "f-2"))
    assert cursor(after, given_lease(LeaseFramesPassed(1))) == 2


def test_what_is_no_frame_any_more_is_passed_over() -> None:
    """ADR 12: a frame erased before it was consumed"""
    received = FrameReceived("f-1", "user_message", {"text": "hi"}, "ab")
    erased = recorded(inbox_stream(RUN_ID), 1, received, NOON, {})
    assert frame(erased) is None
    assert on_lease(passed(frame(erased), run=given_run(RunStarted()))) == [LeaseFramesPassed(1)]


def test_a_frame_is_what_the_inbox_says() -> None:
    payload = {"text": "hi"}
    received = FrameReceived("f-1", "user_message", payload, hashing.hex_digest(payload))
    event: Recorded = recorded(inbox_stream(RUN_ID), 1, received, NOON)
    assert frame(event) == sent("user_message", payload)


def test_going_in_circles_ends_the_run() -> None:
    """runtime §4.4, §1.5, DEC-12: also at the level of a warning"""
    before = [sent("note", {"n": 1}, number) for number in range(1, 10)]
    run = given_run(RunStarted(), *(RunFrameConsumed(one.frame_id, "note", {"n": 1}) for one in before))
    written = passed(sent("note", {"n": 1}, 10), run=run, after=9, before=before)
    assert said(written) == [
        {
            "type": "run.loop_detected",
            "frame_id": "f-10",
            "frame_type": "note",
            "detector": "generic_repeat",
            "level": "warning",
            "count": 10,
            "reason_code": "loop_detected.no_progress",
            "loop_detected_reason": "loop_detected.no_progress",
            "message": "10 frames without progress",
        },
        {
            "type": "run.finished",
            "status": "failed",
            "reason_class": "loop_detected",
            "reason": "loop_detected.no_progress",
            "frame_id": "f-10",
            "reason_code": "loop_detected.no_progress",
            "detector": "generic_repeat",
            "loop_detected_reason": "loop_detected.no_progress",
        },
    ]


def test_frames_of_one_pass_are_compared_with_each_other() -> None:
    """runtime §4.4; also with those that were consumed meanwhile"""
    entries = [sent("note", {"n": 1}, number) for number in range(1, 12)]
    assert [event["type"] for event in said(passed(*entries))][-2:] == ["run.loop_detected", "run.finished"]
    run = given_run(RunStarted(), *(RunFrameConsumed(one.frame_id, "note", {"n": 1}) for one in entries[:9]))
    assert said(passed(*entries, run=run))[0]["frame_id"] == "f-10"


def test_a_pass_that_leaves_work_takes_the_lease() -> None:
    """runtime §4.1, §1.6, ADR 14"""
    written = passed(*texts("hi"), more=True)
    assert on_lease(written) == [LeaseAcquired("acquired", "a", EXPIRY, 2)]


def test_the_next_pass_renews_it_and_the_last_one_releases_it() -> None:
    """runtime §4.1, DEC-9"""
    run, lease = given_run(RunStarted(), RunDelta("hi", "f-1")), given_lease(HELD_BY_A)
    more = passed(*texts("you", start=2), run=run, lease=lease, after=1, more=True)
    assert on_lease(more) == [LeaseAcquired("renewed", "a", EXPIRY, 3)]
    last = passed(*texts("you", start=2), run=run, lease=lease, after=1)
    assert on_lease(last) == [LeaseReleased("a", 3)]


def test_the_end_of_a_run_releases_the_lease_whatever_waits() -> None:
    """DEC-9"""
    lease = given_lease(HELD_BY_A)
    written = passed(sent("complete", {}), run=given_run(RunStarted()), lease=lease, more=True)
    assert on_lease(written) == [LeaseReleased("a", 2)]
    ended = given_run(RunStarted(), RunFinished("succeeded", "completed", "completed", "f-1"))
    assert on_lease(passed(run=ended, lease=lease)) == [LeaseReleased("a", 2)]


def test_another_executor_stops_without_side_effects() -> None:
    """runtime §4.1: lease_held"""
    with pytest.raises(Conflict) as refused:
        passed(*texts("hi"), run=given_run(RunStarted()), lease=given_lease(HELD_BY_A), executor="b")
    assert refused.value.reason_code == "lease_held"


def test_an_expired_lease_is_stolen() -> None:
    """runtime §1.6"""
    run, lease = given_run(RunStarted()), given_lease(HELD_BY_A)
    written = passed(*texts("hi"), run=run, lease=lease, executor="b", now=LATER)
    assert on_lease(written) == [
        LeaseAcquired("stolen", "b", "2026-02-20T12:01:00.000000Z", 2),
        LeaseReleased("b", 2),
    ]


def lost(run: Run | None, lease: Lease | None, now: datetime = LATER) -> list[tuple[str, NewEvent]]:
    return tell_lost(states(run, lease), TellLost(RUN_ID, "b"), now)


def test_a_lost_executor_is_told_and_its_run_taken_over() -> None:
    """runtime §4.3, §1.5"""
    written = lost(given_run(RunStarted()), given_lease(HELD_BY_A))
    assert said(written) == [
        {
            "type": "run.executor_lost",
            "lease_owner": "a",
            "lease_expires_at": EXPIRY,
            "detected_at": EXPIRY,
            "last_progress_seq": 1,
        }
    ]
    assert on_lease(written) == [LeaseAcquired("stolen", "b", "2026-02-20T12:01:00.000000Z", 2)]


def test_an_executor_is_not_lost_before_its_lease_has_expired() -> None:
    """runtime §4.3: runs without a lease are ignored (DEC-9)"""
    run, lease = given_run(RunStarted()), given_lease(HELD_BY_A)
    assert lost(run, lease, LATER - timedelta(microseconds=1)) == []
    assert lost(run, given_lease(HELD_BY_A, LeaseReleased("a", 1))) == []
    assert lost(run, None) == []


def test_a_run_that_has_ended_is_not_recovered() -> None:
    """runtime §4.3"""
    ended = given_run(RunStarted(), RunFinished("succeeded", "completed", "completed", "f-1"))
    assert lost(ended, given_lease(HELD_BY_A)) == [(lease_stream(RUN_ID), LeaseReleased("a", 2))]


def test_the_fourth_loss_without_progress_ends_the_run() -> None:
    """runtime §4.3, §1.2: maximum 3, executor_recovery_exhausted"""
    third = lost(given_run(RunStarted(), LOST, LOST), given_lease(HELD_BY_A))
    assert [event["type"] for event in said(third)] == ["run.executor_lost"]
    fourth = lost(given_run(RunStarted(), LOST, LOST, LOST), given_lease(HELD_BY_A))
    assert [event["type"] for event in said(fourth)] == ["run.executor_lost", "run.finished"]
    finished = said(fourth)[1]
    assert (finished["status"], finished["reason_class"]) == ("failed", "executor_recovery_exhausted")
    assert on_lease(fourth) == [LeaseReleased("a", 6)]


def test_progress_begins_the_count_anew() -> None:
    """DEC-10"""
    run = given_run(RunStarted(), LOST, LOST, LOST, RunDelta("hi", "f-1"), LOST)
    assert [event["type"] for event in said(lost(run, given_lease(HELD_BY_A)))] == ["run.executor_lost"]


def test_a_recovery_is_a_lease_for_as_long_as_the_cooldown() -> None:
    """runtime §4.3: cooldown 30 s"""
    written = lost(given_run(RunStarted()), given_lease(HELD_BY_A))
    run, lease = given_run(RunStarted(), LOST), given_lease(HELD_BY_A, *on_lease(written))
    assert lost(run, lease, LATER + timedelta(seconds=29)) == []
    assert said(lost(run, lease, LATER + timedelta(seconds=30))) != []


def test_timers_wake_the_lease() -> None:
    lease, run = parts(RUN_ID, OWNER)
    assert (lease.decider, run.decider) == (leases.DECIDER, runs.DECIDER)
    assert (lease.stream, run.stream) == (lease_stream(RUN_ID), run_stream(RUN_ID))
