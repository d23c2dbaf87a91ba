"""What is sent to a worker is claimed before it runs, and ends at its deadline (ADR 13; DEC-45, 46)."""

from datetime import timedelta
from typing import Any

import pytest

from producers.errors import Conflict, InvalidRequest
from producers.workers import (
    MAX_EXPIRING,
    MAX_OPEN_REQUESTS,
    AppendEvent,
    CreateWorker,
    EraseWorker,
    OpenRequest,
    StopWorker,
    Undelivered,
    Wake,
    wake_at,
)
from schemas.daemons import MAX_APPROVALS
from schemas.events import OpenEvent
from schemas.workers import WorkerRequestReceived
from tests.worker_histories import NOON, STARTED, Timeline, given, heartbeat

DEADLINE = NOON + timedelta(seconds=15)
APPROVAL = {
    "approval_id": "a-1",
    "kind": "command",
    "thread_id": "t",
    "turn_id": "u",
    "item_id": "i",
    "choices": ["accept", "deny"],
    "expires_at": "2026-02-20T12:05:00Z",
}
USED = {
    "thread_id": "t",
    "turn_id": "u",
    "outcome": "completed",
    "input_tokens": 7,
    "cached_input_tokens": 2,
    "output_tokens": 3,
    "reasoning_output_tokens": 1,
    "total_tokens": 10,
}


def refused(timeline: Timeline, told: Any) -> str | None:
    """The reason code with which `told` is refused."""
    with pytest.raises(Conflict) as conflict:
        told(timeline)
    return conflict.value.reason_code


# --- requests -------------------------------------------------------------------------------------------------------


def test_a_request_waits_for_the_daemon_with_a_deadline_and_who_asked() -> None:
    timeline = Timeline()
    asked_by = {"owner": "user:41", "client": "autopilot-ios", "token": 3}
    assert timeline.ask("r", params={"limit": 5}, requested_by=asked_by) == [
        {
            "type": "worker.request.received",
            "version": 1,
            "request_id": "r",
            "method": "thread/list",
            "params": {"limit": 5},
            "deadline": "2026-02-20T12:00:15.000000Z",
            "requested_by": asked_by,
        }
    ]
    assert timeline.worker.open_requests == {"r": OpenRequest(DEADLINE)}
    assert timeline.worker.requests == 1
    assert timeline.ask("s")[0]["params"] == {}


@pytest.mark.parametrize(
    "heartbeats",
    [
        [heartbeat(source="somebody")],
        [heartbeat(accepts_requests=False)],
        [heartbeat(accepts_requests="true")],
        [heartbeat(), heartbeat(accepts_requests=None)],
        [OpenEvent("worker.heartbeat", heartbeat().content, version=1)],
    ],
)
def test_a_worker_whose_daemon_takes_no_requests_echoes(heartbeats: list[OpenEvent]) -> None:
    timeline = Timeline()
    timeline.state = given(STARTED, *heartbeats)
    assert [event["type"] for event in timeline.ask("r")] == ["worker.request.received", "worker.response"]
    assert timeline.worker.open_requests == {}


@pytest.mark.parametrize(("at", "daemon"), [(121, "on"), (1, "off"), (90_000, "on")])
def test_nothing_is_written_for_a_daemon_that_is_not_there(at: float, daemon: str) -> None:
    timeline = Timeline(heartbeat(daemon=daemon))
    timeline.at = at
    with pytest.raises(Undelivered) as undelivered:
        timeline.ask("r")
    assert undelivered.value.error_code == -32002


def test_a_daemon_heard_just_within_the_threshold_is_there() -> None:
    timeline = Timeline()
    timeline.at = 120
    assert timeline.ask("r")


def test_a_daemon_that_said_goodbye_without_more_still_takes_requests_later() -> None:
    timeline = Timeline(OpenEvent("worker.heartbeat", {"source": "autopilot-desktop", "daemon": "off"}, version=0))
    with pytest.raises(Undelivered):
        timeline.ask("r")


def test_128_requests_may_be_open() -> None:
    timeline = Timeline()
    for n in range(MAX_OPEN_REQUESTS):
        timeline.ask(f"r-{n}")
    with pytest.raises(Undelivered) as undelivered:
        timeline.ask("r")
    assert undelivered.value.error_code == -32001
    timeline.answer("r-7")
    assert timeline.ask("r")


def test_a_request_that_is_open_is_not_opened_again() -> None:
    timeline = Timeline()
    timeline.ask("r")
    assert refused(timeline, lambda timeline: timeline.ask("r")) is None


@pytest.mark.parametrize("kind", ["worker.response", "worker.error"])
def test_an_answer_closes_its_request_and_is_known(kind: str) -> None:
    timeline = Timeline()
    timeline.ask("r")
    answer = timeline.answer("r", kind)
    assert (answer["type"], answer["version"], answer["response"]["id"]) == (kind, 1, "r")
    assert timeline.worker.open_requests == {}
    assert timeline.answer("r", kind)["version"] == 0


def test_what_answers_nothing_is_recorded_as_before() -> None:
    timeline = Timeline()
    timeline.ask("r")
    for payload in ({"request_id": "other", "response": 5}, {"request_id": ["r"]}, {"note": "x"}):
        assert timeline.append("worker.response", **payload) == {"type": "worker.response", "version": 0} | payload
    assert "r" in timeline.worker.open_requests


def test_an_answer_is_redacted_and_has_a_response() -> None:
    timeline = Timeline()
    timeline.ask("r")
    with pytest.raises(InvalidRequest, match="response must be an object"):
        timeline.append("worker.response", request_id="r", response="done")
    answer = timeline.append("worker.response", request_id="r", response={"mail": "ada@lane.test"}, source="x")
    assert answer == {
        "type": "worker.response",
        "version": 1,
        "request_id": "r",
        "response": {"mail": "[REDACTED_EMAIL]"},
    }


def test_an_answer_at_the_deadline_is_late_and_changes_nothing() -> None:
    timeline = Timeline()
    timeline.ask("r")
    timeline.at = 15
    assert timeline.answer("r")["version"] == 0
    [error] = timeline.tell(Wake())
    assert (error["type"], error["response"]["error"]["code"]) == ("worker.error", -32003)
    assert timeline.answer("r")["version"] == 0


# --- claims ---------------------------------------------------------------------------------------------------------


def test_an_open_request_is_claimed_once() -> None:
    timeline = Timeline()
    timeline.ask("r")
    claimed = timeline.claim("r")
    assert claimed == {
        "type": "worker.request.claimed",
        "version": 1,
        "request_id": "r",
        "claim_id": "s:claim:1",
        "daemon_id": "s",
    }
    assert timeline.worker.open_requests == {"r": OpenRequest(DEADLINE, claimed=True)}
    assert refused(timeline, lambda timeline: timeline.claim("r", "other:claim:1")) == "already_claimed"


def test_a_request_is_claimed_while_it_is_open() -> None:
    timeline = Timeline()
    assert refused(timeline, lambda timeline: timeline.claim("r")) == "not_open"
    timeline.ask("r")
    timeline.at = 14.999
    timeline.ask("s")
    timeline.claim("r")
    timeline.at = 15
    timeline.answer("s")
    assert refused(timeline, lambda timeline: timeline.claim("s")) == "not_open"


def test_a_request_is_not_claimed_at_its_deadline() -> None:
    timeline = Timeline()
    timeline.ask("r")
    timeline.at = 15
    assert refused(timeline, lambda timeline: timeline.claim("r")) == "too_late"


def test_a_message_without_an_expiry_may_be_claimed_at_any_time() -> None:
    timeline = Timeline()
    timeline.append("worker.event", method="ios/user_message", message_id="m", params={"text": "go"})
    timeline.at = 10**6
    assert timeline.claim_message("m")["version"] == 1


def test_a_message_is_claimed_before_it_expires() -> None:
    timeline = Timeline()
    timeline.message("m", expires_in_s=60)
    timeline.message("n", expires_in_s=60)
    timeline.at = 59
    timeline.claim_message("m", expires=True)
    assert list(timeline.worker.expiring) == ["n"]
    timeline.at = 60
    assert refused(timeline, lambda timeline: timeline.claim_message("n", expires=True)) == "too_late"
    assert timeline.tell(Wake()) == [{"type": "worker.message.expired", "version": 1, "message_id": "n"}]
    assert refused(timeline, lambda timeline: timeline.claim_message("n", expires=True)) == "too_late"


def test_a_message_that_was_over_when_it_came_never_runs() -> None:
    timeline = Timeline()
    timeline.message("m", expires_in_s=-1)
    assert timeline.worker.expiring == {}
    assert refused(timeline, lambda timeline: timeline.claim_message("m", expires=True)) == "too_late"


@pytest.mark.parametrize(
    ("payload", "message_id"),
    [
        ({"message_id": "top", "params": {"message_id": "inner"}}, "top"),
        ({"params": {"message_id": "inner"}}, "inner"),
        ({"message_id": 5, "params": {"message_id": ""}}, "seq:3"),
        ({"message_id": "x" * 256, "params": {}}, "seq:3"),
        ({"message_id": "a\x1fb", "params": {}}, "seq:3"),
    ],
)
def test_a_message_is_called_by_its_id_or_its_seq(payload: dict[str, Any], message_id: str) -> None:
    timeline = Timeline()
    payload["params"]["expires_at"] = "2026-02-20T12:01:00Z"
    timeline.append("worker.event", method="ios/user_message", **payload)
    assert list(timeline.worker.expiring) == [message_id]


@pytest.mark.parametrize("expires_at", ["soon", 5, None, "2026-02-20T12:01:00", "9999-12-31T23:59:59.9Z"])
def test_an_expiry_that_is_no_time_is_none(expires_at: Any) -> None:
    timeline = Timeline()
    timeline.append("worker.event", method="ios/user_message", params={"expires_at": expires_at})
    timeline.append("worker.event", method="ios/other", params={"expires_at": "2026-02-20T12:01:00Z"})
    timeline.append("worker.other", method="ios/user_message", params={"expires_at": "2026-02-20T12:01:00Z"})
    assert timeline.worker.expiring == {}


def test_a_thousand_messages_may_wait_with_an_expiry() -> None:
    timeline = Timeline()
    for n in range(MAX_EXPIRING):
        timeline.message(f"m-{n}", expires_in_s=60)
    assert refused(timeline, lambda timeline: timeline.message("m", expires_in_s=60)) is None
    timeline.message("over", expires_in_s=-60)
    timeline.append("worker.event", method="ios/user_message", params={"text": "without"})


# --- the ends of things ---------------------------------------------------------------------------------------------


def test_waking_ends_what_is_due_and_nothing_else() -> None:
    timeline = Timeline()
    assert wake_at(timeline.worker) is None
    timeline.ask("r", answer_within=timedelta(seconds=10.5))
    timeline.ask("s")
    timeline.message("m", expires_in_s=20)
    assert wake_at(timeline.worker) == NOON + timedelta(seconds=11)
    assert timeline.tell(Wake()) == []
    timeline.at = 15
    assert [event["request_id"] for event in timeline.tell(Wake())] == ["r", "s"]
    assert wake_at(timeline.worker) == NOON + timedelta(seconds=20)
    timeline.at = 20
    assert [event["message_id"] for event in timeline.tell(Wake())] == ["m"]
    assert wake_at(timeline.worker) is None


@pytest.mark.parametrize("stop", [StopWorker(), AppendEvent("worker.stopped", {})])
def test_a_stop_ends_open_requests_first(stop: Any) -> None:
    timeline = Timeline(heartbeat(busy={"what": "turn", "since": "now"}))
    timeline.append("worker.approval.requested", **APPROVAL)
    timeline.ask("r")
    error, stopped = timeline.tell(stop)
    assert (error["request_id"], error["response"]["error"]["code"]) == ("r", -32002)
    assert stopped["type"] == "worker.stopped"
    assert (timeline.worker.open_requests, timeline.worker.approvals) == ({}, {})
    assert timeline.worker.daemon is not None
    assert timeline.worker.daemon.busy is None
    assert refused(timeline, lambda timeline: timeline.claim("r")) is None


def test_messages_of_a_stopped_worker_expire_all_the_same() -> None:
    timeline = Timeline()
    timeline.message("m", expires_in_s=60)
    timeline.tell(StopWorker())
    timeline.at = 60
    assert [event["type"] for event in timeline.tell(Wake())] == ["worker.message.expired"]


def test_a_reattached_worker_keeps_what_waits_and_what_it_used() -> None:
    timeline = Timeline(heartbeat(consumed_seq=1))
    timeline.message("m", expires_in_s=60)
    timeline.append("worker.turn.usage", **USED)
    timeline.append("worker.limits.set", day_tokens=100)
    timeline.ask("r")
    timeline.tell(StopWorker())
    before = timeline.worker
    timeline.tell(CreateWorker("desktopw:demo"))
    after = timeline.worker
    kept = ("daemon", "expiring", "usage", "limits", "started_at")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert (after.status, after.requests) == ("running", 0)


def test_an_erased_worker_has_nothing_that_anybody_wrote() -> None:
    timeline = Timeline(heartbeat(busy={"what": "turn", "since": "now"}, consumed_seq=1))
    timeline.message("secret-m", expires_in_s=60)
    timeline.ask("secret-r")
    timeline.append("worker.approval.requested", **APPROVAL)
    timeline.append("worker.turn.usage", **USED)
    timeline.append("worker.limits.set", turn_tokens=5)
    assert [event["type"] for event in timeline.tell(EraseWorker())] == ["worker.error", "worker.erased"]
    blanked = [OpenEvent(event.type, {}, event.version) for event in timeline.events[:-1]]
    refolded = given(*blanked, timeline.events[-1])
    assert refolded is not None
    for worker in (timeline.worker, refolded):
        assert (worker.open_requests, worker.expiring, worker.approvals) == ({}, {}, {})
        assert (worker.daemon, worker.limits, worker.usage) == (None, None, None)


def test_what_was_received_before_deadlines_existed_is_not_open() -> None:
    worker = given(STARTED, heartbeat(), WorkerRequestReceived("r", "m", {}))
    assert worker is not None
    assert (worker.open_requests, worker.requests) == ({}, 1)


# --- approvals, limits and usage --------------------------------------------------------------------------------------


def test_an_approval_is_open_until_it_is_answered() -> None:
    timeline = Timeline()
    timeline.append("worker.approval.requested", **APPROVAL)
    assert timeline.worker.approvals == {"a-1": NOON + timedelta(minutes=5)}
    timeline.append("worker.approval.answered", approval_id="a-1", decision="deny", cause="silence")
    assert timeline.worker.approvals == {}


def test_the_newest_approvals_are_known() -> None:
    timeline = Timeline()
    for n in range(MAX_APPROVALS + 1):
        timeline.append("worker.approval.requested", **APPROVAL | {"approval_id": f"a-{n}"})
    assert list(timeline.worker.approvals) == [f"a-{n}" for n in range(1, MAX_APPROVALS + 1)]


def test_usage_is_summed_by_utc_day() -> None:
    timeline = Timeline()
    for at in (0, 60, 86_400):
        timeline.at = at
        timeline.append("worker.turn.usage", **USED)
    usage = timeline.worker.usage
    assert usage is not None
    assert (usage.day.isoformat(), usage.day_tokens, usage.total_tokens, usage.turns) == ("2026-02-21", 10, 30, 3)


def test_limits_are_those_that_were_set_last() -> None:
    timeline = Timeline()
    timeline.append("worker.limits.set", turn_tokens=5, day_tokens=50)
    set_by = {"owner": "user:41", "client": None, "token": 3}
    assert timeline.append("worker.limits.set", day_tokens=60, set_by=set_by)["set_by"] == set_by
    limits = timeline.worker.limits
    assert limits is not None
    assert (limits.turn_tokens, limits.day_tokens) == (None, 60)
