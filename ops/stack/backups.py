"""Copies of the local stack's Postgres, made while it runs, put back while it does not."""

import asyncio
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ops.stack.postgres import Postgres
from ops.stack.processes import StackError, Supervised

DATABASE: Final = "oa"


def copy(postgres: Postgres, into: Path) -> None:
    """A base backup with the write-ahead log it needs, as a folder."""
    into.parent.mkdir(parents=True, exist_ok=True)
    beside = into.with_name(f"{into.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    _run(postgres, "pg_basebackup", "-D", str(beside), "-X", "stream", "-c", "fast", "-d", postgres.dsn("postgres"))
    beside.rename(into)


def dump(postgres: Postgres, into: Path) -> None:
    """A dump in Postgres' own compressed format, as a file."""
    into.parent.mkdir(parents=True, exist_ok=True)
    beside = into.with_name(f"{into.name}.new")
    _run(postgres, "pg_dump", "-Fc", "-f", str(beside), postgres.dsn(DATABASE))
    beside.rename(into)


async def restore(postgres: Postgres, source: Path) -> Path:
    """Put a copy or a dump in the place of what is there; returns where that is now. Nothing may run."""
    replaced = await asyncio.to_thread(_put_aside, postgres.plan.home / "data")
    if await asyncio.to_thread(source.is_dir):
        await asyncio.to_thread(postgres.adopt, source)
    else:
        await _restore_dump(postgres, source)
    return replaced


def _put_aside(data: Path) -> Path:
    replaced = data.with_name("data.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if data.exists():
        data.rename(replaced)
    return replaced


async def _restore_dump(postgres: Postgres, source: Path) -> None:
    postgres.prepare()
    server = Supervised(postgres.program(), lambda _name, _line: None)
    await server.start()
    try:
        await postgres.ensure_database(DATABASE)
        _run(postgres, "pg_restore", "--exit-on-error", "-d", postgres.dsn(DATABASE), str(source))
    finally:
        await server.stop()


def _run(postgres: Postgres, program: str, *words: str) -> None:
    command: Sequence[str] = [str(postgres.binaries / program), *words]
    answer = subprocess.run(command, capture_output=True, text=True, env=postgres.environment, check=False)
    if answer.returncode:
        raise StackError(f"{program} failed: {answer.stderr.strip()}")
