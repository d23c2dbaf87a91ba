"""Events of run, ownership and lease streams as the log keeps them: the records of the topic `oa.runs`.

Made by `python -m schemas.generate` from `openagents/runs/v1/events.proto`; not to be edited.
"""

from typing import Any, ClassVar, Final

from msgspec import UNSET, UnsetType

from schemas.events import KnownEvent, Payload


class RunCreated(KnownEvent, frozen=True):
    """Whose run it is and of which thread; the only event of an ownership stream (DEC-2)."""

    type: ClassVar[str] = "run.created"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.RunCreated"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    run_id: str
    thread_id: str


class RunStarted(KnownEvent, frozen=True):
    """The executor took the run up (runtime §1.5)."""

    type: ClassVar[str] = "run.started"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.RunStarted"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    actor: str | UnsetType = UNSET


class RunDelta(KnownEvent, frozen=True):
    """Words of the run (runtime §1.5)."""

    type: ClassVar[str] = "run.delta"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.RunDelta"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    delta: str
    frame_id: str


class RunFrameConsumed(KnownEvent, frozen=True):
    """A frame that is neither words nor an end (runtime §4.1)."""

    type: ClassVar[str] = "run.frame_consumed"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.RunFrameConsumed"
    json_fields: ClassVar[frozenset[str]] = frozenset({"payload"})
    frame_id: str
    frame_type: str
    payload: Payload


class RunCancelRequested(KnownEvent, frozen=True):
    """Somebody asked the run to end, by the API or by a frame (runtime §1.5)."""

    type: ClassVar[str] = "run.cancel_requested"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.RunCancelRequested"
    json_fields: ClassVar[frozenset[str]] = frozenset({"payload"})
    reason: str
    requested_by: str | UnsetType = UNSET
    requested_at: str | UnsetType = UNSET
    frame_id: str | UnsetType = UNSET
    frame_type: str | UnsetType = UNSET
    payload: Payload | UnsetType = UNSET
    reason_class: str | UnsetType = UNSET


class RunLoopDetected(KnownEvent, frozen=True):
    """The frames go in circles (runtime §4.4)."""

    type: ClassVar[str] = "run.loop_detected"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.RunLoopDetected"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    frame_id: str
    frame_type: str
    detector: str
    level: str
    count: int
    reason_code: str
    loop_detected_reason: str
    message: str


class RunExecutorLost(KnownEvent, frozen=True):
    """A lease ran out while its run had work (runtime §4.3)."""

    type: ClassVar[str] = "run.executor_lost"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.RunExecutorLost"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    lease_owner: str
    lease_expires_at: str
    detected_at: str
    last_progress_seq: int


class RunFinished(KnownEvent, frozen=True):
    """The run's end; there is one at most (runtime §1.2)."""

    type: ClassVar[str] = "run.finished"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.RunFinished"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    status: str
    reason_class: str
    reason: str
    frame_id: str | UnsetType = UNSET
    reason_code: str | UnsetType = UNSET
    detector: str | UnsetType = UNSET
    loop_detected_reason: str | UnsetType = UNSET


class PolicyDecision(KnownEvent, frozen=True):
    """What was not allowed, and why (runtime §1.5, §3.6); from `amount_sats` on what `oa policy explain` tells."""

    type: ClassVar[str] = "policy.decision"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.PolicyDecision"
    json_fields: ClassVar[frozenset[str]] = frozenset({"budget", "rule", "inputs"})
    decision: str
    reason_code: str
    tool_call_id: str
    budget: Payload
    policy_decision_id: str
    authorization_id: str | UnsetType = UNSET
    authorization_mode: str | UnsetType = UNSET
    amount_sats: int | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    rule: Any = UNSET
    inputs: Any = UNSET


class PolicyBudgetExhausted(KnownEvent, frozen=True):
    """Follows the decision whose payload it repeats (runtime §1.5)."""

    type: ClassVar[str] = "policy.budget_exhausted"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.PolicyBudgetExhausted"
    json_fields: ClassVar[frozenset[str]] = frozenset({"budget", "rule", "inputs"})
    decision: str
    reason_code: str
    tool_call_id: str
    budget: Payload
    policy_decision_id: str
    authorization_id: str | UnsetType = UNSET
    authorization_mode: str | UnsetType = UNSET
    amount_sats: int | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    rule: Any = UNSET
    inputs: Any = UNSET


class SpendAnswered(KnownEvent, frozen=True):
    """What became of a spend request that came as a frame."""

    type: ClassVar[str] = "spend.answered"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.SpendAnswered"
    json_fields: ClassVar[frozenset[str]] = frozenset({"reservation"})
    frame_id: str
    tool_call_id: str
    operation: str
    ok: bool
    reason_code: str | UnsetType = UNSET
    reservation: Any = UNSET


class LeaseAcquired(KnownEvent, frozen=True):
    """An executor has the run for itself (runtime §1.6)."""

    type: ClassVar[str] = "lease.acquired"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.LeaseAcquired"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    outcome: str
    lease_owner: str
    lease_expires_at: str
    last_progress_seq: int


class LeaseReleased(KnownEvent, frozen=True):
    """Nothing is left to do (DEC-9)."""

    type: ClassVar[str] = "lease.released"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.runs.v1.LeaseReleased"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    lease_owner: str
    last_progress_seq: int


EVENTS: Final[tuple[type[KnownEvent], ...]] = (
    RunCreated,
    RunStarted,
    RunDelta,
    RunFrameConsumed,
    RunCancelRequested,
    RunLoopDetected,
    RunExecutorLost,
    RunFinished,
    PolicyDecision,
    PolicyBudgetExhausted,
    SpendAnswered,
    LeaseAcquired,
    LeaseReleased,
)
OPEN_PAYLOAD: Final = "openagents.runs.v1.OpenPayload"
