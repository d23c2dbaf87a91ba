"""Notifications: something that its owner should look at, until there is nothing to look at any more (ADR 14)."""

from datetime import datetime
from typing import Final

import msgspec

from producers.eventlog.commands import Decider
from schemas.events import NewEvent, Payload, Recorded
from schemas.names import NOTIFICATION
from schemas.notifications_generated import NotificationCleared, NotificationRaised

BUDGET_NEARLY_SPENT, APPROVAL_WAITING = "budget_nearly_spent", "approval_waiting"
WORKER_LOST, TURN_UNPAID = "worker_lost", "turn_unpaid"
WEBHOOK_PAUSED: Final = "webhook_paused"
LOST: Final = "lost"


class Notification(msgspec.Struct, frozen=True):
    cause: str
    is_open: bool


class Raise(msgspec.Struct, frozen=True):
    """Told once, until it was cleared; `subject` are ids and figures."""

    notification_id: str
    cause: str
    title: str
    subject: Payload


class Clear(msgspec.Struct, frozen=True):
    """Nothing when nobody raised it."""

    notification_id: str


Command = Raise | Clear


def decide(notification: Notification | None, command: Command, _: datetime) -> list[NewEvent]:
    is_open = notification is not None and notification.is_open
    match command:
        case Raise(notification_id, cause, title, subject) if not is_open:
            return [NotificationRaised(notification_id, cause, title, subject)]
        case Clear(notification_id) if notification is not None and is_open:
            return [NotificationCleared(notification_id, notification.cause)]
    return []


def evolve(_: Notification | None, event: Recorded) -> Notification:
    return Notification(event.payload["cause"], event.type == NotificationRaised.type)


def stand_in(_: int) -> NewEvent:
    """What is still so is raised again."""
    return NotificationCleared("", LOST)


DECIDER: Final[Decider[Notification, Command]] = Decider(
    kind=NOTIFICATION, state=Notification, state_version=1, decide=decide, evolve=evolve, stand_in=stand_in
)
"""Nothing in a notification is personal: causes, ids and figures."""
