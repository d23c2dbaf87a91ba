"""What callers see of a worker: its snapshot, and its item in a list (runtime §2.13, §2.15, §7.4; ADR 13)."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from producers.eventlog.streams import Snapshot
from producers.workers import Worker
from readmodels.workers import WorkerProjection, document_id
from schemas.daemons import Limits
from schemas.times import iso6


def document(snapshot: Snapshot[Worker], now: datetime, stale_after: timedelta) -> dict[str, Any]:
    """Runtime §2.15, with the heartbeat classified as §7.4 says; then what only daemons of ADR 13 tell."""
    worker = snapshot.state
    age_ms = max(0, int((now - worker.last_heartbeat_at).total_seconds() * 1000))
    stale_after_ms = int(stale_after.total_seconds() * 1000)
    return {
        "worker_id": worker.worker_id,
        "status": worker.status,
        "latest_seq": snapshot.seq,
        "workspace_ref": worker.workspace_ref,
        "codex_home_ref": worker.codex_home_ref,
        "adapter": worker.adapter,
        "metadata": worker.metadata,
        "started_at": iso6(worker.started_at),
        "stopped_at": iso6(worker.stopped_at) if worker.stopped_at else None,
        "updated_at": iso6(worker.updated_at),
        "last_heartbeat_at": iso6(worker.last_heartbeat_at),
        "heartbeat_age_ms": age_ms,
        "heartbeat_stale_after_ms": stale_after_ms,
        "heartbeat_state": _heartbeat_state(worker, age_ms, stale_after_ms),
        **_daemon(worker, now, stale_after),
        "usage": msgspec.to_builtins(worker.usage),
        "limits": msgspec.structs.asdict(worker.limits or Limits()),
        "open_approvals": [name for name, expires_at in worker.approvals.items() if expires_at > now],
    }


def listed(document: dict[str, Any], projection: WorkerProjection | None) -> dict[str, Any]:
    """A complete object from the start: a partial one would make the whole list undecodable for iOS (edge §2.6)."""
    seq = projection.last_runtime_seq if projection else 0
    lag = max(document["latest_seq"] - seq, 0)
    projected_at = projection.last_projected_at if projection else None
    how_far = {
        "document_id": document_id(document["worker_id"]),
        "last_runtime_seq": seq,
        "lag_events": lag,
        "status": "lagging" if lag else "in_sync",
        "projection_version": projection.projection_version if projection else "khala_summary_v1",
        "last_projected_at": iso6(projected_at) if projected_at else None,
    }
    words = projection.last_words if projection else None
    return {**document, "last_words": msgspec.to_builtins(words), "khala_projection": how_far}


def _heartbeat_state(worker: Worker, age_ms: int, stale_after_ms: int) -> str:
    if worker.status in ("stopped", "failed"):
        return worker.status
    return "stale" if age_ms > stale_after_ms else "fresh"


def _daemon(worker: Worker, now: datetime, stale_after: timedelta) -> dict[str, Any]:
    daemon = worker.daemon
    return {
        "daemon_seen_at": iso6(daemon.seen_at) if daemon else None,
        "daemon_state": daemon.state(now, stale_after) if daemon else None,
        "busy": msgspec.structs.asdict(daemon.busy) if daemon and daemon.busy else None,
        "accepts_requests": worker.accepts_requests,
        "consumed_seq": daemon.consumed_seq if daemon else None,
    }
