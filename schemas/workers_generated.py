"""Events of worker streams as the log keeps them: the records of the topic `oa.workers`.

Made by `python -m schemas.generate` from `openagents/workers/v1/events.proto`; not to be edited.
"""

from typing import Any, ClassVar, Final

from msgspec import UNSET, UnsetType

from schemas.events import KnownEvent, Payload


class WorkerStarted(KnownEvent, frozen=True):
    """A worker was created, or created again after it had stopped (runtime §7.1)."""

    type: ClassVar[str] = "worker.started"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerStarted"
    json_fields: ClassVar[frozenset[str]] = frozenset({"metadata"})
    status: str
    adapter: str
    workspace_ref: str | None
    codex_home_ref: str | None
    metadata: Payload
    reason: str | UnsetType = UNSET


class WorkerRequestReceived(KnownEvent, frozen=True):
    """Somebody asked a worker something (runtime §7.2, DEC-45)."""

    type: ClassVar[str] = "worker.request.received"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerRequestReceived"
    json_fields: ClassVar[frozenset[str]] = frozenset({"params"})
    request_id: str
    method: str
    params: Any = UNSET


class WorkerResponse(KnownEvent, frozen=True):
    """What the adapter answered to a request (runtime §7.2)."""

    type: ClassVar[str] = "worker.response"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerResponse"
    json_fields: ClassVar[frozenset[str]] = frozenset({"response"})
    request_id: str
    response: Payload


class WorkerStopped(KnownEvent, frozen=True):
    """A worker was stopped through the API (runtime §7.1, DEC-51)."""

    type: ClassVar[str] = "worker.stopped"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerStopped"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    reason: str


EVENTS: Final[tuple[type[KnownEvent], ...]] = (
    WorkerStarted,
    WorkerRequestReceived,
    WorkerResponse,
    WorkerStopped,
)
OPEN_PAYLOAD: Final = "openagents.workers.v1.OpenPayload"
