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
    json_fields: ClassVar[frozenset[str]] = frozenset({"params", "requested_by"})
    request_id: str
    method: str
    params: Any = UNSET
    deadline: str | UnsetType = UNSET
    requested_by: Payload | UnsetType = UNSET


class WorkerResponse(KnownEvent, frozen=True):
    """What the worker answered to a request (runtime §7.2, DEC-45)."""

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


class WorkerError(KnownEvent, frozen=True):
    """A request failed, or nobody answered it before its deadline (runtime §7.2, DEC-45)."""

    type: ClassVar[str] = "worker.error"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerError"
    json_fields: ClassVar[frozenset[str]] = frozenset({"response"})
    request_id: str
    response: Payload


class WorkerRequestClaimed(KnownEvent, frozen=True):
    """A daemon took a request and will answer it; nobody else may (DEC-45)."""

    type: ClassVar[str] = "worker.request.claimed"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerRequestClaimed"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    request_id: str
    claim_id: str
    daemon_id: str


class WorkerMessageClaimed(KnownEvent, frozen=True):
    """A daemon took a person's message and will run it; nobody else may (docs/adr/0013)."""

    type: ClassVar[str] = "worker.message.claimed"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerMessageClaimed"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    message_id: str
    seq: int
    claim_id: str
    daemon_id: str


class WorkerMessageExpired(KnownEvent, frozen=True):
    """Nobody claimed a message before the time its sender gave it (docs/adr/0013)."""

    type: ClassVar[str] = "worker.message.expired"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerMessageExpired"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    message_id: str


class WorkerTurnUsage(KnownEvent, frozen=True):
    """What a turn used, told when it ended (docs/adr/0013)."""

    type: ClassVar[str] = "worker.turn.usage"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerTurnUsage"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    thread_id: str
    turn_id: str
    outcome: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_output_tokens: int
    total_tokens: int
    model: str | UnsetType = UNSET


class WorkerLimitsSet(KnownEvent, frozen=True):
    """The caps on what turns may use from now on; an absent one is no cap (docs/adr/0013)."""

    type: ClassVar[str] = "worker.limits.set"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerLimitsSet"
    json_fields: ClassVar[frozenset[str]] = frozenset({"set_by"})
    turn_tokens: int | UnsetType = UNSET
    day_tokens: int | UnsetType = UNSET
    set_by: Payload | UnsetType = UNSET


class WorkerApprovalRequested(KnownEvent, frozen=True):
    """Codex asks whether it may do something (docs/adr/0013)."""

    type: ClassVar[str] = "worker.approval.requested"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerApprovalRequested"
    json_fields: ClassVar[frozenset[str]] = frozenset({"choices", "changes"})
    approval_id: str
    kind: str
    thread_id: str
    turn_id: str
    item_id: str
    choices: Any
    expires_at: str
    command: str | UnsetType = UNSET
    cwd: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    changes: Any = UNSET


class WorkerApprovalAnswered(KnownEvent, frozen=True):
    """What became of an approval, and who said so (docs/adr/0013)."""

    type: ClassVar[str] = "worker.approval.answered"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.workers.v1.WorkerApprovalAnswered"
    json_fields: ClassVar[frozenset[str]] = frozenset({"answered_by"})
    approval_id: str
    decision: str
    cause: str
    answered_by: Payload | UnsetType = UNSET
    request_id: str | UnsetType = UNSET


EVENTS: Final[tuple[type[KnownEvent], ...]] = (
    WorkerStarted,
    WorkerRequestReceived,
    WorkerResponse,
    WorkerStopped,
    WorkerError,
    WorkerRequestClaimed,
    WorkerMessageClaimed,
    WorkerMessageExpired,
    WorkerTurnUsage,
    WorkerLimitsSet,
    WorkerApprovalRequested,
    WorkerApprovalAnswered,
)
OPEN_PAYLOAD: Final = "openagents.workers.v1.OpenPayload"
