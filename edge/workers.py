"""What the public and the signed routes do with workers: commands, snapshots and lists (runtime §2.13–2.16, §7)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from producers.errors import Forbidden, InvalidRequest, NotFound
from producers.eventlog.commands import Identity, IdentityKey, Item, Outcome
from producers.eventlog.log import EventLog
from producers.eventlog.retention import EVENT_SCOPE
from producers.eventlog.streams import Snapshot, StreamReader
from producers.workers import (
    DECIDER,
    AppendEvent,
    Command,
    CreateWorker,
    SendRequest,
    StopWorker,
    Worker,
)
from readmodels.workers import WorkerProjection, document_id
from schemas import hashing
from schemas.events import Payload
from schemas.names import CONTROL_CHARACTERS, worker_stream
from schemas.times import iso6

DEFAULT_LIMIT = 50
MAX_BATCH = 500


Projections = Callable[[str, Sequence[str]], Awaitable[Mapping[str, WorkerProjection]]]
"""Summaries of an owner's workers by worker id."""


@dataclass(frozen=True)
class WorkerSettings:
    heartbeat_stale_after: timedelta = timedelta(seconds=120)


class Call(NamedTuple):
    """Who calls, about which worker, and what goes into the events' headers."""

    owner: str
    worker_id: str
    headers: Mapping[str, str] = {}
    size: int = 0


class NewEvent(NamedTuple):
    """One item of a batch (DEC-47)."""

    event_id: str
    event_type: str
    payload: Payload


class Answer(NamedTuple):
    """`data` of the response, and whether the command had been accepted before (202 or 200)."""

    data: dict[str, Any]
    replayed: bool


class Workers:
    def __init__(
        self,
        log: EventLog,
        streams: StreamReader,
        projections: Projections,
        settings: WorkerSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._log = log
        self._streams = streams
        self._projections = projections
        self._settings = settings
        self._clock = clock

    async def create(self, call: Call, command: CreateWorker) -> Answer:
        """New, reattached, or a replay while it runs (runtime §2.14)."""
        [outcome] = await self._execute(call, [Item(command)])
        created = {
            "workerId": outcome.state.worker_id,
            "status": outcome.state.status,
            "latestSeq": outcome.seq,
            "idempotentReplay": outcome.replayed,
        }
        return Answer(created, outcome.replayed)

    async def append(self, call: Call, command: AppendEvent) -> Answer:
        [outcome] = await self._execute(call, [Item(command)])
        [event] = outcome.events
        appended = {
            "worker_id": call.worker_id,
            "seq": event.seq,
            "event_type": event.type,
            "payload": event.payload,
            "occurred_at": iso6(event.recorded_at),
        }
        return Answer(appended, replayed=False)

    async def append_batch(self, call: Call, events: Sequence[NewEvent]) -> Answer:
        """In order, all or none; `event_id` is the identity of an event for its worker (DEC-47)."""
        outcomes = await self._execute(call, [_identified(call, event) for event in events])
        items = [
            {"event_id": event.event_id, "seq": outcome.seq, "idempotent_replay": outcome.replayed}
            for event, outcome in zip(events, outcomes, strict=True)
        ]
        return Answer({"worker_id": call.worker_id, "events": items}, all(item["idempotent_replay"] for item in items))

    async def request(self, call: Call, command: SendRequest) -> Answer:
        """Every request is echoed (runtime §7.2)."""
        [outcome] = await self._execute(call, [Item(command)])
        response = outcome.events[-1].payload["response"]
        answered = {"worker_id": call.worker_id, "request_id": command.request_id, "ok": True, "response": response}
        return Answer(answered, replayed=False)

    async def stop(self, call: Call, command: StopWorker) -> Answer:
        [outcome] = await self._execute(call, [Item(command)])
        stopped = {
            "worker_id": call.worker_id,
            "status": outcome.state.status,
            "idempotent_replay": outcome.replayed,
        }
        return Answer(stopped, outcome.replayed)

    async def snapshot(self, call: Call) -> dict[str, Any]:
        return self._document(await self.existing(call))

    async def list(
        self, owner: str, *, status: str | None, workspace_ref: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """The owner's workers, last changed first, each with how far its summary is (runtime §2.13)."""
        where = {"status": status, "workspace_ref": workspace_ref}
        given = {field: value for field, value in where.items() if value is not None}
        found = await self._streams.newest(DECIDER, owner, given, limit)
        projections = await self._projections(owner, [snapshot.state.worker_id for snapshot in found])
        return [
            {**self._document(snapshot), "khala_projection": _lag(snapshot, projections.get(snapshot.state.worker_id))}
            for snapshot in found
        ]

    async def existing(self, call: Call) -> Snapshot[Worker]:
        """The caller's worker; raises NotFound, or Forbidden when only somebody else has the id (DEC-44)."""
        _check_name("worker_id", call.worker_id)
        snapshot = await self._streams.get(DECIDER, worker_stream(call.owner, call.worker_id))
        if snapshot is None:
            raise await self._absence(call)
        return snapshot

    async def _execute(self, call: Call, items: Sequence[Item[Command]]) -> Sequence[Outcome[Worker]]:
        _check_name("worker_id", call.worker_id)
        stream = worker_stream(call.owner, call.worker_id)
        try:
            return await self._log.execute(DECIDER, stream, call.owner, items, headers=call.headers, size=call.size)
        except NotFound as error:
            raise await self._absence(call) from error

    async def _absence(self, call: Call) -> Forbidden | NotFound:
        if await self._streams.worker_is_elsewhere(call.worker_id, call.owner):
            return Forbidden("the worker belongs to somebody else")
        return NotFound("no such worker")

    def _document(self, snapshot: Snapshot[Worker]) -> dict[str, Any]:
        """Runtime §2.15, with the heartbeat classified as §7.4 says."""
        worker = snapshot.state
        age_ms = max(0, int((self._clock() - worker.last_heartbeat_at).total_seconds() * 1000))
        stale_after_ms = int(self._settings.heartbeat_stale_after.total_seconds() * 1000)
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
        }


def _check_name(field: str, text: str) -> None:
    if CONTROL_CHARACTERS.search(text):
        raise InvalidRequest(f"{field} must not contain control characters")


def _heartbeat_state(worker: Worker, age_ms: int, stale_after_ms: int) -> str:
    if worker.status in ("stopped", "failed"):
        return worker.status
    return "stale" if age_ms > stale_after_ms else "fresh"


def _identified(call: Call, event: NewEvent) -> Item[Command]:
    key = IdentityKey(EVENT_SCOPE + worker_stream(call.owner, call.worker_id), event.event_id)
    fingerprint = hashing.digest([event.event_type, event.payload])
    return Item(AppendEvent(event.event_type, event.payload), Identity(key, fingerprint))


def _lag(snapshot: Snapshot[Worker], projection: WorkerProjection | None) -> dict[str, Any]:
    """A complete object from the start: a partial one would make the whole list undecodable for iOS (edge §2.6)."""
    seq = projection.last_runtime_seq if projection else 0
    lag = max(snapshot.seq - seq, 0)
    projected_at = projection.last_projected_at if projection else None
    return {
        "document_id": document_id(snapshot.state.worker_id),
        "last_runtime_seq": seq,
        "lag_events": lag,
        "status": "lagging" if lag else "in_sync",
        "projection_version": projection.projection_version if projection else "khala_summary_v1",
        "last_projected_at": iso6(projected_at) if projected_at else None,
    }
