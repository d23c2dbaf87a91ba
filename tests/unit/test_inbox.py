"""Frames as a run's inbox takes them (runtime §1.3, DEC-42)."""

from datetime import UTC, datetime

from producers.inbox import DECIDER, EraseInbox, Inbox, ReceiveFrame, decide, evolve, stand_in
from schemas import hashing
from schemas.events import NewEvent, Recorded
from schemas.names import inbox_stream

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FRAME = ReceiveFrame("f-1", "user_message", {"text": "call +1 555 123 4567"}, "ab" * 32, "2026-01-01T00:00:00Z")


def folded(*events: NewEvent) -> Inbox | None:
    inbox = None
    for seq, new in enumerate(events, start=1):
        payload, stream = new.body(), inbox_stream("run_demo")
        envelope = (seq, DECIDER.kind, stream, seq, new.type, new.version, "user:7", payload)
        inbox = evolve(inbox, Recorded(*envelope, hashing.digest(payload), {}, NOON))
    return inbox


def test_a_frame_is_kept_as_it_was_sent() -> None:
    """DEC-42: what reads it is restricted, not what is in it."""
    [received] = decide(None, FRAME, NOON)
    assert received.type == "frame.received"
    assert received.body() == {
        "frame_id": "f-1",
        "frame_type": "user_message",
        "payload": {"text": "call +1 555 123 4567"},
        "payload_hash": "ab" * 32,
        "occurred_at": "2026-01-01T00:00:00Z",
    }


def test_a_frame_without_a_time_has_none() -> None:
    [received] = decide(None, ReceiveFrame("f-1", "note", {}, "ab" * 32), NOON)
    assert "occurred_at" not in received.body()


def test_what_is_not_a_frame_is_not_counted_and_has_a_seq() -> None:
    """ADR 11, ADR 12."""
    [received] = decide(None, FRAME, NOON)
    [erased] = decide(Inbox(1, 1), EraseInbox(), NOON)
    assert folded(received, erased, stand_in(3), received, received) == Inbox(frames=3, last_seq=5)
