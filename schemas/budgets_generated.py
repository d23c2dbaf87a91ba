"""Events of budget and hold streams as the log keeps them: the records of the topic `oa.budgets`.

Made by `python -m schemas.generate` from `openagents/budgets/v1/events.proto`; not to be edited.
"""

from typing import Any, ClassVar, Final

from msgspec import UNSET, UnsetType

from schemas.events import KnownEvent, Payload


class BudgetAuthorized(KnownEvent, frozen=True):
    """A budget envelope was made (runtime §1.8); amounts are as they were given."""

    type: ClassVar[str] = "budget.authorized"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.budgets.v1.BudgetAuthorized"
    json_fields: ClassVar[frozenset[str]] = frozenset({"path", "constraints", "metadata"})
    authorization_id: str
    path: Any
    mode: str
    constraints: Payload
    metadata: Payload
    issued_at: str
    run_id: str | UnsetType = UNSET
    thread_id: str | UnsetType = UNSET
    autopilot_id: str | UnsetType = UNSET
    parent_authorization_id: str | UnsetType = UNSET
    max_total_sats: int | UnsetType = UNSET
    max_per_call_sats: int | UnsetType = UNSET
    max_per_day_sats: int | UnsetType = UNSET
    threshold_sats: int | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET


class BudgetRevoked(KnownEvent, frozen=True):
    """No further hold is taken (DEC-29)."""

    type: ClassVar[str] = "budget.revoked"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.budgets.v1.BudgetRevoked"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    revoked_at: str
    reason: str | UnsetType = UNSET


class BudgetHeld(KnownEvent, frozen=True):
    """A hold was taken; it counts on the UTC day it was made (DEC-50)."""

    type: ClassVar[str] = "budget.held"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.budgets.v1.BudgetHeld"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    hold_id: str
    amount_msats: int
    day: str


class BudgetSpent(KnownEvent, frozen=True):
    """A hold was spent, in whole or in part; the rest is free again."""

    type: ClassVar[str] = "budget.spent"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.budgets.v1.BudgetSpent"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    hold_id: str
    held_msats: int
    spent_msats: int
    day: str


class BudgetFreed(KnownEvent, frozen=True):
    """A hold was given back."""

    type: ClassVar[str] = "budget.freed"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.budgets.v1.BudgetFreed"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    hold_id: str
    amount_msats: int
    day: str


class HoldReserved(KnownEvent, frozen=True):
    """Money is held before its effect (runtime §1.8)."""

    type: ClassVar[str] = "hold.reserved"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.budgets.v1.HoldReserved"
    json_fields: ClassVar[frozenset[str]] = frozenset({"path", "metadata"})
    hold_id: str
    authorization_id: str
    path: Any
    run_id: str
    tool_call_id: str
    amount_msats: int
    retry_class: str
    day: str
    metadata: Payload
    provider_idempotency_key: str | UnsetType = UNSET
    approved: bool | UnsetType = UNSET


class HoldCharged(KnownEvent, frozen=True):
    """Usage that is metered against the hold before it is committed: the sum so far."""

    type: ClassVar[str] = "hold.charged"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.budgets.v1.HoldCharged"
    json_fields: ClassVar[frozenset[str]] = frozenset({"source"})
    charged_msats: int
    source: Any = UNSET


class HoldCommitted(KnownEvent, frozen=True):
    """The effect happened (runtime §3.5)."""

    type: ClassVar[str] = "hold.committed"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.budgets.v1.HoldCommitted"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    spent_msats: int
    reconciled: bool
    provider_correlation_id: str | UnsetType = UNSET
    provider_idempotency_key: str | UnsetType = UNSET


class HoldReleased(KnownEvent, frozen=True):
    """The effect did not happen (runtime §3.5)."""

    type: ClassVar[str] = "hold.released"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.budgets.v1.HoldReleased"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    reconciled: bool
    failure_reason: str | UnsetType = UNSET


class HoldReconcileRequired(KnownEvent, frozen=True):
    """Nobody knows whether the effect happened; the hold is kept (runtime §3.5)."""

    type: ClassVar[str] = "hold.reconcile_required"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.budgets.v1.HoldReconcileRequired"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    reason: str


EVENTS: Final[tuple[type[KnownEvent], ...]] = (
    BudgetAuthorized,
    BudgetRevoked,
    BudgetHeld,
    BudgetSpent,
    BudgetFreed,
    HoldReserved,
    HoldCharged,
    HoldCommitted,
    HoldReleased,
    HoldReconcileRequired,
)
OPEN_PAYLOAD: Final = "openagents.budgets.v1.OpenPayload"
