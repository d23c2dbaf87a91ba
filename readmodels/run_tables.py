"""Runs as tables: a row a run, a row an event, a message for each delta that has words (runtime §10.3).

The contract asks for a watermark a run and a marker a (run, seq), so that each event is applied once and in order. Ours
are the engine's: what is at or below a partition's checkpoint is applied, all streams of a run are in one partition,
and rows and checkpoint change in one transaction; each row keeps the position of its last event. Whatever comes twice,
late or out of order is dropped, ordered, or read from the log (`engine.deliveries`).
"""

import hashlib
from typing import Any, Final

import msgspec

from readmodels import runs
from readmodels.engine.views import Document, View
from schemas import names, sql_files
from schemas.events import Payload, Recorded
from schemas.runs_generated import RunCreated, RunDelta
from schemas.times import iso6

SQL = sql_files.load(__file__)

TEXT_DELTA: Final = "text.delta"
DELTAS: Final = (RunDelta.type, TEXT_DELTA)
"""The second is a synonym that clients may write, with `delta` or `text` (runtime §1.5)."""


class RunRow(Document, frozen=True, kw_only=True):
    """A run; `error_text` is a failed one's reason, `watermark` the seq of its last event here."""

    run_id: str
    thread_id: str
    status: str
    owner_user_id: int | None
    owner_guest_scope: str | None
    started_at: str | None
    completed_at: str | None
    terminal_reason_class: str | None
    terminal_reason: str | None
    error_text: str | None
    watermark: int


class EventRow(Document, frozen=True, kw_only=True):
    """An event of a run as the log has it; `version` 0 is what clients wrote."""

    run_id: str
    seq: int
    event_type: str
    version: int
    payload: Payload
    occurred_at: str


class MessageRow(Document, frozen=True, kw_only=True):
    """Words of a run."""

    message_id: str
    run_id: str
    seq: int
    role: str = "assistant"
    text: str
    frame_id: str | None
    created_at: str


def message_id(run_id: str, seq: int) -> str:
    return "rtmsg_" + hashlib.sha256(f"{run_id}:{seq}".encode()).hexdigest()[:30]


def words(event: Recorded) -> str:
    """What a delta adds to the conversation: nothing when it is blank, erased or of another shape (DEC-40)."""
    if event.type not in DELTAS:
        return ""
    told = (event.payload.get(name) for name in ("delta", "text"))
    return next((text for text in told if isinstance(text, str) and text.strip()), "")


def apply_to_run(row: RunRow | None, event: Recorded) -> RunRow:
    now = iso6(event.recorded_at)
    row = row or _unheard_of(event, now)
    if event.kind == names.OWNERSHIP:
        known = {"thread_id": runs.thread_id(event)} if event.type == RunCreated.type else {}
        return msgspec.structs.replace(row, projected_at=now, **known)
    changes = _lifecycle(row, event, now)
    return msgspec.structs.replace(row, watermark=event.seq, projected_at=now, **changes)


def apply_to_event(_row: EventRow | None, event: Recorded) -> EventRow:
    now = iso6(event.recorded_at)
    return EventRow(
        run_id=names.run_id_of(event.stream),
        seq=event.seq,
        event_type=event.type,
        version=event.version,
        payload=event.payload,
        occurred_at=now,
        projected_at=now,
    )


def apply_to_message(_row: MessageRow | None, event: Recorded) -> MessageRow:
    run_id, now = names.run_id_of(event.stream), iso6(event.recorded_at)
    frame_id = event.payload.get("frame_id")
    return MessageRow(
        message_id=message_id(run_id, event.seq),
        run_id=run_id,
        seq=event.seq,
        text=words(event),
        frame_id=frame_id if isinstance(frame_id, str) else None,
        created_at=now,
        projected_at=now,
    )


def _lifecycle(row: RunRow, event: Recorded, now: str) -> dict[str, Any]:
    changes = runs.lifecycle(row.status, event)
    status = changes.get("status", row.status)
    ended = changes.pop("terminal_at", None)
    if ended:
        changes["completed_at"] = ended
    if status == "running" and row.started_at is None:
        changes["started_at"] = now
    if "terminal_reason" in changes:
        changes["error_text"] = changes["terminal_reason"] if status == "failed" else None
    return changes


def _unheard_of(event: Recorded, now: str) -> RunRow:
    return RunRow(
        run_id=names.run_id_of(event.stream),
        thread_id=runs.LOST_THREAD,
        status="created",
        owner_user_id=names.owner_user_id(event.owner),
        owner_guest_scope=names.owner_guest_scope(event.owner),
        started_at=None,
        completed_at=None,
        terminal_reason_class=None,
        terminal_reason=None,
        error_text=None,
        watermark=0,
        projected_at=now,
    )


def _statements(name: str) -> dict[str, str]:
    return {"create": SQL["create"], "cut_over": SQL[f"cut_over_{name}"]}


_TOPIC: Final = names.KAFKA_TOPICS[names.RUN]

RUN_ROWS: Final = View(
    "run_rows",
    version=1,
    kinds=(names.RUN, names.OWNERSHIP),
    topic=_TOPIC,
    feeds=None,
    document=RunRow,
    doc_key=lambda event: names.run_id_of(event.stream),
    apply=apply_to_run,
    statements=_statements("run_rows"),
)
EVENT_ROWS: Final = View(
    "run_event_rows",
    version=1,
    kinds=(names.RUN,),
    topic=_TOPIC,
    feeds=None,
    document=EventRow,
    doc_key=lambda event: f"{names.run_id_of(event.stream)}:{event.seq}",
    apply=apply_to_event,
    statements=_statements("run_event_rows"),
    per_event=True,
)
MESSAGES: Final = View(
    "run_messages",
    version=1,
    kinds=(names.RUN,),
    topic=_TOPIC,
    feeds=None,
    document=MessageRow,
    doc_key=lambda event: message_id(names.run_id_of(event.stream), event.seq),
    apply=apply_to_message,
    statements=_statements("run_messages"),
    concerns=lambda event: bool(words(event)),
    per_event=True,
)
TABLES: Final = (RUN_ROWS, EVENT_ROWS, MESSAGES)
