"""The current time as an argument (DESIGN I10)."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns an aware UTC datetime."""


def system_clock() -> datetime:
    return datetime.now(UTC)


def unix_seconds(clock: Clock) -> int:
    return int(clock().timestamp())
