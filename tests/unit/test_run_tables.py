"""The rows of a run, its events and its words (runtime §10.3)."""

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readmodels.engine.fold import fold
from readmodels.engine.views import View, encode
from readmodels.run_tables import EVENT_ROWS, MESSAGES, RUN_ROWS, TABLES, words
from schemas import canonical_json
from schemas.events import NewEvent, OpenEvent, Recorded
from schemas.executions import RunErased
from schemas.names import LEASE
from schemas.runs_generated import RunDelta, RunFinished
from tests.run_events import CREATED, ENDED, LIFE, RunLog


def written(*events: NewEvent) -> list[Recorded]:
    log = RunLog()
    return [log.append(event) for event in (CREATED, *events)]


def rows(view: View[Any], events: list[Recorded]) -> dict[str, dict[str, Any]]:
    changes = fold(view, {}, (), events).changes
    in_order = sorted(changes.items(), key=lambda item: item[1].row.last_position)
    return {key[1]: canonical_json.decode(encode(change.row.document)) for key, change in in_order}


NOW = "2026-02-20T12:00:0{}.103104Z"


def test_the_row_of_a_run_says_when_it_began_and_how_it_ended() -> None:
    """runtime §10.3: status, started and completed times, terminal meta."""
    assert rows(RUN_ROWS, written(*LIFE)) == {
        "run_demo": {
            "run_id": "run_demo",
            "thread_id": "thr_demo",
            "status": "succeeded",
            "owner_user_id": 41,
            "owner_guest_scope": None,
            "started_at": NOW.format(2),
            "completed_at": NOW.format(7),
            "terminal_reason_class": "completed",
            "terminal_reason": "done",
            "error_text": None,
            "watermark": 6,
            "projected_at": NOW.format(7),
        }
    }


def test_a_failed_run_has_an_error_text() -> None:
    """runtime §10.3."""
    [row] = rows(RUN_ROWS, written(LIFE[0], RunFinished("failed", "execution_failed", "boom"))).values()
    assert (row["status"], row["error_text"]) == ("failed", "boom")


def test_a_run_that_nobody_began_has_not_started() -> None:
    [row] = rows(RUN_ROWS, written(RunFinished("canceled", "cancel_requested", "enough"))).values()
    assert (row["started_at"], row["completed_at"], row["watermark"]) == (None, NOW.format(2), 1)


def test_each_event_of_a_run_is_a_row_and_nothing_else_is() -> None:
    """runtime §10.3."""
    log = RunLog()
    events = [log.append(CREATED), log.append(LIFE[3]), log.append(OpenEvent("made.up", {"n": 1}, 0))]
    events.append(log.append(OpenEvent("lease.acquired", {}), kind=LEASE))
    assert rows(EVENT_ROWS, events) == {
        "run_demo:1": {
            "run_id": "run_demo",
            "seq": 1,
            "event_type": "run.frame_consumed",
            "version": 1,
            "payload": {"frame_id": "f-3", "frame_type": "note", "payload": {"k": 1}},
            "occurred_at": NOW.format(2),
            "projected_at": NOW.format(2),
        },
        "run_demo:2": {
            "run_id": "run_demo",
            "seq": 2,
            "event_type": "made.up",
            "version": 0,
            "payload": {"n": 1},
            "occurred_at": NOW.format(3),
            "projected_at": NOW.format(3),
        },
    }


def test_words_are_messages_of_the_assistant_and_blank_ones_are_none() -> None:
    """runtime §10.3, DEC-40: whitespace alone is not projectable."""
    found = rows(MESSAGES, written(*LIFE))
    ids = ["rtmsg_" + hashlib.sha256(f"run_demo:{seq}".encode()).hexdigest()[:30] for seq in (2, 5)]
    assert list(found) == ids
    assert found[ids[0]] == {
        "message_id": ids[0],
        "run_id": "run_demo",
        "seq": 2,
        "role": "assistant",
        "text": "Bon",
        "frame_id": "f-1",
        "created_at": NOW.format(3),
        "projected_at": NOW.format(3),
    }


def test_the_id_of_a_message_is_the_contracts() -> None:
    """runtime §10.3: a vector computed elsewhere: `printf run_demo:2 | sha256sum`."""
    assert next(iter(rows(MESSAGES, written(*LIFE)))) == "rtmsg_dc7fc6291dc36ed7c2d627384f97de"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (RunDelta("a", "f"), "a"),
        (RunDelta(" a\n", "f"), " a\n"),
        (RunDelta("", "f"), ""),
        (RunDelta(" \t\n ", "f"), ""),
        (OpenEvent("text.delta", {"text": "b"}, version=0), "b"),
        (OpenEvent("text.delta", {"delta": "c", "text": "b"}, version=0), "c"),
        (OpenEvent("run.delta", {"delta": 7}, version=0), ""),
        (OpenEvent("run.delta", {}, version=0), ""),
        (OpenEvent("run.frame_consumed", {"delta": "a"}, version=0), ""),
    ],
)
def test_what_of_an_event_is_words(event: NewEvent, text: str) -> None:
    """runtime §1.5, DEC-40."""
    assert words(written(event)[1]) == text


lives = st.lists(st.sampled_from([*LIFE, ENDED, OpenEvent("text.delta", {"text": "b"}, 0)]), max_size=12)


@given(lives)
def test_a_run_has_a_row_an_event_and_a_message_for_each_delta_with_words(events: list[NewEvent]) -> None:
    """runtime §10.3."""
    told = written(*events)
    assert len(rows(EVENT_ROWS, told)) == len(events)
    assert len(rows(MESSAGES, told)) == sum(bool(words(event)) for event in told)
    [row] = rows(RUN_ROWS, told).values()
    assert row["watermark"] == len(events)


def test_the_row_of_an_erased_run_is_the_same_from_what_is_left() -> None:
    """ADR 12."""
    events = written(*LIFE, RunErased("succeeded"))
    left = [events[0], *(msgspec.structs.replace(event, payload={}) for event in events[1:-1]), events[-1]]
    assert rows(RUN_ROWS, left) == rows(RUN_ROWS, events)
    assert rows(MESSAGES, left) == {}


@pytest.mark.parametrize("view", TABLES, ids=lambda view: view.name)
def test_a_row_is_read_back_as_it_was_written(view: View[Any]) -> None:
    for change in fold(view, {}, (), written(*LIFE)).changes.values():
        assert view.decode(encode(change.row.document)) == change.row.document
