"""Erasing what read models keep of an owner beside the documents, which follow the log by themselves (ADR 12)."""

from typing import TYPE_CHECKING, Any

from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg

SQL = sql_files.load(__file__)


async def erase(pool: "asyncpg.Pool[Any]", owner: str, before: int) -> int:
    """Blank journal rows of positions below `before`, and what errors quoted; returns how many rows."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["forget_errors"], owner, before)
        status = await connection.execute(SQL["blank"], owner, before)
    return int(status.removeprefix("UPDATE "))
