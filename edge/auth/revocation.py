"""Which open sockets have to go: those of accounts that are no more, or that signed out everywhere (DESIGN §8)."""

import math
from collections.abc import Collection, Mapping

import asyncpg

from schemas import names, sql_files

_SQL = sql_files.load(__file__)


async def revoked_before(pool: asyncpg.Pool, owners: Collection[str]) -> Mapping[str, float]:
    """Of `owners`, users whose tokens minted before a time in unix seconds do not count; all of them: `math.inf`."""
    ids = [user_id for owner in owners if (user_id := names.owner_user_id(owner)) is not None]
    rows = await pool.fetch(_SQL["revoked"], ids) if ids else []
    return {names.user_owner(row["id"]): math.inf if row["before"] is None else row["before"] for row in rows}
