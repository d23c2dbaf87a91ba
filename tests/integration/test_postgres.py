"""Postgres as a child process of each kind of caller this machine lets us be."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.stack import pids, postgres
from ops.stack.postgres import NAMESPACE, NOBODY, Owner, Plan, Postgres
from ops.stack.processes import Supervised
from tests.services import free_port, temporary_folder

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        folder.chmod(0o755)
        yield folder


def plans(folder: Path) -> dict[str, Plan]:
    nobody = Owner(NOBODY, NOBODY)
    as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
    return {
        "itself": Plan((), folder / "oa" / "postgres", None),
        "namespace": Plan(NAMESPACE, folder / "oa" / "postgres", None),
        "somebody": Plan(as_nobody, folder / "postgres", nobody),
    }


@pytest.mark.parametrize("caller", ["namespace", "somebody"] if IS_ROOT else ["itself"])
async def test_it_starts_keeps_what_was_committed_and_stops(folder: Path, caller: str) -> None:
    server = Postgres(plans(folder)[caller], postgres.binaries(), port=free_port())
    for expected in (0, 1):
        server.prepare()
        service = Supervised(server.program(), lambda _name, _line: None)
        await service.start(attempts=1)
        await server.ensure_database()
        assert await count_starts(server) == expected
        pid = service.pid
        await service.stop()
        assert pid is not None
        assert pids.alive([pid]) == []


@pytest.mark.invariant("I1")
async def test_a_commit_of_ours_is_on_disk(pool: "asyncpg.Pool[Any]") -> None:
    names = ["fsync", "synchronous_commit", "full_page_writes"]
    rows = await pool.fetch("select name, setting from pg_settings where name = any($1)", names)
    assert {row["name"]: row["setting"] for row in rows} == dict.fromkeys(names, "on")


async def count_starts(server: Postgres) -> int:
    """How many rows there were before this one was added."""
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute("create table if not exists starts (at timestamptz default now())")
        found = int(await connection.fetchval("select count(*) from starts"))
        await connection.execute("insert into starts default values")
    finally:
        await connection.close()
    return found


@pytest.mark.skipif(not IS_ROOT, reason="everybody else is an ordinary user already")
def test_root_can_try_all_of_this_as_an_ordinary_user() -> None:
    tests = [sys.executable, "-m", "pytest", "--no-header", "-rN", __file__]
    answer = subprocess.run([*NAMESPACE, *tests], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "2 passed, 2 skipped" in answer.stdout


@pytest.mark.skipif(not IS_ROOT, reason="only root runs it as somebody else")
def test_binaries_that_its_user_cannot_reach_are_copied(folder: Path) -> None:
    hidden = folder / "hidden" / "bin"
    hidden.mkdir(parents=True)
    write_program(hidden / "postgres", "exit 0")
    write_program(hidden / "initdb", 'mkdir "$2" && touch "$2/PG_VERSION"')
    hidden.parent.chmod(0o700)
    server = Postgres(plans(folder)["somebody"], hidden, port=free_port())
    server.prepare()
    assert (server.plan.home / "data" / "PG_VERSION").exists()
    assert str(hidden) not in " ".join(server.program().command)


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
