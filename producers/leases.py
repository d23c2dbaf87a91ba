"""Leases: one executor at a time has a run whose work is not done (runtime §1.6, DEC-9, DEC-11)."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from producers.errors import Conflict, NotFound
from producers.eventlog.commands import Decider
from schemas.events import NewEvent, Recorded
from schemas.executions import LeaseFramesPassed, LeaseLost
from schemas.names import LEASE
from schemas.runs_generated import LeaseAcquired, LeaseReleased
from schemas.times import iso6, parse

TTL: Final = timedelta(seconds=30)
ACQUIRED, RENEWED, STOLEN = "acquired", "renewed", "stolen"
HELD, PROGRESSED, NOT_OWNER, NOT_FOUND = "lease_held", "lease_progressed", "not_owner", "not_found"


class Holder(msgspec.Struct, frozen=True):
    """Who has the run, until when, and since when that is known."""

    lease_owner: str
    lease_expires_at: datetime
    heartbeat_at: datetime

    def has_expired(self, now: datetime) -> bool:
        """At the very moment too."""
        return self.lease_expires_at <= now


class Lease(msgspec.Struct, frozen=True, omit_defaults=True):
    """`passed` counts what of the run's inbox was passed over without an event of the run."""

    holder: Holder | None = None
    last_progress_seq: int = 0
    passed: int = 0


class Acquire(msgspec.Struct, frozen=True):
    """`observed` is the run's seq as the executor knows it."""

    lease_owner: str
    observed: int


class Renew(msgspec.Struct, frozen=True):
    lease_owner: str


class MarkProgress(msgspec.Struct, frozen=True):
    lease_owner: str
    seq: int


class Release(msgspec.Struct, frozen=True):
    lease_owner: str


Command = Acquire | Renew | MarkProgress | Release


def decide(lease: Lease | None, command: Command, now: datetime) -> list[NewEvent]:
    match command:
        case Acquire(lease_owner, observed):
            outcome = acquisition(lease, lease_owner, observed, now)
            return [acquired(lease, outcome, lease_owner, _progress(lease), now)]
        case Renew(lease_owner):
            _owned(lease, lease_owner)
            return [acquired(lease, RENEWED, lease_owner, _progress(lease), now)]
        case MarkProgress(lease_owner, seq):
            holder = _owned(lease, lease_owner)
            if _progress(lease) > seq:
                raise Conflict("the lease has gone further", reason_code=NOT_OWNER)
            return [LeaseAcquired(RENEWED, lease_owner, iso6(holder.lease_expires_at), seq)]
        case Release(lease_owner):
            _owned(lease, lease_owner)
            return [LeaseReleased(lease_owner, _progress(lease))]


def acquisition(lease: Lease | None, lease_owner: str, observed: int, now: datetime) -> str:
    """`acquired`, `renewed` or `stolen`; a Conflict when somebody else has the run, or has gone further."""
    if lease is None or lease.holder is None:
        return ACQUIRED
    if lease.holder.lease_owner == lease_owner:
        return RENEWED
    if not lease.holder.has_expired(now):
        raise Conflict("another executor has the run", reason_code=HELD)
    if lease.last_progress_seq > observed:
        raise Conflict("the run has gone further than this executor knows", reason_code=PROGRESSED)
    return STOLEN


def acquired(lease: Lease | None, outcome: str, lease_owner: str, progress: int, now: datetime) -> LeaseAcquired:
    """Progress is kept, whoever has the lease."""
    return LeaseAcquired(outcome, lease_owner, iso6(now + TTL), max(_progress(lease), progress))


def evolve(lease: Lease | None, event: Recorded) -> Lease:
    before = lease or Lease()
    told = event.payload
    match event.type:
        case LeaseAcquired.type:
            holder = Holder(told["lease_owner"], parse(told["lease_expires_at"]), event.recorded_at)
            return msgspec.structs.replace(before, holder=holder, last_progress_seq=told["last_progress_seq"])
        case LeaseReleased.type:
            return msgspec.structs.replace(before, holder=None, last_progress_seq=told["last_progress_seq"])
        case LeaseFramesPassed.type:
            return msgspec.structs.replace(before, passed=before.passed + told["count"])
        case _:
            return before


def wake_at(lease: Lease) -> datetime | None:
    """When an executor that says nothing more counts as lost, by whole seconds (runtime §4.3)."""
    if lease.holder is None:
        return None
    expires_at = lease.holder.lease_expires_at
    return expires_at.replace(microsecond=0) + timedelta(seconds=expires_at.microsecond > 0)


def stand_in(_: int) -> NewEvent:
    return LeaseLost()


DECIDER: Final[Decider[Lease, Command]] = Decider(
    kind=LEASE, state=Lease, state_version=1, decide=decide, evolve=evolve, stand_in=stand_in, wake_at=wake_at
)


def _progress(lease: Lease | None) -> int:
    return lease.last_progress_seq if lease else 0


def _owned(lease: Lease | None, lease_owner: str) -> Holder:
    if lease is None or lease.holder is None:
        raise NotFound("nobody has the run", reason_code=NOT_FOUND)
    if lease.holder.lease_owner != lease_owner:
        raise Conflict("another executor has the run", reason_code=NOT_OWNER)
    return lease.holder
