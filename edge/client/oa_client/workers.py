"""Workers and their events as the wire carries them (runtime §2.13–2.17, sync §14.1)."""

from typing import Any

import msgspec

Payload = dict[str, Any]


class Worker(msgspec.Struct, frozen=True):
    """A list item or a snapshot; the first four are always there (edge §2.6)."""

    worker_id: str
    status: str
    latest_seq: int
    adapter: str
    workspace_ref: str | None = None
    metadata: Any = None
    started_at: str | None = None
    stopped_at: str | None = None
    updated_at: str | None = None
    last_heartbeat_at: str | None = None
    heartbeat_state: str | None = None
    khala_projection: Payload | None = None


class CreatedWorker(msgspec.Struct, frozen=True, rename="camel"):
    worker_id: str
    status: str
    latest_seq: int
    idempotent_replay: bool


class PostedEvent(msgspec.Struct, frozen=True):
    worker_id: str
    seq: int
    event_type: str
    payload: Payload
    occurred_at: str


class NewEvent(msgspec.Struct, frozen=True):
    """An event to post in a batch; its id makes posting it again harmless (runtime DEC-47)."""

    event_id: str
    event_type: str
    payload: Payload


class AcceptedEvent(msgspec.Struct, frozen=True):
    event_id: str
    seq: int
    idempotent_replay: bool


class AcceptedBatch(msgspec.Struct, frozen=True):
    worker_id: str
    events: list[AcceptedEvent]


class WorkerAnswer(msgspec.Struct, frozen=True):
    worker_id: str
    request_id: str
    ok: bool
    response: Any


class StoppedWorker(msgspec.Struct, frozen=True):
    worker_id: str
    status: str
    idempotent_replay: bool


class WorkerEvent(msgspec.Struct, frozen=True, rename="camel"):
    """A recorded event, the same on the stream and on the socket; `seq` is gap-free per worker."""

    worker_id: str
    seq: int
    event_type: str
    payload: Payload
    occurred_at: str


_HEARTBEATS = ("stale", "fresh")


def preferred(workers: list[Worker]) -> Worker | None:
    """The worker a phone would pick (edge §2.12, step 4)."""
    return max(workers, key=_preference, default=None)


def _preference(worker: Worker) -> tuple[Any, ...]:
    source = worker.metadata.get("source") if isinstance(worker.metadata, dict) else None
    heartbeat = worker.heartbeat_state or ""
    return (
        worker.status == "running",
        worker.adapter == "desktop_bridge" or worker.worker_id.startswith("desktopw:") or source == "autopilot-desktop",
        ":shared" in worker.worker_id,
        _HEARTBEATS.index(heartbeat) + 1 if heartbeat in _HEARTBEATS else 0,
        worker.last_heartbeat_at or "",
        worker.started_at or "",
        worker.latest_seq,
        worker.worker_id,
    )
