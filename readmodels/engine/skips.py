"""Events that a view leaves out because an operator said so: live, at a retry and in every rebuild (DESIGN §6)."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)


class Decision(msgspec.Struct, frozen=True):
    """Who leaves an event out, and why."""

    skipped_by: str
    reason: str


class Skip(msgspec.Struct, frozen=True):
    """A decision as it is logged; nothing in it quotes the event (ADR 12)."""

    view: str
    position: int
    skipped_by: str
    reason: str
    skipped_at: datetime


async def add(connection: "Connection", view: str, position: int, decision: Decision) -> None:
    """Within the caller's transaction."""
    await connection.execute(SQL["add"], view, position, decision.skipped_by, decision.reason)


async def positions(connection: "Connection", view: str, after: int, up_to: int) -> frozenset[int]:
    """What a view leaves out of `(after, up_to]`: the last argument of `fold`."""
    rows = await connection.fetch(SQL["positions"], view, after, up_to)
    return frozenset(row["position"] for row in rows)


async def every_position(pool: "asyncpg.Pool[Any]", view: str) -> frozenset[int]:
    """The same for the whole log: what a rebuild leaves out."""
    return frozenset(row["position"] for row in await pool.fetch(SQL["every_position"], view))


async def every(pool: "asyncpg.Pool[Any]") -> list[Skip]:
    return [Skip(**row) for row in await pool.fetch(SQL["every"])]
