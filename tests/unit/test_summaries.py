"""The summary document after each event (runtime §7.1, §10.1; sync §14.2, SD-9)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from readmodels.engine.views import View, encode, says_the_same
from readmodels.workers import SUMMARIES, Summary, apply
from schemas import canonical_json
from schemas.daemons import LINE_CHARACTERS, MAX_APPROVALS
from schemas.events import NewEvent, OpenEvent, Payload, Recorded
from schemas.times import iso6
from schemas.workers import WorkerApprovalAnswered, WorkerErased, WorkerLimitsSet, WorkerStarted, WorkerStopped
from tests.worker_events import BUSY, STARTED, TURN, Log, approval, heartbeat
from tests.worker_histories import heartbeat as daemon_heartbeat

DAEMON_KEYS = {"daemon_seen_at", "busy", "accepts_requests", "usage", "limits", "open_approvals"}
WORDS_KEYS = {"daemon_off", "last_words"}


def after(*events: NewEvent, worker_id: str = "desktopw:shared", owner: str = "user:41") -> Summary:
    log, summary = Log(), None
    for event in events:
        summary = apply(summary, log.append(worker_id, event, owner=owner))
    assert summary is not None
    return summary


def told(view: View[Summary], events: Iterable[Recorded]) -> Summary:
    summary: Summary | None = None
    for event in events:
        summary = view.after(summary, event)
    assert summary is not None
    return summary


def document(summary: Summary) -> Payload:
    decoded: Payload = canonical_json.decode(encode(summary))
    return decoded


def test_a_new_worker_has_every_key_of_the_contract() -> None:
    now = "2026-02-20T12:00:01.103104Z"
    assert document(after(STARTED)) == {
        "document_id": "runtime/codex_worker_summary:desktopw:shared",
        "kind": "codex_worker_summary",
        "worker_id": "desktopw:shared",
        "status": "running",
        "owner_user_id": 41,
        "owner_guest_scope": None,
        "workspace_ref": "/desk",
        "codex_home_ref": "/home/me/.codex",
        "adapter": "desktop_bridge",
        "metadata": {"model": "stub"},
        "latest_seq": 1,
        "event_count": 1,
        "latest_event_type": "worker.started",
        "latest_event_at": now,
        "started_at": now,
        "stopped_at": None,
        "last_heartbeat_at": now,
        "updated_at": now,
        "runtime_source": {"entity": "codex_worker", "worker_id": "desktopw:shared", "seq": 1},
        "projection_version": "khala_summary_v1",
        "projected_at": now,
        "daemon_seen_at": None,
        "busy": None,
        "accepts_requests": False,
        "usage": None,
        "limits": {"turn_tokens": None, "day_tokens": None},
        "open_approvals": [],
        "daemon_off": False,
        "last_words": None,
    }


@pytest.mark.parametrize(("version", "lacks"), [(1, DAEMON_KEYS | WORDS_KEYS), (2, WORDS_KEYS)])
def test_an_older_version_has_the_keys_that_it_had(version: int, lacks: set[str]) -> None:
    """Sync §14.2; what daemons tell came with version 2, what was said last with version 3."""
    log = Log()
    events = [log.append("w", event) for event in (STARTED, daemon_heartbeat(busy=BUSY), TURN, spoken("Hello"))]
    older, newest = (told(view, events) for view in (replace(SUMMARIES, version=version), SUMMARIES))
    assert document(older) == {key: value for key, value in document(newest).items() if key not in lacks}
    assert SUMMARIES.decode(encode(older)) == older


def test_every_event_moves_what_is_latest_and_leaves_the_rest() -> None:
    log = Log()
    started, beat = log.append("w", STARTED), log.append("w", heartbeat())
    before = apply(None, started)
    now = iso6(beat.recorded_at)
    assert apply(before, beat) == msgspec.structs.replace(
        before,
        latest_seq=2,
        event_count=2,
        latest_event_type="worker.heartbeat",
        latest_event_at=now,
        last_heartbeat_at=now,
        updated_at=now,
        runtime_source=msgspec.structs.replace(before.runtime_source, seq=2),
        projected_at=now,
    )


def test_a_stopped_worker_is_stopped_in_the_summary_of_that_very_event() -> None:
    summary = after(STARTED, WorkerStopped("stop_requested"))
    assert (summary.status, summary.stopped_at) == ("stopped", summary.updated_at)


def test_an_ingested_stop_has_the_same_effect() -> None:
    summary = after(
        STARTED, OpenEvent("worker.stopped", {"reason": "event_stop", "source": "autopilot-desktop"}, version=0)
    )
    assert (summary.status, summary.stopped_at) == ("stopped", summary.updated_at)


def test_a_reattached_worker_runs_again_with_its_new_description_and_its_first_start() -> None:
    again = WorkerStarted("running", "in_memory", None, None, {}, reason="reattach")
    first, summary = after(STARTED), after(STARTED, WorkerStopped("stop_requested"), again)
    assert (summary.status, summary.stopped_at, summary.started_at) == ("running", None, first.started_at)
    assert (summary.adapter, summary.workspace_ref, summary.metadata) == ("in_memory", None, {})


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"source": "autopilot-desktop", "method": "thread/started"},
        {"adapter": 7, "workspace_ref": [], "codex_home_ref": 1, "metadata": "none"},
    ],
)
def test_a_started_event_that_did_not_come_from_creating_describes_nothing(payload: Payload) -> None:
    summary = after(STARTED, OpenEvent("worker.started", payload, version=0))
    assert (summary.status, summary.adapter, summary.metadata) == ("running", "desktop_bridge", {"model": "stub"})


def test_a_guests_worker_names_the_guest_and_no_user() -> None:
    summary = after(STARTED, owner="guest:device-1")
    assert (summary.owner_user_id, summary.owner_guest_scope) == (None, "device-1")


def test_a_worker_id_may_contain_a_slash() -> None:
    assert after(STARTED, worker_id="team/a").document_id == "runtime/codex_worker_summary:team/a"


@pytest.mark.parametrize(
    "metadata", [{"n": 2**70}, {"f": 1.5, "deep": [{"x": 1e22}]}, {"none": None, "text": "\u0001é"}]
)
def test_any_metadata_survives_storage(metadata: Payload) -> None:
    summary = after(WorkerStarted("running", "in_memory", None, None, metadata))
    assert SUMMARIES.decode(encode(summary)) == summary


def test_two_projections_of_the_same_event_say_the_same() -> None:
    summary = after(STARTED)
    assert says_the_same(summary, msgspec.structs.replace(summary, projected_at="later"))
    assert not says_the_same(summary, msgspec.structs.replace(summary, status="failed"))
    assert not says_the_same(None, summary)


def test_an_erased_summary_is_the_same_from_what_was_written_and_from_what_is_left() -> None:
    told = after(STARTED, WorkerErased())
    assert (told.adapter, told.workspace_ref, told.codex_home_ref, told.metadata) == ("erased", None, None, {})
    assert told == after(OpenEvent("worker.started", {}), WorkerErased())


def spoken(text: Any, **more: Any) -> OpenEvent:
    """What the agent says, unless `more` makes it something else."""
    said = {"method": "item/completed", "params": {"item": {"type": "agentMessage", "id": "i", "text": text}}}
    return OpenEvent("worker.event", said | more, version=0)


def asked(text: Any) -> OpenEvent:
    return spoken(None, method="ios/user_message", params={"message_id": "m", "text": text})


def test_last_words_are_the_agents_or_a_persons_whoever_spoke_last() -> None:
    first = after(STARTED, spoken("Done."))
    assert document(first)["last_words"] == {"by": "agent", "text": "Done.", "at": first.updated_at}
    second = after(STARTED, spoken("Done."), asked("Thanks!"), daemon_heartbeat())
    assert document(second)["last_words"] == {"by": "person", "text": "Thanks!", "at": "2026-02-20T12:00:03.103104Z"}
    assert after(STARTED, asked("Thanks!"), WorkerErased()).last_words is None


@pytest.mark.parametrize(
    "event",
    [
        spoken(None),
        spoken("x", method="item/agentMessage/delta"),
        spoken("x", params={"item": {"type": "commandExecution", "text": "x"}}),
        spoken("x", params="x"),
        asked(7),
        OpenEvent("worker.heartbeat", spoken("x").body(), version=0),
        OpenEvent("worker.event", spoken("x").body(), version=1),
    ],
)
def test_nothing_else_is_said(event: NewEvent) -> None:
    assert document(after(STARTED, spoken("Done."), event))["last_words"]["text"] == "Done."


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  one\n\n two\t", "one two"),
        ("x" * LINE_CHARACTERS, "x" * LINE_CHARACTERS),
        ("x" * 10**6, "x" * (LINE_CHARACTERS - 1) + "…"),
    ],
)
def test_last_words_are_one_line(text: str, line: str) -> None:
    assert document(after(STARTED, spoken(text)))["last_words"]["text"] == line


def test_a_daemon_is_off_from_its_goodbye_until_it_is_heard_again() -> None:
    goodbye = daemon_heartbeat(daemon="off")
    assert (after(STARTED, goodbye).daemon_off, after(STARTED, goodbye, spoken("x")).daemon_off) == (True, True)
    assert after(STARTED, goodbye, daemon_heartbeat()).daemon_off is False
    assert after(STARTED, goodbye, heartbeat()).daemon_off is True


def daemon(*events: NewEvent) -> Payload:
    """What the summary says of the daemon."""
    said = document(after(STARTED, *events))
    return {key: said[key] for key in DAEMON_KEYS}


NOTHING = daemon()


def test_a_heartbeat_of_a_daemon_tells_that_it_lives_and_what_it_does() -> None:
    seen_at = "2026-02-20T12:00:02.103104Z"
    expected = {"daemon_seen_at": seen_at, "busy": BUSY, "accepts_requests": True}
    assert daemon(daemon_heartbeat(busy=BUSY)) == NOTHING | expected
    assert daemon(heartbeat()) == daemon(daemon_heartbeat(source="ios")) == NOTHING
    assert daemon(OpenEvent("worker.heartbeat", daemon_heartbeat().body(), version=1)) == NOTHING


def test_what_a_later_heartbeat_does_not_say_is_over() -> None:
    said = daemon(daemon_heartbeat(busy=BUSY), daemon_heartbeat(accepts_requests="yes", busy={"what": 7}))
    assert (said["busy"], said["accepts_requests"]) == (None, False)


def test_a_daemon_that_says_goodbye_is_not_busy_and_its_requests_wait() -> None:
    said = daemon(daemon_heartbeat(busy=BUSY), daemon_heartbeat(daemon="off", busy=BUSY, accepts_requests=False))
    assert (said["busy"], said["accepts_requests"]) == (None, True)


def test_turns_add_up_and_a_day_begins_anew() -> None:
    log = Log()
    events = [log.append("w", event) for event in (STARTED, TURN, TURN, TURN)]
    tomorrow = msgspec.structs.replace(events[3], recorded_at=events[3].recorded_at + timedelta(hours=12))
    assert [document(told(SUMMARIES, [*events[:3], last]))["usage"] for last in (events[3], tomorrow)] == [
        {"day": "2026-02-20", "day_tokens": 21, "total_tokens": 21, "turns": 3},
        {"day": "2026-02-21", "day_tokens": 7, "total_tokens": 21, "turns": 3},
    ]


def test_limits_are_those_set_last() -> None:
    said = daemon(WorkerLimitsSet(turn_tokens=5, day_tokens=9), WorkerLimitsSet(day_tokens=8))
    assert said["limits"] == {"turn_tokens": None, "day_tokens": 8}


def test_approvals_are_open_until_they_are_answered() -> None:
    answered = WorkerApprovalAnswered("a", "deny", "silence")
    assert daemon(approval("a"), approval("b"))["open_approvals"] == ["a", "b"]
    assert daemon(approval("a"), approval("b"), approval("a"), answered)["open_approvals"] == ["b"]
    many = [approval(str(number)) for number in range(MAX_APPROVALS + 2)]
    assert daemon(*many)["open_approvals"] == [str(number) for number in range(2, MAX_APPROVALS + 2)]


def test_a_stopped_worker_does_nothing_and_asks_nothing() -> None:
    before = (daemon_heartbeat(busy=BUSY), TURN, approval("a"))
    stopped = daemon(*before, WorkerStopped("stop_requested"))
    assert stopped == daemon(*before) | {"busy": None, "open_approvals": []}


def test_nothing_of_a_daemon_is_left_of_an_erased_worker() -> None:
    before = (daemon_heartbeat(busy=BUSY), TURN, approval("a"), WorkerLimitsSet(day_tokens=9))
    blank = [OpenEvent(event.type, {}, event.version) for event in before]
    assert daemon(*before, WorkerErased()) == daemon(*blank, WorkerErased()) == NOTHING


@pytest.mark.parametrize("event", [TURN, approval("a"), WorkerLimitsSet(day_tokens=9)])
def test_what_clients_wrote_unchecked_says_nothing(event: NewEvent) -> None:
    """Version 0 has no promised shape (ADR 3)."""
    assert daemon(OpenEvent(event.type, event.body(), version=0)) == NOTHING


def test_a_document_that_lacks_the_keys_gets_them_with_the_events_that_tell() -> None:
    """Of a version that an older release had filled."""
    log = Log()
    old = told(replace(SUMMARIES, version=1), [log.append("w", STARTED)])
    for event in (daemon_heartbeat(), TURN, approval("a")):
        old = apply(old, log.append("w", event))
    said = document(old)
    assert (said["accepts_requests"], said["usage"]["turns"], said["open_approvals"]) == (True, 1, ["a"])
