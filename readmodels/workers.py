"""What clients see of workers: one summary document each (runtime §10.1, sync §14.2)."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import asyncpg
import msgspec
from msgspec import UNSET, UnsetType

from readmodels.engine.views import Document, View
from schemas import daemons, names, sql_files
from schemas.daemons import Busy, Limits, Usage
from schemas.events import Payload, Recorded
from schemas.times import iso6
from schemas.workers import (
    ERASED_START,
    WorkerApprovalAnswered,
    WorkerApprovalRequested,
    WorkerErased,
    WorkerLimitsSet,
    WorkerStarted,
    WorkerStopped,
    WorkerTurnUsage,
)

if TYPE_CHECKING:
    from asyncpg import Pool

T = TypeVar("T")
SQL = sql_files.load(__file__)

KIND: Final = "codex_worker_summary"
PROJECTION_VERSION: Final = "khala_summary_v1"
DEFAULT_ADAPTER: Final = "in_memory"


class RuntimeSource(msgspec.Struct, frozen=True):
    entity: str
    worker_id: str
    seq: int


class Words(msgspec.Struct, frozen=True):
    """The beginning of what a person or the agent said."""

    by: Literal["person", "agent"]
    text: str
    at: str


class Summary(Document, frozen=True, kw_only=True):
    """The document of sync §14.2: true after its event (SD-9), all keys always present.

    From `daemon_seen_at` on it is what daemons tell (ADR 13); version 1 of the view does not have these keys, and
    version 2 lacks the last two.
    """

    document_id: str
    kind: str = KIND
    worker_id: str
    status: str
    owner_user_id: int | None
    owner_guest_scope: str | None
    workspace_ref: str | None
    codex_home_ref: str | None
    adapter: str
    metadata: Payload
    latest_seq: int
    event_count: int
    latest_event_type: str | None
    latest_event_at: str | None
    started_at: str | None
    stopped_at: str | None
    last_heartbeat_at: str | None
    updated_at: str | None
    runtime_source: RuntimeSource
    projection_version: str = PROJECTION_VERSION
    daemon_seen_at: str | UnsetType | None = UNSET
    busy: Busy | UnsetType | None = UNSET
    accepts_requests: bool | UnsetType = UNSET
    usage: Usage | UnsetType | None = UNSET
    limits: Limits | UnsetType = UNSET
    open_approvals: tuple[str, ...] | UnsetType = UNSET
    daemon_off: bool | UnsetType = UNSET
    last_words: Words | UnsetType | None = UNSET


class WorkerProjection(msgspec.Struct, frozen=True):
    """How far a worker's summary is; the caller tells the lag from the worker's own latest seq (runtime §2.13)."""

    document_id: str
    last_runtime_seq: int
    projection_version: str
    last_projected_at: datetime
    last_words: Words | None = None


def document_id(worker_id: str) -> str:
    return f"runtime/{KIND}:{worker_id}"


def apply(summary: Summary | None, event: Recorded) -> Summary:
    """The summary after an event, by the rules of runtime §7.1 and ADR 13."""
    after = apply_without_words(summary, event)
    unsaid = _UNSAID if summary is None else {}
    return msgspec.structs.replace(after, **(unsaid | _words(event)))


def apply_without_words(summary: Summary | None, event: Recorded) -> Summary:
    """What version 2 says."""
    after = apply_without_daemon(summary, event)
    unheard = _UNHEARD if summary is None else {}
    return msgspec.structs.replace(after, **(unheard | _daemon(after, event)))


def apply_without_daemon(summary: Summary | None, event: Recorded) -> Summary:
    """What version 1 says."""
    now = iso6(event.recorded_at)
    summary = _lifecycle(summary or _unheard_of(event, now), event, now)
    return msgspec.structs.replace(
        summary,
        latest_seq=event.seq,
        event_count=summary.event_count + 1,
        latest_event_type=event.type,
        latest_event_at=now,
        last_heartbeat_at=now,
        updated_at=now,
        runtime_source=RuntimeSource("codex_worker", summary.worker_id, event.seq),
        projected_at=now,
    )


def _lifecycle(summary: Summary, event: Recorded, now: str) -> Summary:
    """Clients' own events have version 0 (ADR 3): their `worker.stopped` stops, their `worker.started` says nothing."""
    match event.type, event.version:
        case WorkerStarted.type, WorkerStarted.version:
            started = msgspec.structs.replace(summary, status="running", stopped_at=None)
            return _described(started, event.payload or ERASED_START)
        case WorkerErased.type, WorkerErased.version:
            return _described(summary, ERASED_START)
        case WorkerStopped.type, _:
            return msgspec.structs.replace(summary, status="stopped", stopped_at=now)
    return summary


def _daemon(summary: Summary, event: Recorded) -> dict[str, Any]:
    """What an event changes of what is known from daemons, as `producers.workers` has it."""
    match event.type, event.version:
        case daemons.HEARTBEAT, 0:
            return _heard(summary, event)
        case WorkerTurnUsage.type, WorkerTurnUsage.version:
            return {"usage": daemons.used(_or(summary.usage, None), event)}
        case WorkerLimitsSet.type, WorkerLimitsSet.version:
            return {"limits": daemons.limits(event)}
        case WorkerApprovalRequested.type, WorkerApprovalRequested.version:
            return {"open_approvals": _with_approval(summary, event.payload.get("approval_id"))}
        case WorkerApprovalAnswered.type, WorkerApprovalAnswered.version:
            return {"open_approvals": _without_approval(summary, event.payload.get("approval_id"))}
        case WorkerStopped.type, _:
            return {"busy": None, "open_approvals": ()}
        case WorkerErased.type, WorkerErased.version:
            return _UNHEARD
    return {}


def _heard(summary: Summary, event: Recorded) -> dict[str, Any]:
    told = daemons.heartbeat(event)
    if told is None:
        return {}
    takes_requests = told.takes_requests(_or(summary.accepts_requests, False))
    return {"daemon_seen_at": iso6(event.recorded_at), "busy": told.busy, "accepts_requests": takes_requests}


def _words(event: Recorded) -> dict[str, Any]:
    """What an event changes of what version 3 tells besides."""
    match event.type, event.version:
        case (daemons.HEARTBEAT, 0) if told := daemons.heartbeat(event):
            return {"daemon_off": not told.on}
        case (daemons.MIRRORED, 0) if said := daemons.said(event):
            return {"last_words": Words(*said, iso6(event.recorded_at))}
        case WorkerErased.type, WorkerErased.version:
            return _UNSAID
    return {}


def _with_approval(summary: Summary, approval_id: str | None) -> tuple[str, ...]:
    """The newest; one whose payload was erased is not known by name."""
    before = _or(summary.open_approvals, ())
    return before if approval_id is None else tuple(dict.fromkeys((*before, approval_id)))[-daemons.MAX_APPROVALS :]


def _without_approval(summary: Summary, approval_id: str | None) -> tuple[str, ...]:
    return tuple(one for one in _or(summary.open_approvals, ()) if one != approval_id)


def _or(told: T | UnsetType, otherwise: T) -> T:
    """A document may be of a version that lacked the key."""
    return otherwise if told is UNSET else told


def _described(summary: Summary, payload: Payload) -> Summary:
    """As a `worker.started` describes it, the first one or of a reattachment (DEC-51)."""
    return msgspec.structs.replace(
        summary,
        adapter=payload["adapter"],
        workspace_ref=payload["workspace_ref"],
        codex_home_ref=payload["codex_home_ref"],
        metadata=payload["metadata"],
    )


def _worker_id(event: Recorded) -> str:
    return event.stream.removeprefix(names.worker_stream(event.owner, ""))


def _unheard_of(event: Recorded, now: str) -> Summary:
    worker_id = _worker_id(event)
    return Summary(
        document_id=document_id(worker_id),
        worker_id=worker_id,
        status="running",
        owner_user_id=names.owner_user_id(event.owner),
        owner_guest_scope=names.owner_guest_scope(event.owner),
        workspace_ref=None,
        codex_home_ref=None,
        adapter=DEFAULT_ADAPTER,
        metadata={},
        latest_seq=0,
        event_count=0,
        latest_event_type=None,
        latest_event_at=None,
        started_at=now,
        stopped_at=None,
        last_heartbeat_at=None,
        updated_at=None,
        runtime_source=RuntimeSource("codex_worker", worker_id, 0),
        projected_at=now,
    )


_UNHEARD: Final[dict[str, Any]] = {
    "daemon_seen_at": None,
    "busy": None,
    "accepts_requests": False,
    "usage": None,
    "limits": Limits(),
    "open_approvals": (),
}
_UNSAID: Final[dict[str, Any]] = {"daemon_off": False, "last_words": None}

SUMMARIES: Final = View(
    "worker_summaries",
    version=3,
    kinds=(names.WORKER,),
    topic=names.KAFKA_TOPICS[names.WORKER],
    feeds=names.WORKER_SUMMARIES,
    document=Summary,
    doc_key=lambda event: document_id(_worker_id(event)),
    apply=apply,
    older={1: apply_without_daemon, 2: apply_without_words},
    statements=SQL,
)


async def projections(pool: "Pool[Any]", owner: str, worker_ids: Iterable[str]) -> dict[str, WorkerProjection]:
    """The summaries of an owner's workers by worker id; those not projected yet are absent."""
    by_document = {document_id(worker_id): worker_id for worker_id in worker_ids}
    try:
        rows = await pool.fetch(SQL["projections"], owner, list(by_document))
    except asyncpg.UndefinedTableError:  # no projector has ever run here
        return {}
    return {
        by_document[row["doc_key"]]: WorkerProjection(
            *(row["doc_key"], row["doc_version"], row["projection_version"], row["projected_at"]),
            msgspec.json.decode(row["last_words"] or "null", type=Words | None),
        )
        for row in rows
    }
