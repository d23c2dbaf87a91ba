"""Ownership of runs: whose a run is, of which thread, and from where on its events are kept (runtime §1.1, DEC-2)."""

from datetime import datetime
from typing import Any, Final

import msgspec

from producers.chain import Link
from producers.errors import Conflict, NotFound
from producers.eventlog.commands import Decider, Part, Rules, States
from schemas.events import NewEvent, Recorded
from schemas.names import OWNERSHIP, ownership_stream
from schemas.runs import RunPruned
from schemas.runs_generated import RunCreated

LOST_THREAD: Final = "lost"


class Ownership(msgspec.Struct, frozen=True, omit_defaults=True):
    """Owner and thread never change. The anchor is what the run's kept events are chained to (DEC-38)."""

    thread_id: str
    owner: str
    created_at: datetime
    anchor: Link = Link()


class CreateRun(msgspec.Struct, frozen=True):
    """Create, or find what is there already."""

    run_id: str
    thread_id: str


class PruneRun(msgspec.Struct, frozen=True):
    """Raise the run's floor; `anchor` is the last event that is not kept."""

    anchor: Link


Command = CreateRun | PruneRun


def decide(ownership: Ownership | None, command: Command, _: datetime) -> list[NewEvent]:
    match command:
        case CreateRun() if ownership is None:
            return [RunCreated(command.run_id, command.thread_id)]
        case _ if ownership is None:
            raise NotFound("no such run")
        case CreateRun() if ownership.thread_id == command.thread_id:
            return []
        case CreateRun():
            raise Conflict("the run is of another thread")
        case PruneRun(anchor=(seq, str(event_hash))) if seq > ownership.anchor.seq:
            return [RunPruned(seq, event_hash)]
        case PruneRun():
            return []


def evolve(ownership: Ownership | None, event: Recorded) -> Ownership:
    if ownership is None:
        return Ownership(event.payload["thread_id"], event.owner, event.recorded_at)
    anchor = Link(event.payload["through_seq"], event.payload["event_hash"])
    return msgspec.structs.replace(ownership, anchor=anchor) if anchor.seq > ownership.anchor.seq else ownership


def stand_in(seq: int) -> NewEvent:
    return RunCreated(run_id="", thread_id=LOST_THREAD) if seq == 1 else RunPruned(through_seq=0, event_hash="")


DECIDER: Final[Decider[Ownership, Command]] = Decider(
    kind=OWNERSHIP, state=Ownership, state_version=1, decide=decide, evolve=evolve, stand_in=stand_in
)


def owned(run_id: str, part: Part) -> tuple[Rules[Any], tuple[Part, Part]]:
    """Rules and parts for commands on a stream of a run, which somebody has to own."""
    ownership = Part(ownership_stream(run_id), part.owner, DECIDER)

    def rules(states: States, command: Any, now: datetime) -> list[tuple[str, NewEvent]]:
        if states[ownership.stream] is None:
            raise NotFound("no such run")
        return [(part.stream, new) for new in part.decider.decide(states[part.stream], command, now)]

    return rules, (part, ownership)
