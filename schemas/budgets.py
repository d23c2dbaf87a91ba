"""Events of budgets and of the holds on them (runtime §1.8, §3.5; ADR 14)."""

from typing import ClassVar

from schemas.budgets_generated import (
    EVENTS,
    OPEN_PAYLOAD,
    BudgetAuthorized,
    BudgetFreed,
    BudgetHeld,
    BudgetRevoked,
    BudgetSpent,
    HoldCharged,
    HoldCommitted,
    HoldReconcileRequired,
    HoldReleased,
    HoldReserved,
)
from schemas.events import KnownEvent

__all__ = [
    "EVENTS",
    "OPEN_PAYLOAD",
    "BudgetAuthorized",
    "BudgetFreed",
    "BudgetHeld",
    "BudgetLost",
    "BudgetRevoked",
    "BudgetSpent",
    "HoldCharged",
    "HoldCommitted",
    "HoldLost",
    "HoldReconcileRequired",
    "HoldReleased",
    "HoldReserved",
]


class BudgetLost(KnownEvent, frozen=True):
    """Stands where an event stood that a recovery left out (ADR 11); has no fields, so no record on Kafka."""

    type: ClassVar[str] = "budget.lost"
    version: ClassVar[int] = 1


class HoldLost(KnownEvent, frozen=True):
    """The same in the stream of a hold."""

    type: ClassVar[str] = "hold.lost"
    version: ClassVar[int] = 1
