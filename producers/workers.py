"""Workers: a remote coding session that records what it does and can be steered (runtime §1.9, §7; ADR 13)."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

import msgspec

from producers import worker_events
from producers.daemons import Daemon, heard
from producers.errors import Conflict, InvalidRequest, NotFound, Rejection
from producers.eventlog.commands import Decider
from schemas import daemons, sanitiser
from schemas.daemons import MAX_APPROVALS, Charging, Limits, Usage
from schemas.events import KnownEvent, NewEvent, OpenEvent, Payload, Recorded
from schemas.names import WORKER, worker_id_of
from schemas.times import iso6
from schemas.workers import (
    ERASED_START,
    WorkerApprovalAnswered,
    WorkerApprovalRequested,
    WorkerErased,
    WorkerError,
    WorkerLimitsSet,
    WorkerLost,
    WorkerMessageClaimed,
    WorkerMessageExpired,
    WorkerRequestClaimed,
    WorkerRequestReceived,
    WorkerResponse,
    WorkerStarted,
    WorkerStopped,
    WorkerTurnUsage,
)

Status = Literal["starting", "running", "stopping", "stopped", "failed"]
DEFAULT_ADAPTER: Final = "in_memory"
MAX_OPEN_REQUESTS: Final = 128
MAX_EXPIRING: Final = 1000
ANSWERS: Final = (WorkerResponse.type, WorkerError.type)
ALREADY_CLAIMED, TOO_LATE, NOT_OPEN = "already_claimed", "too_late", "not_open"
TOO_MANY, OFFLINE, NO_ANSWER = -32001, -32002, -32003
_WORKER_ID: Final = re.compile(r"[A-Za-z0-9._:-]{3,160}")
_ENDED: Final = ("stopped", "failed")


class OpenRequest(NamedTuple):
    """A request that has neither an answer nor reached its deadline."""

    deadline: datetime
    claimed: bool = False


class Worker(msgspec.Struct, frozen=True, omit_defaults=True):
    """A worker's state, inline in its stream. `requests` counts since it was created or reattached (runtime §7.2).

    From `daemon` on: what ADR 13 keeps of what its daemon said and of what waits for it; messages by their expiry,
    approvals by the time from which silence denies.
    """

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
    daemon: Daemon | None = None
    open_requests: dict[str, OpenRequest] = {}
    expiring: dict[str, datetime] = {}
    approvals: dict[str, datetime] = {}
    limits: Limits | None = None
    usage: Usage | None = None
    charging: Charging | None = None

    @property
    def accepts_requests(self) -> bool:
        """Otherwise requests are echoed (DEC-45)."""
        return self.daemon is not None and self.daemon.accepts_requests


class CreateWorker(msgspec.Struct, frozen=True):
    """Create, reattach, or find running already; the other fields count for a new or reattached worker only."""

    worker_id: str
    adapter: str | None = None
    workspace_ref: str | None = None
    codex_home_ref: str | None = None
    metadata: Payload | None = None
    owner_is_ambiguous: bool = False


class AppendEvent(msgspec.Struct, frozen=True):
    """What a client tells. `expires` is of a claim: the claimed message has `params.expires_at`."""

    event_type: str
    payload: Payload
    expires: bool = False


class SendRequest(msgspec.Struct, frozen=True):
    """Ask the daemon; a worker whose daemon takes no requests echoes."""

    request_id: str
    method: str
    params: Any = None
    requested_by: Payload = {}
    answer_within: timedelta = timedelta(seconds=15)
    stale_after: timedelta = timedelta(seconds=120)


class StopWorker(msgspec.Struct, frozen=True):
    reason: str | None = None


class EraseWorker(msgspec.Struct, frozen=True):
    """What was written into the stream until now is going to be erased (ADR 12)."""


class Wake(msgspec.Struct, frozen=True):
    """End what nobody took or answered in time."""


Command = CreateWorker | AppendEvent | SendRequest | StopWorker | EraseWorker | Wake


class Undelivered(Rejection):
    """A request that did not reach the daemon: nothing was written, and the caller gets a JSON-RPC error (DEC-45)."""

    code = "conflict"

    def __init__(self, error_code: int, message: str) -> None:
        super().__init__(message)
        self.error_code = error_code


def decide(worker: Worker | None, command: Command, now: datetime) -> list[NewEvent]:
    match command:
        case CreateWorker():
            return _create(worker, command)
        case _ if worker is None:
            raise NotFound("no such worker")
        case AppendEvent():
            return _ingest(worker, command, now)
        case StopWorker():
            return [] if worker.status == "stopped" else _stop(worker, command)
        case EraseWorker():
            return [*_unanswered(worker.open_requests, OFFLINE, "the worker was erased"), WorkerErased()]
        case SendRequest():
            return _request(worker, command, now)
        case Wake():
            return _overdue(worker, now)


def evolve(worker: Worker | None, event: Recorded) -> Worker:
    """Version 0 is what clients ingested: of that stops, heartbeats and messages mean something (ADR 13)."""
    if event.type == WorkerStarted.type and event.version > 0:
        return _started(worker, event)
    assert worker is not None, "a worker's first event is worker.started"
    at = event.recorded_at
    told = (_WRITTEN if event.version else _INGESTED).get(event.type)
    changes = told(worker, event) if told else {}
    return msgspec.structs.replace(worker, updated_at=at, last_heartbeat_at=at, **changes)


def wake_at(worker: Worker) -> datetime | None:
    """When `Wake` has something to do: the first deadline or expiry, by whole seconds, so that it moves rarely."""
    if not (worker.open_requests or worker.expiring):
        return None
    first = min([*(request.deadline for request in worker.open_requests.values()), *worker.expiring.values()])
    return first.replace(microsecond=0) + timedelta(seconds=first.microsecond > 0)


def stand_in(seq: int) -> NewEvent:
    return OpenEvent(WorkerStarted.type, ERASED_START, WorkerStarted.version) if seq == 1 else WorkerLost()


DECIDER: Final[Decider[Worker, Command]] = Decider(
    kind=WORKER,
    state=Worker,
    state_version=2,
    decide=decide,
    evolve=evolve,
    stand_in=stand_in,
    wake_at=wake_at,
    wake=Wake(),
    erase=EraseWorker(),
)


# --- deciding -------------------------------------------------------------------------------------------------------


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


def _stop(worker: Worker, command: StopWorker) -> list[NewEvent]:
    """Whoever waits for an answer is told before the worker ends."""
    ended = _unanswered(worker.open_requests, OFFLINE, "the worker was stopped")
    return [*ended, WorkerStopped(reason=command.reason or "stop_requested")]


def _ingest(worker: Worker, command: AppendEvent, now: datetime) -> list[NewEvent]:
    worker_events.check(command.event_type, command.payload)
    if command.event_type == WorkerStopped.type:
        return _ingested_stop(worker, command.payload)
    _require_running(worker)
    if typed := worker_events.typed(command.event_type, command.payload):
        _check_claim(worker, typed, command, now)
        return [typed]
    if command.event_type in ANSWERS and (answer := _answer(worker, command, now)):
        return [answer]
    _check_room(worker, command, now)
    return [OpenEvent(command.event_type, worker_events.sanitised(command.payload), version=0)]


def _ingested_stop(worker: Worker, payload: Payload) -> list[NewEvent]:
    if worker.status != "stopped":
        _require_running(worker)
    stopped = {"reason": "event_stop"} | worker_events.sanitised(payload)
    ended = _unanswered(worker.open_requests, OFFLINE, "the worker was stopped")
    return [*ended, OpenEvent(WorkerStopped.type, stopped, version=0)]


def _check_claim(worker: Worker, typed: KnownEvent, command: AppendEvent, now: datetime) -> None:
    """Whether there is something to claim; that nobody did before is a matter of the claim's identity (ADR 13)."""
    match typed:
        case WorkerRequestClaimed():
            _check_request_claim(worker.open_requests.get(typed.request_id), now)
        case WorkerMessageClaimed():
            expires_at = worker.expiring.get(typed.message_id)
            if expires_at <= now if expires_at else command.expires:
                raise Conflict("the message has expired", reason_code=TOO_LATE)


def _check_request_claim(request: OpenRequest | None, now: datetime) -> None:
    if request is None:
        raise Conflict("the request is not open", reason_code=NOT_OPEN)
    if request.claimed:
        raise Conflict("the request was claimed already", reason_code=ALREADY_CLAIMED)
    if request.deadline <= now:
        raise Conflict("the request's deadline is over", reason_code=TOO_LATE)


def _answer(worker: Worker, command: AppendEvent, now: datetime) -> NewEvent | None:
    """What closes an open request; later or other answers are only recorded."""
    request_id = command.payload.get("request_id")
    request = worker.open_requests.get(request_id) if isinstance(request_id, str) else None
    if request is None or request.deadline <= now:
        return None
    response = worker_events.sanitised(command.payload).get("response")
    if not isinstance(response, dict):
        raise InvalidRequest(f"{command.event_type}: response must be an object")
    kind = WorkerResponse if command.event_type == WorkerResponse.type else WorkerError
    return kind(request_id=str(request_id), response=response)


def _check_room(worker: Worker, command: AppendEvent, now: datetime) -> None:
    expiring = worker_events.expiring(command.event_type, command.payload, 0)
    if expiring and expiring.expires_at > now and len(worker.expiring) >= MAX_EXPIRING:
        raise Conflict(f"{MAX_EXPIRING} messages with an expiry wait already")


def _request(worker: Worker, command: SendRequest, now: datetime) -> list[NewEvent]:
    _require_running(worker)
    daemon = worker.daemon
    if daemon is None or not daemon.accepts_requests:
        return _echo(worker, command)
    if command.request_id in worker.open_requests:
        raise Conflict("a request of this id is open")
    if daemon.state(now, command.stale_after) in ("asleep", "off", "gone"):
        raise Undelivered(OFFLINE, "the worker is offline")
    if len(worker.open_requests) >= MAX_OPEN_REQUESTS:
        raise Undelivered(TOO_MANY, "too many requests are open")
    return [
        WorkerRequestReceived(
            request_id=command.request_id,
            method=command.method,
            params={} if command.params is None else command.params,
            deadline=iso6(now + command.answer_within),
            requested_by=command.requested_by,
        )
    ]


def _echo(worker: Worker, command: SendRequest) -> list[NewEvent]:
    """What the `in_memory` adapter answers (runtime §7.2)."""
    params = {} if command.params is None else command.params
    result = {"status": "accepted", "method": command.method, "echo": params, "request_count": worker.requests + 1}
    return [
        WorkerRequestReceived(request_id=command.request_id, method=command.method, params=params),
        WorkerResponse(
            request_id=command.request_id,
            response={"jsonrpc": "2.0", "id": command.request_id, "result": result},
        ),
    ]


def _overdue(worker: Worker, now: datetime) -> list[NewEvent]:
    late = [request_id for request_id, request in worker.open_requests.items() if request.deadline <= now]
    expired = [message_id for message_id, expires_at in worker.expiring.items() if expires_at <= now]
    unanswered = _unanswered(late, NO_ANSWER, "no answer before the deadline")
    return [*unanswered, *(WorkerMessageExpired(message_id) for message_id in expired)]


def _unanswered(request_ids: Iterable[str], code: int, message: str) -> list[NewEvent]:
    return [WorkerError(request_id, error_response(request_id, code, message)) for request_id in request_ids]


def error_response(request_id: str, code: int, message: str) -> Payload:
    """A JSON-RPC 2.0 error."""
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


def _require_running(worker: Worker) -> None:
    if worker.status != "running":
        raise Conflict(f"the worker is {worker.status}" if worker.status in _ENDED else "the worker is not running")


# --- evolving -------------------------------------------------------------------------------------------------------


def _started(worker: Worker | None, event: Recorded) -> Worker:
    """A reattached worker keeps what waits for it and what it used."""
    at = event.recorded_at
    payload = event.payload or ERASED_START
    written = {name: payload[name] for name in _DESCRIPTION}
    if worker is not None:
        fresh = {"updated_at": at, "last_heartbeat_at": at, "stopped_at": None, "requests": 0}
        return msgspec.structs.replace(worker, status=payload["status"], **written, **fresh)
    return Worker(
        worker_id=worker_id_of(event.stream),
        owner=event.owner,
        status=payload["status"],
        **written,
        started_at=at,
        updated_at=at,
        last_heartbeat_at=at,
    )


def _stopped(worker: Worker, event: Recorded) -> Payload:
    idle = msgspec.structs.replace(worker.daemon, busy=None) if worker.daemon else None
    return {"status": "stopped", "stopped_at": event.recorded_at, "daemon": idle, "approvals": {}}


def _erased(_: Worker, __: Recorded) -> Payload:
    """The same worker without what people, and programs for them, wrote about it; its requests ended just before."""
    described = {name: ERASED_START[name] for name in _DESCRIPTION}
    return described | {
        "daemon": None,
        "expiring": {},
        "approvals": {},
        "limits": None,
        "usage": None,
        "charging": None,
    }


def _heartbeat(worker: Worker, event: Recorded) -> Payload:
    return {"daemon": heard(worker.daemon, event)}


def _message(worker: Worker, event: Recorded) -> Payload:
    found = worker_events.expiring(event.type, event.payload, event.seq)
    if found is None or found.expires_at <= event.recorded_at:
        return {}
    return {"expiring": {**worker.expiring, found.message_id: found.expires_at}}


def _requested(worker: Worker, event: Recorded) -> Payload:
    """One without a deadline is echoed, and never open."""
    counted = {"requests": worker.requests + 1}
    request_id, deadline = _text(event, "request_id"), worker_events.moment(event.payload.get("deadline"))
    if deadline is None or request_id is None:
        return counted
    return counted | {"open_requests": {**worker.open_requests, request_id: OpenRequest(deadline)}}


def _request_claimed(worker: Worker, event: Recorded) -> Payload:
    request_id = _text(event, "request_id")
    if request_id is None or request_id not in worker.open_requests:
        return {}
    request = worker.open_requests[request_id]
    return {"open_requests": {**worker.open_requests, request_id: request._replace(claimed=True)}}


def _answered(worker: Worker, event: Recorded) -> Payload:
    return {"open_requests": _without(worker.open_requests, event.payload.get("request_id"))}


def _taken(worker: Worker, event: Recorded) -> Payload:
    return {"expiring": _without(worker.expiring, event.payload.get("message_id"))}


def _approval_requested(worker: Worker, event: Recorded) -> Payload:
    approval_id, expires_at = _text(event, "approval_id"), worker_events.moment(event.payload.get("expires_at"))
    if approval_id is None or expires_at is None:
        return {}
    newest = [*worker.approvals.items(), (approval_id, expires_at)][-MAX_APPROVALS:]
    return {"approvals": dict(newest)}


def _approval_answered(worker: Worker, event: Recorded) -> Payload:
    return {"approvals": _without(worker.approvals, event.payload.get("approval_id"))}


def _limited(_: Worker, event: Recorded) -> Payload:
    return {"limits": daemons.limits(event)}


def _used(worker: Worker, event: Recorded) -> Payload:
    return {"usage": daemons.used(worker.usage, event)}


def _charged(_: Worker, event: Recorded) -> Payload:
    return {"charging": daemons.charging(event)}


def _text(event: Recorded, name: str) -> str | None:
    """None when the payload was erased."""
    value = event.payload.get(name)
    return value if isinstance(value, str) else None


def _without(waiting: Mapping[str, Any], key: Any) -> Payload:
    return {name: value for name, value in waiting.items() if name != key}


_DESCRIPTION: Final = ("adapter", "workspace_ref", "codex_home_ref", "metadata")
_Changes = Callable[[Worker, Recorded], Payload]
_INGESTED: Final[Mapping[str, _Changes]] = {
    WorkerStopped.type: _stopped,
    daemons.HEARTBEAT: _heartbeat,
    daemons.CHARGING_SET: _charged,
    worker_events.MESSAGE: _message,
}
_WRITTEN: Final[Mapping[str, _Changes]] = {
    WorkerStopped.type: _stopped,
    WorkerErased.type: _erased,
    WorkerRequestReceived.type: _requested,
    WorkerRequestClaimed.type: _request_claimed,
    WorkerResponse.type: _answered,
    WorkerError.type: _answered,
    WorkerMessageClaimed.type: _taken,
    WorkerMessageExpired.type: _taken,
    WorkerApprovalRequested.type: _approval_requested,
    WorkerApprovalAnswered.type: _approval_answered,
    WorkerLimitsSet.type: _limited,
    WorkerTurnUsage.type: _used,
}
