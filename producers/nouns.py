"""Every kind of stream there is, by its rules: what timers, recovery, erasure and audit work on (ADR 14)."""

from typing import Any, Final

from producers import budgets, deliveries, holds, inbox, leases, notifications, ownership, policies, runs, workers
from producers.eventlog.commands import Decider

DECIDERS: Final[tuple[Decider[Any, Any], ...]] = (
    workers.DECIDER,
    ownership.DECIDER,
    inbox.DECIDER,
    runs.DECIDER,
    leases.DECIDER,
    deliveries.DECIDER,
    policies.DECIDER,
    budgets.DECIDER,
    holds.DECIDER,
    notifications.DECIDER,
)
