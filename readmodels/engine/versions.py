"""Versions of a view beside each other: made, filled, made the one that readers see, forgotten (DESIGN §7)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from readmodels.engine.views import D, Key, View
from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)

CatchUp = Callable[[Mapping[int, int]], Awaitable[None]]
"""Brings the new version to these positions by partition, on connections of its own."""


async def prepare(pool: "asyncpg.Pool[Any]", view: View[D]) -> View[D]:
    """`create` on a connection of its own."""
    async with pool.acquire() as connection:
        return await create(connection, view)


async def create(connection: "Connection", view: View[D]) -> View[D]:
    """The live version; when there is none, the view's tables and the name that readers use are made."""
    async with connection.transaction():
        await connection.execute(SQL["one_at_a_time"])
        if found := await live(connection, view):
            return found
        await connection.execute(view.ddl("create"))
        await connection.execute(view.ddl("cut_over"))
        return view


async def live(connection: "Connection | asyncpg.Pool[Any]", view: View[D]) -> View[D] | None:
    """The version that readers see and that feeds the journal."""
    version: int | None = await connection.fetchval(SQL["live"], view.name)
    return None if version is None else replace(view, version=version)


async def existing(pool: "asyncpg.Pool[Any]", view: View[D]) -> list[View[D]]:
    return [replace(view, version=row["version"]) for row in await pool.fetch(SQL["existing"], view.name)]


async def told(pool: "asyncpg.Pool[Any]", view: View[D]) -> list[View[D]]:
    """Every version; only the live one feeds the journal."""
    kept = await live(pool, view)
    return [version if version == kept else replace(version, feeds=None) for version in await existing(pool, view)]


async def begin(pool: "asyncpg.Pool[Any]", view: View[Any], generation: int, partitions: Iterable[int]) -> None:
    """Make a version beside the live one, silent and at the log's beginning; one that is there stays as it is."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["one_at_a_time"])
        await connection.execute(view.ddl("create"))
        await connection.execute(SQL["begin"], view.name, view.version, generation, list(partitions))


async def cut_over(pool: "asyncpg.Pool[Any]", view: View[Any], generation: int, catch_up: CatchUp) -> int:
    """Make this version the live one, between two batches of the one that was; returns how many documents differed.

    Those are journalled. Batches of the old version wait meanwhile, so `catch_up` should have little left to do.
    """
    async with pool.acquire() as connection, connection.transaction():
        old = await live(connection, view)
        assert old is not None, "migrations make a live version"
        await connection.execute(SQL["complete"], old.name, old.version, view.version, generation)
        held = await connection.fetch(SQL["hold"], old.name, old.version, generation)
        await catch_up({row["partition"]: row["position"] for row in held})
        differing = SQL["journal_differences"].replace("<new>", view.table).replace("<old>", old.table)
        number: int = await connection.fetchval(differing, view.feeds) if view.feeds else 0
        await connection.execute(SQL["one_at_a_time"])
        await connection.execute(SQL["hand_over"], view.name, view.version)
        await connection.execute(view.ddl("cut_over"))
        return number


async def drop(pool: "asyncpg.Pool[Any]", view: View[Any]) -> None:
    """Forget a version with all it has; readers of a live one make it fail."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["one_at_a_time"])
        await connection.execute(SQL["drop"].replace("<schema>", view.schema))
        for what in ("forget_checkpoints", "forget_quarantine", "forget_digest"):
            await connection.execute(SQL[what], view.name, view.version)


async def drop_silent(pool: "asyncpg.Pool[Any]", view: View[Any]) -> list[View[Any]]:
    """Forget every version but the live one: nothing keeps them current, so they must not outlive an erasure."""
    kept = await live(pool, view)
    gone = [version for version in await existing(pool, view) if version != kept]
    for version in gone:
        await drop(pool, version)
    return gone


async def broken(pool: "asyncpg.Pool[Any]", view: View[Any]) -> set[Key]:
    """The documents of a version that an event could not be applied to."""
    rows = await pool.fetch(SQL["broken"], view.name, view.version)
    return {(row["owner"], row["doc_key"]) for row in rows}


async def row_count(pool: "asyncpg.Pool[Any]", view: View[Any]) -> int:
    return int(await pool.fetchval(SQL["row_count"].replace("<documents>", view.table)))


class NotedDigest(NamedTuple):
    """What a version's digest was when it was last proved equal to rebuilt ones."""

    digest: bytes
    position: int
    verified_at: datetime


async def note_digest(pool: "asyncpg.Pool[Any]", view: View[Any], digest: bytes, position: int) -> None:
    await pool.execute(SQL["note_digest"], view.name, view.version, digest, position)


async def noted_digest(pool: "asyncpg.Pool[Any]", view: View[Any]) -> NotedDigest | None:
    row = await pool.fetchrow(SQL["noted_digest"], view.name, view.version)
    return NotedDigest(*row) if row else None
