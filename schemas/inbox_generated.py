"""Events of inbox streams as the log keeps them, frames as they were sent (DEC-42): the records of `oa.inbox`.

Made by `python -m schemas.generate` from `openagents/inbox/v1/events.proto`; not to be edited.
"""

from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from schemas.events import KnownEvent, Payload


class FrameReceived(KnownEvent, frozen=True):
    """Input to a run, as it was sent (runtime §1.3)."""

    type: ClassVar[str] = "frame.received"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.inbox.v1.FrameReceived"
    json_fields: ClassVar[frozenset[str]] = frozenset({"payload"})
    frame_id: str
    frame_type: str
    payload: Payload
    payload_hash: str
    occurred_at: str | UnsetType = UNSET


EVENTS: Final[tuple[type[KnownEvent], ...]] = (FrameReceived,)
OPEN_PAYLOAD: Final = "openagents.inbox.v1.OpenPayload"
