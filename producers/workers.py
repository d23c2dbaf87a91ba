"""Workers: a remote coding session that records what it does and can be steered (runtime §1.9, §7)."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from producers.errors import Conflict, InvalidRequest, NotFound
from producers.eventlog.commands import Decider
from schemas import sanitiser
from schemas.events import NewEvent, OpenEvent, Payload, Recorded
from schemas.names import CONTROL_CHARACTERS, WORKER, worker_id_of
from schemas.workers import (
    ERASED_START,
    WorkerErased,
    WorkerLost,
    WorkerRequestReceived,
    WorkerResponse,
    WorkerStarted,
    WorkerStopped,
)

Status = Literal["starting", "running", "stopping", "stopped", "failed"]
DEFAULT_ADAPTER: Final = "in_memory"
MAX_TYPE_LENGTH: Final = 120
_WORKER_ID: Final = re.compile(r"[A-Za-z0-9._:-]{3,160}")
_ENDED: Final = ("stopped", "failed")

# runtime §7.5: an envelope without one of these never counts as a handshake, so it is refused (DEC-31)
_HANDSHAKES: Final = {
    "ios/handshake": ("source", "handshake_id", "device_id", "occurred_at"),
    "desktop/handshake_ack": ("source", "handshake_id", "desktop_session_id", "occurred_at"),
}
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_USER_MESSAGE: Final = "ios/user_message"


class Worker(msgspec.Struct, frozen=True):
    """A worker's state, inline in its stream. `requests` counts since it was created or reattached (runtime §7.2)."""

    worker_id: str
    owner: str
    status: Status
    adapter: str
    workspace_ref: str | None
    codex_home_ref: str | None
    metadata: Payload
    started_at: datetime
    updated_at: datetime
    last_heartbeat_at: datetime
    stopped_at: datetime | None = None
    requests: int = 0


class CreateWorker(msgspec.Struct, frozen=True):
    """Create, reattach, or find running already; the other fields count for a new or reattached worker only."""

    worker_id: str
    adapter: str | None = None
    workspace_ref: str | None = None
    codex_home_ref: str | None = None
    metadata: Payload | None = None
    owner_is_ambiguous: bool = False


class AppendEvent(msgspec.Struct, frozen=True):
    event_type: str
    payload: Payload


class SendRequest(msgspec.Struct, frozen=True):
    request_id: str
    method: str
    params: Any = None


class StopWorker(msgspec.Struct, frozen=True):
    reason: str | None = None


class EraseWorker(msgspec.Struct, frozen=True):
    """What was written into the stream until now is going to be erased (ADR 12)."""


Command = CreateWorker | AppendEvent | SendRequest | StopWorker | EraseWorker


def decide(worker: Worker | None, command: Command, _now: datetime) -> list[NewEvent]:
    match command:
        case CreateWorker():
            return _create(worker, command)
        case _ if worker is None:
            raise NotFound("no such worker")
        case StopWorker():
            return [] if worker.status == "stopped" else [WorkerStopped(reason=command.reason or "stop_requested")]
        case EraseWorker():
            return [WorkerErased()]
        case AppendEvent():
            return [_ingest(worker, command)]
        case SendRequest():
            return _echo(worker, command)


def evolve(worker: Worker | None, event: Recorded) -> Worker:
    """Version 0 is what clients ingested: of those only `worker.stopped` means something (runtime §7.1)."""
    at = event.recorded_at
    if event.type == WorkerStarted.type and event.version > 0:
        return _started(worker, event)
    assert worker is not None, "a worker's first event is worker.started"
    if event.type == WorkerErased.type and event.version > 0:
        return _described(worker, ERASED_START)
    if event.type == WorkerStopped.type:
        return msgspec.structs.replace(worker, status="stopped", stopped_at=at, updated_at=at, last_heartbeat_at=at)
    requests = worker.requests + (event.type == WorkerRequestReceived.type and event.version > 0)
    return msgspec.structs.replace(worker, requests=requests, updated_at=at, last_heartbeat_at=at)


DECIDER: Final[Decider[Worker, Command]] = Decider(
    kind=WORKER, state=Worker, state_version=1, decide=decide, evolve=evolve
)


def stand_in(seq: int) -> NewEvent:
    """What a recovery writes where a lost event stood, so that nobody's cursor skips what comes next (ADR 11)."""
    return OpenEvent(WorkerStarted.type, ERASED_START, WorkerStarted.version) if seq == 1 else WorkerLost()


def _create(worker: Worker | None, command: CreateWorker) -> list[NewEvent]:
    if not _WORKER_ID.fullmatch(command.worker_id):
        raise InvalidRequest("worker_id must be 3 to 160 letters, digits or . _ : -")
    if worker is not None and worker.status not in _ENDED:
        return []
    if worker is None and command.owner_is_ambiguous:
        raise InvalidRequest("a new worker has one owner: a user or a guest")
    return [
        WorkerStarted(
            status="running",
            adapter=command.adapter or (worker.adapter if worker else DEFAULT_ADAPTER),
            workspace_ref=command.workspace_ref or getattr(worker, "workspace_ref", None),
            codex_home_ref=command.codex_home_ref or getattr(worker, "codex_home_ref", None),
            metadata=_metadata(worker, command.metadata),
            reason=msgspec.UNSET if worker is None else "reattach",
        )
    ]


def _metadata(worker: Worker | None, given: Payload | None) -> Payload:
    """Sanitised once, at ingest (DEC-51)."""
    if given is None:
        return worker.metadata if worker else {}
    sanitised: Payload = sanitiser.sanitise(given)
    return sanitised


def _ingest(worker: Worker, command: AppendEvent) -> NewEvent:
    _check_type(command.event_type)
    _check_handshake(command.payload)
    stops = command.event_type == WorkerStopped.type
    if not (stops and worker.status == "stopped"):
        _require_running(worker)
    payload = _sanitised(command.payload)
    if stops:
        payload.setdefault("reason", "event_stop")
    return OpenEvent(command.event_type, payload, version=0)


def _echo(worker: Worker, command: SendRequest) -> list[NewEvent]:
    """What the `in_memory` adapter answers (runtime §7.2); requests reach real workers with DEC-45."""
    _require_running(worker)
    params = {} if command.params is None else command.params
    result = {"status": "accepted", "method": command.method, "echo": params, "request_count": worker.requests + 1}
    return [
        WorkerRequestReceived(request_id=command.request_id, method=command.method, params=params),
        WorkerResponse(
            request_id=command.request_id,
            response={"jsonrpc": "2.0", "id": command.request_id, "result": result},
        ),
    ]


def _started(worker: Worker | None, event: Recorded) -> Worker:
    at = event.recorded_at
    payload = event.payload or ERASED_START
    return Worker(
        worker_id=worker_id_of(event.stream),
        owner=event.owner,
        status=payload["status"],
        adapter=payload["adapter"],
        workspace_ref=payload["workspace_ref"],
        codex_home_ref=payload["codex_home_ref"],
        metadata=payload["metadata"],
        started_at=worker.started_at if worker else at,
        updated_at=at,
        last_heartbeat_at=at,
    )


def _described(worker: Worker, start: Payload) -> Worker:
    """The same worker with what people wrote about it replaced."""
    written = {name: start[name] for name in ("adapter", "workspace_ref", "codex_home_ref", "metadata")}
    return msgspec.structs.replace(worker, **written)


def _require_running(worker: Worker) -> None:
    if worker.status != "running":
        raise Conflict(f"the worker is {worker.status}" if worker.status in _ENDED else "the worker is not running")


def _check_type(event_type: str) -> None:
    legal = event_type.startswith("worker.") and len(event_type) <= MAX_TYPE_LENGTH
    if not legal or CONTROL_CHARACTERS.search(event_type):
        raise InvalidRequest(f"an event type starts with worker. and has {MAX_TYPE_LENGTH} characters at most")


def _check_handshake(payload: Mapping[str, Any]) -> None:
    method = payload.get("method")
    fields = _HANDSHAKES.get(method, ()) if isinstance(method, str) else ()
    missing = [name for name in fields if not isinstance(payload.get(name), str) or not payload[name].strip()]
    if missing:
        raise InvalidRequest(f"{method} needs {', '.join(missing)}")
    if fields and not _is_rfc_3339(payload["occurred_at"]):
        raise InvalidRequest(f"{method}: occurred_at is not an RFC 3339 time")


def _is_rfc_3339(text: str) -> bool:
    try:
        return bool(_RFC_3339.fullmatch(text)) and datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def _sanitised(payload: Payload) -> Payload:
    """Redacted, but for what a person wrote to the agent (DEC-48)."""
    sanitised: Payload = sanitiser.sanitise(payload)
    params = payload.get("params")
    if payload.get("method") == _USER_MESSAGE and isinstance(params, dict) and "text" in params:
        sanitised["params"] = {**sanitised["params"], "text": params["text"]}
    return sanitised
