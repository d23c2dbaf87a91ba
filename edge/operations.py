"""What operators may ask of the whole installation; whoever composes the edge knows how it is done."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias


class Tails(NamedTuple):
    """Up to where this edge has handed out the log (a position) and each document topic (a watermark)."""

    log: int
    journal: Mapping[str, int]


class Drop(NamedTuple):
    """Who leaves an event out for ever, and why."""

    by: str
    why: str


Look: TypeAlias = Callable[[Callable[[], Tails]], Awaitable[dict[str, Any]]]
Release: TypeAlias = Callable[[str, Drop | None], Awaitable[dict[str, Any] | None]]
"""By the id that the overview has; what parks it again, if something does. Raises NotFound, Conflict."""


@dataclass(frozen=True)
class Operations:
    look: Look
    release: Release
