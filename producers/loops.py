"""Loops: whether the frames of a run go in circles (runtime §4.4)."""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final, NamedTuple

from schemas import hashing
from schemas.events import Payload

WINDOW: Final = 30
REASON_CODE: Final = "loop_detected.no_progress"
GLOBAL, POLL, PING_PONG, REPEAT = "global_circuit_breaker", "known_poll_no_progress", "ping_pong", "generic_repeat"
WARNING, CRITICAL = "warning", "critical"

_OF_TOOLS: Final = frozenset(("tool_result", "tool_status", "tool_call", "tool_output", "agent_action"))
_POLLING: Final = frozenset(("tool_result", "tool_status", "tool_call"))
_POLL_ACTIONS: Final = frozenset(("poll", "log"))
_SYNONYMS: Final = (
    ("tool_name", "toolName"),
    ("action",),
    ("status",),
    ("exit_code", "exitCode"),
    ("total_lines", "totalLines"),
    ("text", "output", "message"),
)


class Seen(NamedTuple):
    """What is kept of a frame to compare later ones with; `poll` is None of one that is no poll."""

    frame_type: str
    signature: str
    poll: str | None


class Detected(NamedTuple):
    """The first detector that fired, and how many it counted."""

    detector: str
    level: str
    times: int


class Thresholds(NamedTuple):
    """How many are too many."""

    warning: int = 10
    critical: int = 20
    breaker: int = 30

    def normalised(self) -> "Thresholds":
        """Each is above the one before it."""
        critical = max(self.critical, self.warning + 1)
        return Thresholds(self.warning, critical, max(self.breaker, critical + 1))


DEFAULTS: Final = Thresholds().normalised()


def seen(frame_type: str, payload: Payload, payload_hash: str) -> Seen:
    """`payload_hash` is H(payload)."""
    return Seen(frame_type, f"{frame_type}:{payload_hash}", _poll(frame_type, payload))


def detect(before: Sequence[Seen], current: Seen, thresholds: Thresholds = DEFAULTS) -> Detected | None:
    """The first hit over the frames before, of which the last `WINDOW` count, and the current one."""
    frames = [*before[-WINDOW:], current]
    backwards = frames[::-1]
    of_tools = sum(frame.frame_type in _OF_TOOLS for frame in frames)
    if of_tools >= thresholds.breaker:
        return Detected(GLOBAL, CRITICAL, of_tools)
    counts = (
        (POLL, _equal(frame.poll for frame in backwards) if current.poll else 0),
        (PING_PONG, _alternating([frame.signature for frame in backwards])),
        (REPEAT, _equal(frame.signature for frame in backwards)),
    )
    for detector, count in counts:
        if count >= thresholds.warning:
            return Detected(detector, CRITICAL if count >= thresholds.critical else WARNING, count)
    return None


def _poll(frame_type: str, payload: Payload) -> str | None:
    """The poll signature of a frame that only asks how something is going."""
    named = [next((payload[name] for name in names if name in payload), None) for names in _SYNONYMS]
    tool, action = named[0], named[1]
    is_poll = tool == "command_status" or (tool == "process" and isinstance(action, str) and action in _POLL_ACTIONS)
    if frame_type not in _POLLING or not is_poll:
        return None
    fields = [names[0] for names in _SYNONYMS]
    return hashing.hex_digest({"frame_type": frame_type, **dict(zip(fields, named, strict=True))})


def _equal(backwards: Iterable[str | None]) -> int:
    """How many are like the first."""
    signatures = list(backwards)
    return sum(1 for _ in takewhile(lambda signature: signature == signatures[0], signatures))


def _alternating(backwards: Sequence[str]) -> int:
    """How long two different ones take turns; 0 when the first two are equal."""
    if len(backwards) < 2 or backwards[0] == backwards[1]:
        return 0
    turns = zip(backwards, backwards[2:], strict=False)
    return 2 + sum(1 for _ in takewhile(lambda turn: turn[0] == turn[1], turns))
