"""Events about runs that have no record on Kafka: they are sent as open payloads."""

from typing import ClassVar

from schemas.events import KnownEvent


class RunPruned(KnownEvent, frozen=True):
    """The run's events up to this seq are not served any more; `event_hash` is the last one's link (DEC-38)."""

    type: ClassVar[str] = "run.pruned"
    version: ClassVar[int] = 1
    through_seq: int
    event_hash: str


class InboxErased(KnownEvent, frozen=True):
    """What people sent to the run before this event is gone (ADR 12)."""

    type: ClassVar[str] = "inbox.erased"
    version: ClassVar[int] = 1


class FrameLost(KnownEvent, frozen=True):
    """Stands where a frame stood that a recovery left out (ADR 11)."""

    type: ClassVar[str] = "frame.lost"
    version: ClassVar[int] = 1
