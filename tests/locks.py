"""Locks that a test holds, and who waits for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg


@asynccontextmanager
async def held(database: str, statement: str) -> AsyncIterator[None]:
    """The locks of a statement, kept by somebody who does not go on."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


async def until_waiting(pool: "asyncpg.Pool[Any]", sessions: int, unless: "asyncio.Task[Any]") -> None:
    """Until that many sessions wait for a lock, or what should wait has not."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while await pool.fetchval(query) < sessions and not unless.done():  # noqa: ASYNC110 another session's progress
            await asyncio.sleep(0.01)
