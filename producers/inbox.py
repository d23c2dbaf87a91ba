"""Inboxes: the frames of a run in the order they came, as they were sent (runtime §1.3, DEC-42)."""

from datetime import datetime
from typing import Final

import msgspec

from producers.eventlog.commands import Decider
from schemas.events import NewEvent, Payload, Recorded
from schemas.inbox_generated import FrameReceived
from schemas.names import INBOX
from schemas.runs import FrameLost, InboxErased


class Inbox(msgspec.Struct, frozen=True):
    """How many frames came, and the seq of the last event: what a run's cursor is compared with."""

    frames: int
    last_seq: int


class ReceiveFrame(msgspec.Struct, frozen=True):
    """`payload_hash` is H(payload); `occurred_at` is what the sender says (RFC 3339)."""

    frame_id: str
    frame_type: str
    payload: Payload
    payload_hash: str
    occurred_at: str | None = None


class EraseInbox(msgspec.Struct, frozen=True):
    """What was sent until now is going to be erased (ADR 12)."""


Command = ReceiveFrame | EraseInbox


def decide(_: Inbox | None, command: Command, __: datetime) -> list[NewEvent]:
    """Frames are taken in every state of the run; whether one came before is a matter of its identity."""
    match command:
        case ReceiveFrame(frame_id, frame_type, payload, payload_hash, occurred_at):
            at = msgspec.UNSET if occurred_at is None else occurred_at
            return [FrameReceived(frame_id, frame_type, payload, payload_hash, at)]
        case EraseInbox():
            return [InboxErased()]


def evolve(inbox: Inbox | None, event: Recorded) -> Inbox:
    frames = inbox.frames if inbox else 0
    return Inbox(frames + (event.type == FrameReceived.type), event.seq)


def stand_in(_: int) -> NewEvent:
    return FrameLost()


DECIDER: Final[Decider[Inbox, Command]] = Decider(
    kind=INBOX,
    state=Inbox,
    state_version=1,
    decide=decide,
    evolve=evolve,
    stand_in=stand_in,
    erase=EraseInbox(),
)
