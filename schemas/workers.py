"""Events of a worker that the server writes itself (runtime §7.1–7.3, DEC-45, DEC-51)."""

from typing import Any, ClassVar

from msgspec import UNSET, UnsetType

from schemas.events import KnownEvent, Payload


class WorkerStarted(KnownEvent, frozen=True):
    type: ClassVar[str] = "worker.started"
    status: str
    adapter: str
    workspace_ref: str | None
    codex_home_ref: str | None
    metadata: Payload
    reason: str | UnsetType = UNSET


class WorkerRequestReceived(KnownEvent, frozen=True):
    type: ClassVar[str] = "worker.request.received"
    request_id: str
    method: str
    params: Any = UNSET


class WorkerResponse(KnownEvent, frozen=True):
    type: ClassVar[str] = "worker.response"
    request_id: str
    response: Payload


class WorkerStopped(KnownEvent, frozen=True):
    type: ClassVar[str] = "worker.stopped"
    reason: str
