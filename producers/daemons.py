"""Daemons: what the heartbeats of the program behind a worker tell about it (runtime §7.4, ADR 13)."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from schemas.events import Recorded

SOURCE: Final = "autopilot-desktop"
GONE_AFTER: Final = timedelta(hours=24)
DaemonState = Literal["working", "idle", "asleep", "off", "gone"]
Word = Annotated[str, msgspec.Meta(max_length=255)]


class Busy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a daemon works on; `since` is as the daemon wrote it."""

    what: Word
    since: Word
    thread_id: Word | None = None
    turn_id: Word | None = None


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


def heard(before: Daemon | None, heartbeat: Recorded) -> Daemon | None:
    """The daemon after a heartbeat; what it does not say in the right shape it does not say.

    One that says goodbye still takes requests: they wait for nobody, but are not echoed either (DEC-45).
    """
    told = heartbeat.payload
    if told.get("source") != SOURCE:
        return before
    on = told.get("daemon") != "off"
    return Daemon(
        seen_at=heartbeat.recorded_at,
        on=on,
        accepts_requests=told.get("accepts_requests") is True or (not on and bool(before and before.accepts_requests)),
        busy=_busy(told.get("busy")) if on else None,
        consumed_seq=_greatest(before.consumed_seq if before else None, told.get("consumed_seq"), heartbeat.seq),
    )


def _busy(told: Any) -> Busy | None:
    try:
        return msgspec.convert(told, Busy) if told is not None else None
    except msgspec.ValidationError:
        return None


def _greatest(before: int | None, told: Any, seq: int) -> int | None:
    """Nobody can have consumed what comes after the heartbeat."""
    if type(told) is not int or not 0 <= told < seq:
        return before
    return told if before is None else max(before, told)
