"""Whether the relay gets on: ready means that what is committed reaches Kafka, or somebody else sees to it (I9)."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from producers.relay import metrics

Monotonic = Callable[[], float]
Now = Callable[[], datetime]


class Health(NamedTuple):
    ready: bool
    lag_positions: int
    lag_seconds: float
    reason: str


class Oldest(NamedTuple):
    """The oldest event that Kafka has not acknowledged."""

    position: int
    recorded_at: datetime


class Pulse:
    """What the relay's parts report, and what follows from it.

    Roles: `starting` (leads, but does not publish yet, or has lost its session), `standby`, `publishing`. Ready are
    `standby` and `publishing`; a role or a lag that does not move for `stuck_after_s` is stuck.
    """

    def __init__(self, stuck_after_s: float, clock: Monotonic, now: Now) -> None:
        self._stuck_after_s = stuck_after_s
        self._clock = clock
        self._now = now
        self._role = "starting"
        self._reason = "starting"
        self._was_ready = False
        self._refused = False
        self._moved_at = clock()
        self._log_seen_at = clock()
        self._head = 0
        self._acknowledged: int | None = None
        self._oldest: Oldest | None = None

    @property
    def acknowledged(self) -> int | None:
        """Up to where Kafka has everything; None when this process cannot know."""
        return self._acknowledged

    def standby(self) -> None:
        self._enter("standby", "somebody else leads")
        self._acknowledged = self._oldest = None

    def publishing(self, position: int) -> None:
        self._enter("publishing", "publishing")
        self._acknowledged = position

    def ended(self, reason: str, *, refused: bool = False) -> None:
        """The session is over; a refusal is told at once, anything else when it lasts."""
        self._enter("starting", reason)
        self._refused = refused

    def moved(self, position: int, recorded_at: datetime) -> None:
        """Kafka has everything up to `position`; `recorded_at` is of the oldest event that it has only now."""
        self._acknowledged = position
        self._moved_at = self._clock()
        metrics.COMMIT_TO_ACK.observe(max(0.0, (self._now() - recorded_at).total_seconds()))

    def saw_log(self, head: int, oldest: Oldest | None) -> None:
        self._head = head
        self._oldest = oldest
        self._log_seen_at = self._clock()
        if oldest is None and self._role == "publishing":
            self._moved_at = self._clock()
        metrics.LAG_POSITIONS.set(self._lag_positions())
        metrics.LAG_SECONDS.set(self._lag_seconds())

    def health(self) -> Health:
        problem = self._problem()
        return Health(problem is None, self._lag_positions(), self._lag_seconds(), problem or self._reason)

    def _enter(self, role: str, reason: str) -> None:
        if role != self._role:
            self._moved_at = self._clock()
        self._role, self._reason, self._refused = role, reason, False
        self._was_ready = self._was_ready or role != "starting"
        metrics.LEADING.set(role == "publishing")

    def _problem(self) -> str | None:
        if self._refused or not self._was_ready:
            return self._reason
        if self._is_past(self._log_seen_at):
            return f"the log has not answered for {self._stuck_after_s:g} s"
        if self._role != "standby" and self._is_past(self._moved_at):
            return f"nothing acknowledged for {self._stuck_after_s:g} s ({self._reason})"
        return None

    def _is_past(self, moment: float) -> bool:
        return self._clock() - moment > self._stuck_after_s

    def _lag_positions(self) -> int:
        return 0 if self._acknowledged is None else max(0, self._head - self._acknowledged)

    def _lag_seconds(self) -> float:
        if self._oldest is None or self._acknowledged is None or self._oldest.position <= self._acknowledged:
            return 0.0
        return max(0.0, (self._now() - self._oldest.recorded_at).total_seconds())
