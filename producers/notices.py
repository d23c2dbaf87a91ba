"""What is worth a notification, judged by what is so when it is written: raised, or cleared (ADR 14).

Each rule reads a stream together with its notification, so whoever looks, and however often, writes what is true.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from producers import budgets, notifications, workers
from producers.budgets import Budget
from producers.eventlog.commands import Part, States
from producers.notifications import Clear, Raise
from producers.spending import Writes
from producers.workers import Worker
from schemas.amounts import msats_of
from schemas.events import Payload
from schemas.names import budget_stream, notification_stream, worker_stream
from schemas.times import iso6

NEARLY: Final = (4, 5)
"""80 % of a budget's total is held or spent."""
STALE_AFTER: Final = timedelta(seconds=120)
TITLES: Final[Mapping[str, str]] = {
    notifications.BUDGET_NEARLY_SPENT: "A budget is nearly spent",
    notifications.APPROVAL_WAITING: "An approval is waiting",
    notifications.WORKER_LOST: "A worker with work to do is not heard of",
    notifications.WEBHOOK_PAUSED: "A webhook is paused",
}


class OfBudget(msgspec.Struct, frozen=True):
    """Is the budget nearly spent?"""

    owner: str
    authorization_id: str

    @property
    def notification_id(self) -> str:
        return f"budget/{self.authorization_id}"

    @property
    def about(self) -> Part:
        return Part(budget_stream(self.authorization_id), self.owner, budgets.DECIDER)

    def judged(self, budget: Budget | None, _: datetime) -> Raise | Clear:
        total_sats = budget.terms.max_total_sats if budget else None
        if budget is None or total_sats is None:
            return Clear(self.notification_id)
        used, (part, whole) = budget.held_msats + budget.spent_msats, NEARLY
        if used * whole < msats_of(total_sats) * part:
            return Clear(self.notification_id)
        subject = {"authorization_id": self.authorization_id, "max_total_sats": total_sats, **budget.snapshot}
        return _raised(self.notification_id, notifications.BUDGET_NEARLY_SPENT, subject)


class OfApproval(msgspec.Struct, frozen=True):
    """Does Codex wait for this answer?"""

    owner: str
    worker_id: str
    approval_id: str

    @property
    def notification_id(self) -> str:
        return f"approval/{self.worker_id}/{self.approval_id}"

    @property
    def about(self) -> Part:
        return Part(worker_stream(self.owner, self.worker_id), self.owner, workers.DECIDER)

    def judged(self, worker: Worker | None, _: datetime) -> Raise | Clear:
        expires_at = worker.approvals.get(self.approval_id) if worker else None
        if expires_at is None:
            return Clear(self.notification_id)
        subject = {"worker_id": self.worker_id, "approval_id": self.approval_id, "expires_at": iso6(expires_at)}
        return _raised(self.notification_id, notifications.APPROVAL_WAITING, subject)


class OfWorker(msgspec.Struct, frozen=True):
    """Is a worker that has work to do not heard of?"""

    owner: str
    worker_id: str

    @property
    def notification_id(self) -> str:
        return f"worker/{self.worker_id}"

    @property
    def about(self) -> Part:
        return Part(worker_stream(self.owner, self.worker_id), self.owner, workers.DECIDER)

    def judged(self, worker: Worker | None, now: datetime) -> Raise | Clear:
        if worker is None or not _is_lost(worker, now) or worker.daemon is None:
            return Clear(self.notification_id)
        subject = {"worker_id": self.worker_id, "daemon_seen_at": iso6(worker.daemon.seen_at)}
        return _raised(self.notification_id, notifications.WORKER_LOST, subject)


class OfTurn(msgspec.Struct, frozen=True):
    """Is anything left to do about a turn that was not paid? Asked when there is not: who pays has changed since."""

    owner: str
    worker_id: str
    turn_id: str

    @property
    def notification_id(self) -> str:
        return f"turn/{self.worker_id}/{self.turn_id}"

    @property
    def about(self) -> Part:
        return Part(worker_stream(self.owner, self.worker_id), self.owner, workers.DECIDER)

    def judged(self, _: Worker | None, __: datetime) -> Raise | Clear:
        return Clear(self.notification_id)


Question = OfBudget | OfApproval | OfWorker | OfTurn


def parts(question: Question) -> list[Part]:
    return [_notification(question), question.about]


def judge(states: States, question: Question, now: datetime) -> Writes:
    notification = _notification(question).stream
    command = question.judged(states[question.about.stream], now)
    return [(notification, event) for event in notifications.decide(states[notification], command, now)]


def webhook_paused(webhook_id: int) -> Raise:
    """Nobody answered there for a day, or said never to come again (ADR 15)."""
    subject = {"webhook_id": webhook_id}
    return _raised(webhook_notification_id(webhook_id), notifications.WEBHOOK_PAUSED, subject)


def webhook_notification_id(webhook_id: int) -> str:
    return f"webhook/{webhook_id}"


def _notification(question: Question) -> Part:
    stream = notification_stream(question.owner, question.notification_id)
    return Part(stream, question.owner, notifications.DECIDER)


def _is_lost(worker: Worker, now: datetime) -> bool:
    """A daemon that said goodbye is not lost."""
    daemon = worker.daemon
    if worker.status != "running" or daemon is None or daemon.state(now, STALE_AFTER) not in ("asleep", "gone"):
        return False
    return bool(daemon.busy or worker.open_requests or worker.expiring or worker.approvals)


def _raised(notification_id: str, cause: str, subject: Payload) -> Raise:
    return Raise(notification_id, cause, TITLES[cause], subject)
