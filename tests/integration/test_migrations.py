"""The migrations runner on a real Postgres."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.migrations.runner import migrate, pending
from ops.stack.postgres import Postgres
from tests.services import fresh_database


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.sql").write_text(text)


async def test_the_template_has_every_migration(pool: "asyncpg.Pool[Any]") -> None:
    async with pool.acquire() as connection:
        assert await pending(connection) == {}
        assert await migrate(connection) == []


async def test_migrations_run_once_in_name_order(pool: "asyncpg.Pool[Any]", tmp_path: Path) -> None:
    write(tmp_path, "9002_second", "INSERT INTO steps VALUES ('second')")
    write(tmp_path, "9001_first", "CREATE TABLE steps (name text); INSERT INTO steps VALUES ('first')")
    async with pool.acquire() as connection:
        assert await migrate(connection, folder=tmp_path) == ["9001_first", "9002_second"]
        assert await migrate(connection, folder=tmp_path) == []
        assert [row["name"] for row in await connection.fetch("SELECT name FROM steps")] == ["first", "second"]


async def test_a_failing_migration_leaves_nothing_and_is_tried_again(pool: "asyncpg.Pool[Any]", tmp_path: Path) -> None:
    write(tmp_path, "9101_half", "CREATE TABLE half (a int); SELECT 1 / 0")
    async with pool.acquire() as connection:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(connection, folder=tmp_path)
        assert await connection.fetchval("SELECT to_regclass('half')") is None
        write(tmp_path, "9101_half", "CREATE TABLE half (a int)")
        assert await migrate(connection, folder=tmp_path) == ["9101_half"]


async def test_a_migration_can_read_the_first_position(pool: "asyncpg.Pool[Any]", tmp_path: Path) -> None:
    write(tmp_path, "9201_start", "CREATE TABLE start AS SELECT current_setting('oa.first_position', true) AS at")
    async with pool.acquire() as connection:
        await migrate(connection, first_position=4000, folder=tmp_path)
        assert await connection.fetchval("SELECT at FROM start") == "4000"


async def test_two_that_migrate_at_once_apply_each_migration_once(pool: "asyncpg.Pool[Any]", tmp_path: Path) -> None:
    write(tmp_path, "9301_slow", "SELECT pg_sleep(0.1); CREATE TABLE slow (a int)")

    async def run() -> list[str]:
        async with pool.acquire() as connection:
            return await migrate(connection, folder=tmp_path)

    assert sorted(await asyncio.gather(run(), run())) == [[], ["9301_slow"]]


def test_a_module_gets_a_database_of_its_own(postgres_server: Postgres, database: str) -> None:
    with fresh_database(postgres_server) as dsn:
        assert dsn != database
