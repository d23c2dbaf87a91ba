"""The contracts of package openagents.budgets.v1. Made by `python -m schemas.generate`; not to be edited."""

from openagents.budgets.v1.events_pb2 import (
    BudgetAuthorized,
    BudgetEvent,
    BudgetFreed,
    BudgetHeld,
    BudgetRevoked,
    BudgetSpent,
    HoldCharged,
    HoldCommitted,
    HoldReconcileRequired,
    HoldReleased,
    HoldReserved,
    OpenPayload,
)

__all__ = [
    "BudgetAuthorized",
    "BudgetEvent",
    "BudgetFreed",
    "BudgetHeld",
    "BudgetRevoked",
    "BudgetSpent",
    "HoldCharged",
    "HoldCommitted",
    "HoldReconcileRequired",
    "HoldReleased",
    "HoldReserved",
    "OpenPayload",
]
