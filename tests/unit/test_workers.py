"""The rules of workers, as pure functions (runtime §7; DEC-18, 31, 48, 51)."""

from datetime import timedelta
from typing import Any

import pytest

from producers.errors import Conflict, InvalidRequest, NotFound, Rejection
from producers.workers import (
    AppendEvent,
    Command,
    CreateWorker,
    EraseWorker,
    SendRequest,
    StopWorker,
    Worker,
    decide,
)
from schemas.events import OpenEvent
from schemas.workers import WorkerErased, WorkerRequestReceived, WorkerResponse, WorkerStarted, WorkerStopped
from tests.worker_histories import NOON, STARTED, given

CREATE = CreateWorker("desktopw:demo")
STOPPED = WorkerStopped(reason="stop_requested")
HANDSHAKE = {
    "source": "autopilot-ios",
    "method": "ios/handshake",
    "handshake_id": "5b0f0f0e-6c55-4a53-9d2e-3c3f1a1c9b77",
    "device_id": "c1d2",
    "occurred_at": "2026-02-25T06:13:20Z",
}


def ingest(worker: Worker | None, event_type: str, payload: dict[str, Any]) -> dict[str, Any]:
    [event] = decide(worker, AppendEvent(event_type, payload), NOON)
    assert event.type == event_type
    return event.body()


def test_a_new_worker_starts_running() -> None:
    assert decide(None, CREATE, NOON) == [STARTED]


def test_started_carries_what_rebuilds_the_worker() -> None:
    [event] = decide(None, CreateWorker("abc", "desktop_bridge", "ws://a", "home", {"token": "x", "n": 1}), NOON)
    assert event.body() == {
        "status": "running",
        "adapter": "desktop_bridge",
        "workspace_ref": "ws://a",
        "codex_home_ref": "home",
        "metadata": {"token": "[REDACTED]", "n": 1},
    }


def test_creating_a_running_worker_again_changes_nothing() -> None:
    assert decide(given(STARTED), CREATE, NOON) == []


def test_a_stopped_worker_that_is_created_again_reattaches() -> None:
    [event] = decide(given(STARTED, STOPPED), CREATE, NOON)
    assert event.body()["reason"] == "reattach"
    worker = given(STARTED, STOPPED, event)
    assert worker is not None
    assert (worker.status, worker.stopped_at) == ("running", None)
    assert worker.started_at == NOON + timedelta(seconds=1)


@pytest.mark.parametrize("worker_id", ["", "ab", "a" * 161, "with space", "slash/ed", "tab\t1", "é12"])
def test_a_bad_worker_id_is_refused(worker_id: str) -> None:
    with pytest.raises(InvalidRequest):
        decide(None, CreateWorker(worker_id), NOON)


def test_a_new_worker_has_one_owner() -> None:
    ambiguous = CreateWorker("abc", owner_is_ambiguous=True)
    with pytest.raises(InvalidRequest):
        decide(None, ambiguous, NOON)
    assert decide(given(STARTED), ambiguous, NOON) == []


@pytest.mark.parametrize("command", [AppendEvent("worker.event", {}), SendRequest("r", "m"), StopWorker()])
def test_nothing_can_be_told_to_a_worker_that_does_not_exist(command: Command) -> None:
    with pytest.raises(NotFound):
        decide(None, command, NOON)


@pytest.mark.parametrize("command", [AppendEvent("worker.event", {}), SendRequest("r", "m")])
def test_a_stopped_worker_takes_neither_events_nor_requests(command: Command) -> None:
    with pytest.raises(Conflict):
        decide(given(STARTED, STOPPED), command, NOON)


def test_stopping_twice_changes_nothing() -> None:
    assert decide(given(STARTED), StopWorker(), NOON) == [STOPPED]
    assert decide(given(STARTED), StopWorker("enough"), NOON) == [WorkerStopped(reason="enough")]
    assert decide(given(STARTED, STOPPED), StopWorker(), NOON) == []


def test_an_ingested_stop_stops_also_while_stopped() -> None:
    assert ingest(given(STARTED), "worker.stopped", {"source": "desk"}) == {"source": "desk", "reason": "event_stop"}
    assert ingest(given(STARTED, STOPPED), "worker.stopped", {"reason": "bye"}) == {"reason": "bye"}
    stopped = given(STARTED, OpenEvent("worker.stopped", {"reason": "event_stop"}, version=0))
    assert stopped is not None
    assert stopped.status == "stopped"


def test_other_ingested_events_only_show_life() -> None:
    """DEC-33: and move `updated_at`."""
    started = OpenEvent("worker.started", {"status": "failed", "adapter": 3}, version=0)
    worker = given(STARTED, started, OpenEvent("worker.request.received", {}, version=0))
    assert worker is not None
    assert (worker.status, worker.adapter, worker.requests) == ("running", "in_memory", 0)
    assert worker.updated_at == worker.last_heartbeat_at == NOON + timedelta(seconds=3)


def test_a_request_is_echoed_and_counted() -> None:
    worker = given(STARTED)
    for count in (1, 2):
        events = decide(worker, SendRequest(f"r-{count}", "thread/start", {"prompt": "salut"}), NOON)
        received, response = events
        assert received == WorkerRequestReceived(f"r-{count}", "thread/start", {"prompt": "salut"})
        assert isinstance(response, WorkerResponse)
        assert response.response == {
            "jsonrpc": "2.0",
            "id": f"r-{count}",
            "result": {
                "status": "accepted",
                "method": "thread/start",
                "echo": {"prompt": "salut"},
                "request_count": count,
            },
        }
        worker = given(STARTED, *events)


@pytest.mark.parametrize("event_type", ["", "heartbeat", "workers.x", "worker.\x1f", "worker." + "x" * 114])
def test_an_event_type_belongs_to_workers(event_type: str) -> None:
    with pytest.raises(InvalidRequest):
        decide(given(STARTED), AppendEvent(event_type, {}), NOON)


def test_a_handshake_is_stored_unmodified() -> None:
    assert ingest(given(STARTED), "worker.event", HANDSHAKE) == HANDSHAKE


@pytest.mark.parametrize(
    "broken",
    [
        {"handshake_id": ""},
        {"device_id": None},
        {"source": 3},
        {"occurred_at": "yesterday"},
        {"occurred_at": "2026-13-25T06:13:20Z"},
        {"occurred_at": "2026-02-25 06:13"},
        {"method": "desktop/handshake_ack"},
    ],
)
def test_a_handshake_without_a_field_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        decide(given(STARTED), AppendEvent("worker.event", HANDSHAKE | broken), NOON)


def test_what_a_person_wrote_stays_as_written() -> None:
    message = {"method": "ios/user_message", "params": {"text": "mail ada@lane.test", "token": "t"}, "note": "a@b.test"}
    assert ingest(given(STARTED), "worker.event", message) == {
        "method": "ios/user_message",
        "params": {"text": "mail ada@lane.test", "token": "[REDACTED]"},
        "note": "[REDACTED_EMAIL]",
    }
    [received, _] = decide(given(STARTED), SendRequest("r", "m", {"mail": "ada@lane.test"}), NOON)
    assert received.body()["params"] == {"mail": "ada@lane.test"}


# --- erasure (ADR 12) ---------------------------------------------------------------------------------------------


def test_a_worker_is_erased_whatever_its_status() -> None:
    assert decide(given(STARTED, STOPPED), EraseWorker(), NOON) == [WorkerErased()]


DESCRIBED = WorkerStarted(
    status="running", adapter="desktop", workspace_ref="/secret", codex_home_ref="/home/me", metadata={"who": "me"}
)


@pytest.mark.parametrize(
    "erased",
    [given(DESCRIBED, WorkerErased()), given(OpenEvent("worker.started", {}), WorkerErased())],
    ids=["told", "folded anew"],
)
def test_nothing_of_what_was_written_is_left_in_an_erased_worker(erased: Worker) -> None:
    assert (erased.adapter, erased.workspace_ref, erased.codex_home_ref, erased.metadata) == ("erased", None, None, {})
    assert erased.status == "running"


def test_what_a_client_calls_erased_erases_nothing() -> None:
    worker = given(DESCRIBED, OpenEvent("worker.erased", {}, version=0))
    assert worker is not None
    assert worker.workspace_ref == "/secret"


def test_a_reattached_worker_keeps_what_it_is_not_told_anew() -> None:
    described = CreateWorker("w:1", adapter="bridge", workspace_ref="/w", codex_home_ref="/c", metadata={"a": 1})
    [first] = decide(None, described, NOON)
    [again] = decide(given(first, STOPPED), CreateWorker("w:1"), NOON)
    assert again.body() == first.body() | {"reason": "reattach"}
    changed = CreateWorker("w:1", adapter="desk", workspace_ref="/x", codex_home_ref="/y", metadata={})
    [other] = decide(given(first, STOPPED), changed, NOON)
    assert [other.body()[name] for name in ("adapter", "workspace_ref", "codex_home_ref", "metadata")] == [
        *("desk", "/x", "/y"),
        {},
    ]
    worker = given(first)
    assert worker is not None
    assert (worker.adapter, worker.workspace_ref, worker.codex_home_ref, worker.metadata) == (
        *("bridge", "/w", "/c"),
        {"a": 1},
    )


def test_a_stop_is_a_change_and_a_sign_of_life() -> None:
    worker = given(STARTED, STOPPED)
    assert worker is not None
    assert worker.stopped_at == worker.updated_at == worker.last_heartbeat_at == NOON + timedelta(seconds=2)


def test_only_requests_are_counted_and_answered_by_their_id() -> None:
    received, response = decide(given(STARTED), SendRequest("r-1", "m"), NOON)
    assert [event.body()["request_id"] for event in (received, response)] == ["r-1", "r-1"]
    worker = given(STARTED, received, response, OpenEvent("worker.other", {}, version=1))
    assert worker is not None
    assert worker.requests == 1


def test_a_type_may_have_120_characters() -> None:
    [event] = decide(given(STARTED), AppendEvent("worker." + "x" * 113, {}), NOON)
    assert len(event.type) == 120


@pytest.mark.parametrize("method", ["ios/other", None])
def test_only_what_a_person_wrote_stays_as_written(method: str | None) -> None:
    sent = {"method": method, "params": {"text": "mail ada@lane.test"}}
    assert ingest(given(STARTED), "worker.event", sent)["params"] == {"text": "mail [REDACTED_EMAIL]"}


@pytest.mark.parametrize(
    ("worker", "command", "message"),
    [
        (None, StopWorker(), "no such worker"),
        (None, CreateWorker("ab"), "worker_id must be 3 to 160 letters, digits or . _ : -"),
        (None, CreateWorker("abc", owner_is_ambiguous=True), "a new worker has one owner: a user or a guest"),
        (given(STARTED, STOPPED), SendRequest("r", "m"), "the worker is stopped"),
        (given(STARTED), AppendEvent("x", {}), "an event type starts with worker. and has 120 characters at most"),
        (
            given(STARTED),
            AppendEvent("worker.event", HANDSHAKE | {"source": "", "device_id": 1}),
            "ios/handshake needs source, device_id",
        ),
        (
            given(STARTED),
            AppendEvent("worker.event", HANDSHAKE | {"occurred_at": "now"}),
            "ios/handshake: occurred_at is not an RFC 3339 time",
        ),
    ],
)
def test_whoever_is_refused_is_told_why(worker: Worker | None, command: Command, message: str) -> None:
    with pytest.raises(Rejection) as refused:
        decide(worker, command, NOON)
    assert refused.value.message == message
