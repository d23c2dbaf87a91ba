"""Reading the log: plain cursors over committed rows (DESIGN §4)."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from producers import metrics
from schemas import canonical_json, sql_files
from schemas.events import Recorded

_SQL = sql_files.load(__file__)
_LOG_TOPIC_KINDS = frozenset({"worker"})


class Head(NamedTuple):
    """The log's newest position and its epoch; `suspended` tells why nobody may go on from there (DESIGN I2)."""

    epoch: int
    position: int
    suspended: str | None = None


class OwnerPage(NamedTuple):
    """Events of one owner, and the position up to which they are all there are."""

    events: list[Recorded]
    through: int


def recorded(row: Any) -> Recorded:
    return Recorded(
        row["position"],
        row["kind"],
        row["stream"],
        row["seq"],
        row["type"],
        row["version"],
        row["owner"],
        canonical_json.decode(row["payload"]),
        row["digest"],
        canonical_json.decode(row["headers"]),
        row["recorded_at"],
    )


class LogReader:
    """Cursors over the log; every answer is a consistent snapshot, ascending, without gaps."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._searching = asyncio.Lock()
        self._searched: tuple[datetime, int] | None = None

    async def read_all(self, after: int, limit: int) -> list[Recorded]:
        """Events with `position > after`, at most `limit`."""
        return _recorded(await self._pool.fetch(_SQL["read_all"], after, limit))

    async def read_these(self, positions: Sequence[int]) -> list[Recorded]:
        """The events at these positions, ascending; those that the log lacks are left out."""
        return _recorded(await self._pool.fetch(_SQL["read_these"], positions))

    async def read_stream(self, stream: str, after: int, limit: int) -> list[Recorded]:
        """Events of one stream with `seq > after`, at most `limit`."""
        return _recorded(await self._pool.fetch(_SQL["read_stream"], stream, after, limit))

    async def read_stream_before(self, stream: str, before: int | None, limit: int) -> list[Recorded]:
        """The newest events of one stream with `seq < before` (None: of all), at most `limit`."""
        return _recorded(await self._pool.fetch(_SQL["read_stream_before"], stream, before, limit))[::-1]

    async def read_streams(self, after: Mapping[str, int], limit: int) -> list[Recorded]:
        """Events of several streams in the order of the log, of each those with a seq above; at most `limit`."""
        return _recorded(await self._pool.fetch(_SQL["read_streams"], [*after], [*after.values()], limit))

    async def read_owner(self, owner: str, kind: str, after: int, limit: int) -> OwnerPage:
        """Events of one owner and kind with `position > after`; `through` is the head of the same snapshot when the
        page is not full, else the last event's position."""
        return _owner_page(await self._pool.fetch(_of_kind("read_owner", kind), owner, after, limit), limit)

    async def read_around(self, owner: str, kind: str, position: int, rows: int) -> tuple[int, OwnerPage]:
        """So many of the owner's events up to `position`, as many above it, and the cursor before all of them: 0 when
        there are fewer."""
        found = await self._pool.fetch(_of_kind("read_around", kind), owner, position, rows)
        return found[0]["start"], _owner_page(found, 2 * rows)

    async def head(self) -> Head:
        row = await self._pool.fetchrow(_SQL["head"])
        assert row is not None, "log_head has one row"
        head = Head(*row)
        metrics.LOG_SUSPENDED.set(bool(head.suspended))
        return head

    async def floor(self, owner: str, kind: str, horizon: datetime) -> int:
        """Position of the owner's newest event older than the minute of `horizon`; 0 if none (sync §15.3, SD-2).

        By whole minutes, so that a storm of subscribers searches once.
        """
        minute = horizon.replace(second=0, microsecond=0)
        async with self._searching:
            if self._searched is None or self._searched[0] != minute:
                self._searched = minute, await self.position_before(minute)
            _, before = self._searched
        if before == 0:
            return 0
        return await self._pool.fetchval(_of_kind("owner_floor", kind), owner, before) or 0

    async def position_before(self, moment: datetime) -> int:
        """The newest position recorded before `moment`, 0 if none: a search by halves, for positions are dense."""
        low = (await self._pool.fetchval(_SQL["oldest_position"]) or 1) - 1
        high = (await self.head()).position
        if not await self._is_before(low + 1, moment):
            return 0
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if await self._is_before(middle, moment) else (low, middle - 1)
        return low

    async def _is_before(self, position: int, moment: datetime) -> bool:
        recorded_at = await self._pool.fetchval(_SQL["recorded_at"], position)
        return recorded_at is not None and recorded_at < moment


def _recorded(rows: Sequence[Any]) -> list[Recorded]:
    return [recorded(row) for row in rows]


def _owner_page(rows: Sequence[Any], limit: int) -> OwnerPage:
    events = _recorded([row for row in rows if row["position"] is not None])
    return OwnerPage(events, events[-1].position if len(events) == limit else rows[0]["head"])


def _of_kind(statement: str, kind: str) -> str:
    """Partial indexes are chosen by a constant, so the kind is part of the text."""
    if kind not in _LOG_TOPIC_KINDS:
        raise ValueError(f"no log topic has the kind {kind!r}")
    return _SQL[statement].format(kind=kind)
