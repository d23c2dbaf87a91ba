"""Outlets as rows: who delivers to which, how far each is, and what was tried lately (ADR 15)."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from schemas import canonical_json, sql_files
from schemas.events import Payload
from schemas.names import NOTIFICATIONS, user_owner

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[Any]
    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)

WEBHOOK, PUSH = "webhook", "push"
ATTEMPTS_KEPT: Final = 50


class Outlet(msgspec.Struct, frozen=True):
    """As it was claimed; `is_due` is false when only its owner's test is to be sent."""

    id: int
    user_id: int
    kind: str
    address: str
    keys: Payload
    cursor: int
    test_id: str | None
    failures: int
    failing_since: datetime | None
    lease: str
    is_due: bool

    @property
    def owner(self) -> str:
        return user_owner(self.user_id)


class Attempt(NamedTuple):
    """`status` when there was an answer, `error` when it was not a good one."""

    message_id: str
    watermark: int | None
    at: datetime
    duration_ms: int
    status: int | None
    error: str | None


class OutletRows:
    """What one process does with them, under a lease of its own each time; without the lease nothing is changed."""

    def __init__(self, pool: "Pool", holder: str, lease: timedelta) -> None:
        self._pool = pool
        self._leases = (f"{holder}/{number}" for number in itertools.count())
        self._lease = lease

    async def claim(self, kinds: Sequence[str], room: int, now: datetime) -> list[Outlet]:
        """Some of those that wait for something, for as long as a lease lasts."""
        lease = (next(self._leases), now + self._lease)
        rows = await self._pool.fetch(SQL["claim"], now, *lease, kinds, NOTIFICATIONS, room)
        return [Outlet(**{**row, "keys": canonical_json.decode(row["keys"])}) for row in rows]

    async def move(self, outlet: Outlet, watermark: int, attempt: Attempt | None, now: datetime) -> Outlet | None:
        """Past a row that was told, or is not to be told. None when its owner set the cursor, or the lease is lost."""
        async with self._pool.acquire() as connection, connection.transaction():
            if attempt:
                await _note(connection, outlet, attempt, nth=outlet.failures + 1)
            told = (watermark, now + self._lease, attempt and now)
            if not await connection.fetchval(SQL["move"], outlet.id, outlet.lease, outlet.cursor, *told):
                return None
        return msgspec.structs.replace(outlet, cursor=watermark, failures=0, failing_since=None)

    async def fail(self, outlet: Outlet, attempt: Attempt, again_at: datetime, paused_at: datetime | None) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await _note(connection, outlet, attempt, nth=outlet.failures + 1)
            told = (attempt.at, attempt.error, again_at, paused_at)
            await connection.execute(SQL["fail"], outlet.id, outlet.lease, outlet.cursor, *told)

    async def tested(self, outlet: Outlet, attempt: Attempt, now: datetime) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await _note(connection, outlet, attempt, nth=1)
            await connection.execute(SQL["tested"], outlet.id, outlet.lease, attempt.message_id, now + self._lease)

    async def release(self, outlet: Outlet) -> None:
        await self._pool.execute(SQL["release"], outlet.id, outlet.lease)

    async def remove(self, outlet: Outlet) -> None:
        await self._pool.execute(SQL["remove"], outlet.id, outlet.lease)


async def _note(connection: "Connection", outlet: Outlet, attempt: Attempt, nth: int) -> None:
    message_id, watermark, *rest = attempt
    await connection.execute(SQL["attempted"], outlet.id, message_id, watermark, nth, *rest)
    await connection.execute(SQL["forget"], outlet.id, ATTEMPTS_KEPT)
