"""The summary document after each event (runtime §7.1, §10.1; sync §14.2, SD-9)."""

import msgspec
import pytest

from readmodels.engine.views import encode, says_the_same
from readmodels.workers import SUMMARIES, Summary, apply
from schemas import canonical_json
from schemas.events import NewEvent, OpenEvent, Payload
from schemas.times import iso6
from schemas.workers import WorkerErased, WorkerStarted, WorkerStopped
from tests.worker_events import STARTED, Log, heartbeat


def after(*events: NewEvent, worker_id: str = "desktopw:shared", owner: str = "user:41") -> Summary:
    log, summary = Log(), None
    for event in events:
        summary = apply(summary, log.append(worker_id, event, owner=owner))
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
        "workspace_ref": "/work",
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
    }


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
