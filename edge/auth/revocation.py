"""Whose open sockets have to go: accounts that are no more (DESIGN §8)."""

from collections.abc import Collection

import asyncpg

from schemas import names, sql_files

_SQL = sql_files.load(__file__)


async def revoked_owners(pool: asyncpg.Pool, owners: Collection[str]) -> set[str]:
    """Those of `owners` that are users without an account."""
    ids = [user_id for owner in owners if (user_id := names.owner_user_id(owner)) is not None]
    rows = await pool.fetch(_SQL["missing"], ids) if ids else []
    return {names.user_owner(row["id"]) for row in rows}
