"""Events of a worker that the server writes itself (runtime §7.1–7.3, DEC-45, DEC-51)."""

from typing import Any, ClassVar, Final

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


class WorkerErased(KnownEvent, frozen=True):
    """What people wrote into the stream before this event is gone (ADR 12)."""

    type: ClassVar[str] = "worker.erased"


ERASED_START: Final = WorkerStarted(
    status="running", adapter="erased", workspace_ref=None, codex_home_ref=None, metadata={}
).payload()
"""What a `worker.started` says whose payload was erased."""
