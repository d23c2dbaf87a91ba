"""Daemons: what the heartbeats of the program behind a worker tell about it (runtime §7.4, ADR 13)."""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from schemas.daemons import Busy, heartbeat
from schemas.events import Recorded

GONE_AFTER: Final = timedelta(hours=24)
DaemonState = Literal["working", "idle", "asleep", "off", "gone"]


class Daemon(msgspec.Struct, frozen=True, omit_defaults=True):
    """As its last heartbeat says; `consumed_seq` is the greatest that any of them said."""

    seen_at: datetime
    on: bool = True
    accepts_requests: bool = False
    busy: Busy | None = None
    consumed_seq: int | None = None

    def state(self, now: datetime, stale_after: timedelta) -> DaemonState:
        age = now - self.seen_at
        if not self.on:
            return "off"
        if age > stale_after:
            return "gone" if age > GONE_AFTER else "asleep"
        return "working" if self.busy else "idle"


def heard(before: Daemon | None, event: Recorded) -> Daemon | None:
    """The daemon after a heartbeat."""
    told = heartbeat(event)
    if told is None:
        return before
    return Daemon(
        seen_at=event.recorded_at,
        on=told.on,
        accepts_requests=told.takes_requests(before is not None and before.accepts_requests),
        busy=told.busy,
        consumed_seq=_greatest(before.consumed_seq if before else None, told.consumed_seq),
    )


def _greatest(before: int | None, told: int | None) -> int | None:
    return max((seq for seq in (before, told) if seq is not None), default=None)
