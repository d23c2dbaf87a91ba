"""A clock that a test moves."""

from datetime import datetime, timedelta

from tests.submissions import NOON


class Clock:
    """Wall time and monotonic seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds
