"""What the program behind a worker tells of itself: heartbeats, what turns used, and the caps on that (ADR 13)."""

from datetime import UTC, date
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from schemas.events import Recorded

T = TypeVar("T")
HEARTBEAT: Final = "worker.heartbeat"
MIRRORED: Final = "worker.event"
"""What people say to an agent, and what Codex says (sync §14.1)."""
METERED: Final = "worker.turn.metered"
CHARGING_SET: Final = "worker.charging.set"
SOURCE: Final = "autopilot-desktop"
MAX_APPROVALS: Final = 128
LINE_CHARACTERS: Final = 200
Word = Annotated[str, msgspec.Meta(max_length=255)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class Busy(msgspec.Struct, frozen=True):
    """What a daemon works on; `since` is as the daemon wrote it."""

    what: Word
    since: Word
    thread_id: Word | None = None
    turn_id: Word | None = None


class Heartbeat(msgspec.Struct, frozen=True):
    """What it says in the right shape; the rest it does not say."""

    on: bool
    accepts_requests: bool
    busy: Busy | None
    consumed_seq: int | None

    def takes_requests(self, before: bool) -> bool:
        """A daemon that says goodbye still does: they wait for nobody, but are not echoed either (DEC-45)."""
        return self.accepts_requests or (before and not self.on)


class Usage(msgspec.Struct, frozen=True):
    """What turns used; `day` is the UTC day that `day_tokens` are of."""

    day: date
    day_tokens: int
    total_tokens: int
    turns: int


class Limits(msgspec.Struct, frozen=True):
    """Caps on what turns use; null is no cap."""

    turn_tokens: int | None = None
    day_tokens: int | None = None


class Charging(msgspec.Struct, frozen=True):
    """Which budget pays for a worker's turns: `hold_sats` are held for each, a thousand tokens cost `prices` msats."""

    authorization_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"\A[^/\x00-\x1f\x7f]+\Z")]
    hold_sats: Annotated[int, msgspec.Meta(gt=0, le=2_100_000_000_000_000)]
    prices: Annotated[dict[Word, Count], msgspec.Meta(min_length=1)]

    def cost_msats(self, model: str | None, tokens: int) -> int:
        """Rounded up; what has no price of its own costs as much as the dearest."""
        price = self.prices.get(model or "", max(self.prices.values()))
        return -(-tokens * price // 1000)


class Metered(msgspec.Struct, frozen=True):
    """What a turn has used so far."""

    thread_id: Word
    turn_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
    total_tokens: Count
    model: Word | None = None


def charging(event: Recorded) -> Charging | None:
    """From this event on; None when it is not of the right shape, and nobody pays."""
    return _shaped(event.payload, Charging)


def metered(event: Recorded) -> Metered | None:
    return _shaped(event.payload, Metered)


def heartbeat(event: Recorded) -> Heartbeat | None:
    """None when no daemon of ours wrote it (runtime §7.4)."""
    told = event.payload
    if told.get("source") != SOURCE:
        return None
    on = told.get("daemon") != "off"
    return Heartbeat(
        on=on,
        accepts_requests=told.get("accepts_requests") is True,
        busy=_busy(told.get("busy")) if on else None,
        consumed_seq=_consumed(told.get("consumed_seq"), event.seq),
    )


def said(event: Recorded) -> tuple[Literal["person", "agent"], str] | None:
    """Who says what with a mirrored event, on one line and not all of it; None when it is nothing that is said."""
    match event.payload:
        case {"method": "ios/user_message", "params": {"text": str(text)}}:
            return "person", _line(text)
        case {"method": "item/completed", "params": {"item": {"type": "agentMessage", "text": str(text)}}}:
            return "agent", _line(text)
    return None


def used(before: Usage | None, turn: Recorded) -> Usage:
    """A turn counts on the UTC day on which it was told."""
    tokens, today = turn.payload.get("total_tokens", 0), turn.recorded_at.astimezone(UTC).date()
    before = before or Usage(today, 0, 0, 0)
    earlier = before.day_tokens if before.day == today else 0
    return Usage(today, earlier + tokens, before.total_tokens + tokens, before.turns + 1)


def limits(event: Recorded) -> Limits:
    """Those that are set from now on; an absent one is no cap."""
    return Limits(event.payload.get("turn_tokens"), event.payload.get("day_tokens"))


def _line(text: str) -> str:
    line = " ".join(text[: 4 * LINE_CHARACTERS].split())
    return line if len(line) <= LINE_CHARACTERS else line[: LINE_CHARACTERS - 1] + "…"


def _busy(told: Any) -> Busy | None:
    return _shaped(told, Busy)


def _shaped(told: Any, shape: type[T]) -> T | None:
    try:
        return msgspec.convert(told, shape)
    except msgspec.ValidationError:
        return None


def _consumed(told: Any, seq: int) -> int | None:
    """Nobody can have consumed what comes after the heartbeat."""
    return told if type(told) is int and 0 <= told < seq else None
