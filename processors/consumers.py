"""Whoever takes a topic's records: what the process gives them, and what it asks of them."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from processors.arrivals import Arrival
from processors.lag import Health
from processors.log_source import LogSource
from schemas.tracing import Spans

if TYPE_CHECKING:
    import asyncpg


@dataclass(frozen=True)
class Host:
    """The process that all of them are in."""

    pool: "asyncpg.Pool[Any]"
    clock: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    spans: Spans | None = None


@dataclass(frozen=True)
class Feed:
    """A topic as it is on Kafka, and the log behind it."""

    topic: str
    partitions: int
    generation: int
    source: LogSource


class Consumer(Protocol):
    """Something that follows a topic: a view, or whoever reacts to events.

    `leisure_s` is how long what has arrived may wait for more.
    """

    @property
    def leisure_s(self) -> float: ...

    async def take(self, arrivals: Sequence[Arrival]) -> None:
        """Returns once none of these has to come again; what never arrived is filled from the log."""

    async def run(self) -> None:
        """What it does beside, for ever."""

    def health(self) -> Health:
        """Whether it moves, and how far it is behind (DESIGN I9)."""


Begin = Callable[[Host, Feed], Awaitable[Consumer]]
