"""Events of runs and their leases that have no record on Kafka: they are sent as open payloads."""

from typing import ClassVar

from schemas.events import KnownEvent


class RunErased(KnownEvent, frozen=True):
    """What people wrote into the run before this event is gone (ADR 12); `status` is what the run is meanwhile."""

    type: ClassVar[str] = "run.erased"
    version: ClassVar[int] = 1
    status: str


class RunLost(KnownEvent, frozen=True):
    """Stands where an event of a run stood that a recovery left out (ADR 11)."""

    type: ClassVar[str] = "run.lost"
    version: ClassVar[int] = 1


class LeaseLost(KnownEvent, frozen=True):
    """The same of a lease."""

    type: ClassVar[str] = "lease.lost"
    version: ClassVar[int] = 1


class LeaseFramesPassed(KnownEvent, frozen=True):
    """So much of the inbox was passed over without a word in the run's log (runtime §1.3)."""

    type: ClassVar[str] = "lease.frames_passed"
    version: ClassVar[int] = 1
    count: int
