"""Events of notification streams as the log keeps them: the records of the topic `oa.notifications`.

Made by `python -m schemas.generate` from `openagents/notifications/v1/events.proto`; not to be edited.
"""

from typing import ClassVar, Final

from schemas.events import KnownEvent, Payload


class NotificationRaised(KnownEvent, frozen=True):
    """Something its owner should look at."""

    type: ClassVar[str] = "notification.raised"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.notifications.v1.NotificationRaised"
    json_fields: ClassVar[frozenset[str]] = frozenset({"subject"})
    notification_id: str
    cause: str
    title: str
    subject: Payload


class NotificationCleared(KnownEvent, frozen=True):
    """There is nothing to look at any more."""

    type: ClassVar[str] = "notification.cleared"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.notifications.v1.NotificationCleared"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    notification_id: str
    cause: str


EVENTS: Final[tuple[type[KnownEvent], ...]] = (
    NotificationRaised,
    NotificationCleared,
)
OPEN_PAYLOAD: Final = "openagents.notifications.v1.OpenPayload"
