"""What clients see of runs: one summary document each (runtime §10.1, sync §14.3)."""

from typing import Any, Final

import msgspec

from readmodels.engine.views import Document, View
from schemas import names, sql_files
from schemas.events import Recorded
from schemas.executions import RunErased
from schemas.runs_generated import RunCancelRequested, RunCreated, RunFinished, RunStarted
from schemas.times import iso6

SQL = sql_files.load(__file__)

KIND: Final = "run_summary"
PROJECTION_VERSION: Final = "khala_summary_v1"
TERMINAL: Final = ("succeeded", "failed", "canceled")
LOST_THREAD: Final = "lost"
"""Of a run whose ownership a recovery left out (ADR 11)."""


class RuntimeSource(msgspec.Struct, frozen=True):
    entity: str
    run_id: str
    seq: int


class Summary(Document, frozen=True, kw_only=True):
    """The document of sync §14.3: true after its event, all keys always present; seq 0 before the run's first event."""

    document_id: str
    kind: str = KIND
    run_id: str
    thread_id: str
    status: str
    owner_user_id: int | None
    owner_guest_scope: str | None
    latest_seq: int
    event_count: int
    latest_event_type: str | None
    latest_event_at: str | None
    terminal_reason_class: str | None
    terminal_reason: str | None
    terminal_at: str | None
    updated_at: str
    runtime_source: RuntimeSource
    projection_version: str = PROJECTION_VERSION


def document_id(run_id: str) -> str:
    return f"runtime/{KIND}:{run_id}"


def apply(summary: Summary | None, event: Recorded) -> Summary:
    """The summary after an event of the run or of its ownership."""
    now = iso6(event.recorded_at)
    summary = summary or _unheard_of(event, now)
    if event.kind == names.OWNERSHIP:
        return msgspec.structs.replace(summary, projected_at=now, **_owned(summary, event))
    return msgspec.structs.replace(
        summary,
        latest_seq=event.seq,
        event_count=summary.event_count + 1,
        latest_event_type=event.type,
        latest_event_at=now,
        updated_at=now,
        runtime_source=RuntimeSource("run", summary.run_id, event.seq),
        projected_at=now,
        **lifecycle(summary.status, event),
    )


def lifecycle(status: str, event: Recorded) -> dict[str, Any]:
    """What an event changes of status and end, as `producers.runs` has it.

    Version 0 is what clients told: of that starts, cancels and ends mean what they say. Terminal states never change
    (runtime §1.2); how a run ended whose words were erased, only `run.erased` says.
    """
    match event.type, event.version:
        case RunStarted.type, _ if status == "created":
            return {"status": "running"}
        case RunCancelRequested.type, _ if status not in TERMINAL:
            return {"status": "canceling"}
        case RunFinished.type, _ if status not in TERMINAL:
            return _finished(event)
        case RunErased.type, RunErased.version:
            return _end(event.payload.get("status", status), None, None)
    return {}


def _finished(event: Recorded) -> dict[str, Any]:
    status = event.payload.get("status")
    end = _end(status if status in TERMINAL else "failed", _text(event, "reason_class"), _text(event, "reason"))
    return end | {"terminal_at": iso6(event.recorded_at)}


def _end(status: str, reason_class: str | None, reason: str | None) -> dict[str, Any]:
    return {"status": status, "terminal_reason_class": reason_class, "terminal_reason": reason}


def _owned(summary: Summary, event: Recorded) -> dict[str, Any]:
    return {"thread_id": thread_id(event)} if event.type == RunCreated.type else {}


def thread_id(event: Recorded) -> str:
    """Of a `run.created`."""
    return _text(event, "thread_id") or LOST_THREAD


def _text(event: Recorded, name: str) -> str | None:
    """None when the payload was erased, or is a client's and of another shape."""
    value = event.payload.get(name)
    return value if isinstance(value, str) else None


def _unheard_of(event: Recorded, now: str) -> Summary:
    run_id = names.run_id_of(event.stream)
    return Summary(
        document_id=document_id(run_id),
        run_id=run_id,
        thread_id=LOST_THREAD,
        status="created",
        owner_user_id=names.owner_user_id(event.owner),
        owner_guest_scope=names.owner_guest_scope(event.owner),
        latest_seq=0,
        event_count=0,
        latest_event_type=None,
        latest_event_at=None,
        terminal_reason_class=None,
        terminal_reason=None,
        terminal_at=None,
        updated_at=now,
        runtime_source=RuntimeSource("run", run_id, 0),
        projected_at=now,
    )


SUMMARIES: Final = View(
    "run_summaries",
    version=1,
    kinds=(names.RUN, names.OWNERSHIP),
    topic=names.KAFKA_TOPICS[names.RUN],
    feeds=names.RUN_SUMMARIES,
    document=Summary,
    doc_key=lambda event: document_id(names.run_id_of(event.stream)),
    apply=apply,
    statements=SQL,
)
