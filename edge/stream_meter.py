"""What sessions of run streams tell: how they ended, what they sent, how often they looked (runtime §9)."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

from edge import metrics
from schemas.runs_generated import EVENTS

Outcome = Literal["tail_timeout", "client_closed", "failed"]

_TYPES: Final = {event.type for event in EVENTS} | {"text.delta", "tool.call", "tool.progress", "tool.result"}
_OTHERS: Final = "other"
"""Of an event whose type a client chose: that is no label."""


class Unmetered:
    """Nobody counts: a worker's stream has no end that its sessions could miss."""

    def polled(self) -> None:
        """The log was asked."""

    def woken(self) -> None:
        """The tail brought an event."""

    def emitted(self, types: Sequence[str], frames: Sequence[str]) -> None:
        """A chunk: the frames of each event."""

    def ended(self, outcome: Outcome) -> None:
        """Told once, with how it ended."""


class RunMeter(Unmetered):
    """One session."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._polls = self._wakeups = self._events = self._chunks = 0

    def polled(self) -> None:
        self._polls += 1

    def woken(self) -> None:
        self._wakeups += 1

    def emitted(self, types: Sequence[str], frames: Sequence[str]) -> None:
        self._chunks += 1
        self._events += len(types)
        for event_type, text in zip(types, frames, strict=True):
            labels = (event_type if event_type in _TYPES else _OTHERS, "ok")
            metrics.EMITS.labels(*labels).inc()
            metrics.EMIT_FRAMES.labels(*labels).observe(text.count("\n\n"))

    def ended(self, outcome: Outcome) -> None:
        metrics.SESSIONS.labels(outcome).inc()
        metrics.SESSION_MS.labels(outcome).observe((self._clock() - self._began) * 1000)
        metrics.SESSION_EVENTS.labels(outcome).observe(self._events)
        metrics.SESSION_CHUNKS.labels(outcome).observe(self._chunks)
        metrics.SESSION_WAKEUPS.labels(outcome).observe(self._wakeups)
        metrics.SESSION_POLLS.labels(outcome).observe(self._polls)
