"""Long ranges of the log in constant memory: page after page, shorter ones where payloads are large."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
import msgspec

from producers.eventlog.reader import recorded
from schemas import sql_files
from schemas.events import Recorded

_SQL = sql_files.load(__file__)
_STRETCH = 50_000
"""Positions that one statement looks at, however few of their events are wanted."""
_FIRST_ROWS = 250
_MOST_ROWS = 4000
_PAGE_BYTES = 2 << 20


class Filter(msgspec.Struct, frozen=True):
    """Which events are wanted; None lets all through. `since` is the first moment, `before` the first one too late."""

    kind: str | None = None
    stream: str | None = None
    owner: str | None = None
    type: str | None = None
    since: datetime | None = None
    before: datetime | None = None


class Page(NamedTuple):
    """Events, ascending; there are no others that are wanted up to and including `through`."""

    events: list[Recorded]
    through: int


async def scan(pool: "asyncpg.Pool[Any]", after: int, up_to: int, wanted: Filter) -> AsyncIterator[Page]:
    """What is wanted of the positions in `(after, up_to]`."""
    rows_a_page = _FIRST_ROWS
    while after < up_to:
        end = min(after + _STRETCH, up_to)
        rows = await pool.fetch(_SQL["scan"], after, end, *msgspec.structs.astuple(wanted), rows_a_page)
        after = rows[-1]["position"] if len(rows) == rows_a_page else end
        yield Page([recorded(row) for row in rows], after)
        if rows:
            rows_a_page = _next_size(rows_a_page, sum(len(row["payload"]) for row in rows) / len(rows))


def _next_size(rows: int, payload_bytes: float) -> int:
    """Twice as many rows while they stay small."""
    return max(1, min(2 * rows, int(_PAGE_BYTES / payload_bytes), _MOST_ROWS))
