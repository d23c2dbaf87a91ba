"""Long ranges of the log in constant memory: pages bounded by the number of events and the size of their payloads."""

from collections.abc import AsyncIterator, Sequence
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
_MOST_ROWS = 2000
_PAGE_BYTES = 2 << 20


class Filter(msgspec.Struct, frozen=True):
    """Which events are wanted; None lets all through. `since` is the first moment, `before` the first one too late."""

    kinds: Sequence[str] | None = None
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
    most_rows = _MOST_ROWS
    while after < up_to:
        end = min(after + _STRETCH, up_to)
        rows = await pool.fetch(_SQL["scan"], after, end, *msgspec.structs.astuple(wanted), most_rows, _PAGE_BYTES)
        is_cut = len(rows) == most_rows or (rows and rows[-1]["bytes"] >= _PAGE_BYTES)
        after = rows[-1]["position"] if is_cut else end
        yield Page([recorded(row) for row in rows], after)
        if rows:
            most_rows = _fitting(rows[-1]["bytes"] / len(rows))


def _fitting(payload_bytes: float) -> int:
    """How many rows the server looks at for a page: not many more than it will send."""
    return min(int(_PAGE_BYTES / payload_bytes) + 1, _MOST_ROWS)


async def newest(pool: "asyncpg.Pool[Any]", wanted: Filter, limit: int) -> list[Recorded]:
    """The last events that are wanted, ascending."""
    rows = await pool.fetch(_SQL["newest"], *msgspec.structs.astuple(wanted), limit)
    return [recorded(row) for row in reversed(rows)]
