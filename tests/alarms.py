"""A stream that rings when its time has come: the smallest decider that needs a timer.

`python -m tests.alarms DSN` runs its timers until somebody ends the process.
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from ops.database import open_pool
from producers.eventlog.commands import Decider
from producers.eventlog.timers import Timers
from schemas import times
from schemas.events import NewEvent, OpenEvent, Recorded

OWNER = "user:41"


class Alarm(msgspec.Struct, frozen=True):
    at: datetime | None = None
    rung: int = 0


class Set(msgspec.Struct, frozen=True):
    at: datetime | None


class Note(msgspec.Struct, frozen=True):
    """Says something and moves no timer."""


class Ring(msgspec.Struct, frozen=True):
    """What a timer does."""


class OutOfOrder(Exception):
    pass


Command = Set | Note | Ring


def decide(alarm: Alarm | None, command: Command, now: datetime) -> Sequence[NewEvent]:
    match command:
        case Set(at):
            return [OpenEvent("alarm.set", {"at": times.iso6(at) if at else None})]
        case Note():
            return [OpenEvent("alarm.noted", {})]
        case Ring():
            assert alarm is not None
            return [OpenEvent("alarm.rung", {})] if alarm.at and alarm.at <= now else []


def evolve(alarm: Alarm | None, event: Recorded) -> Alarm:
    alarm = alarm or Alarm()
    match event.type:
        case "alarm.set":
            at = event.payload["at"]
            return msgspec.structs.replace(alarm, at=times.parse(at) if at else None)
        case "alarm.rung":
            return msgspec.structs.replace(alarm, at=None, rung=alarm.rung + 1)
    return alarm


ALARMS: Decider[Alarm, Command] = Decider(
    kind="alarm",
    state=Alarm,
    state_version=1,
    decide=decide,
    evolve=evolve,
    stand_in=lambda seq: OpenEvent("alarm.lost", {}),
    wake_at=lambda alarm: alarm.at,
    wake=Ring(),
)


def stream(name: str) -> str:
    return f"alarm/{OWNER}/{name}"


async def main(dsn: str) -> None:
    async with open_pool(dsn, 2) as pool:
        await Timers(pool, [ALARMS], clock=lambda: datetime.now(UTC)).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
