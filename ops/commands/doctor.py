"""`oa doctor`: what this machine has, what it lacks, and every setting."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from ops.commands.options import Data, screen, telling_errors
from ops.errors import OperatorError
from ops.migrations.runner import pending
from ops.settings import SETTINGS, Setting, Settings, of_this_process
from ops.stack import local, postgres, redis, state
from ops.stack.kafka import jars
from ops.stack.kafka.jre import java
from ops.stack.processes import StackError

ShowSettings = Annotated[bool, typer.Option("--settings", help="List every setting, its value and where that is from.")]


@dataclass(frozen=True)
class Finding:
    about: str
    good: bool
    text: str


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(data: Data = None, settings: ShowSettings = False) -> None:
    """Say what is here and what is missing; 1 when something the stack needs is missing."""
    with telling_errors():
        found = of_this_process(data)
        if settings:
            _show_settings(found)
            return
        findings = list(examine(found))
        for finding in findings:
            mark = "[green]ok[/]  " if finding.good else "[red]bad[/] "
            screen.print(mark, f"{finding.about}: ", end="")
            screen.print(finding.text, markup=False, soft_wrap=True)
        if not all(finding.good for finding in findings):
            raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything the local stack stands on, then what it keeps."""
    stack = settings.stack
    yield Finding("Python", sys.version_info >= (3, 11), sys.version.split()[0])
    yield _tried("Postgres", lambda: str(postgres.binaries()))
    yield Finding("Java", True, _java(stack.java_home))
    yield Finding("Kafka", True, "fetched" if jars.home(stack.cache).exists() else "is fetched at the first `oa up`")
    yield Finding("Redis", True, str(redis.binary() or "missing; each process counts its rate limits for itself"))
    yield Finding("Codex", True, _codex())
    yield Finding("spelling", not settings.values.unknown(), ", ".join(settings.values.unknown()) or "no unknown OA_…")
    running = state.running(stack.data)
    yield Finding("stack", True, f"{running.phase} at {running.address}" if running else f"none in {stack.data}")
    if settings.values.given("OA_DATABASE_URL") and (running or not settings.values.from_stack("OA_DATABASE_URL")):
        yield _tried("database", lambda: asyncio.run(_schema(settings.database.url)))


def _tried(about: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(about, True, look())
    except (OperatorError, OSError, asyncpg.PostgresError) as error:
        return Finding(about, False, str(error))


def _java(java_home: str | None) -> str:
    found = java(java_home)
    return found.version.splitlines()[0] if found else "none of the system's; one is fetched at the first `oa up`"


def _codex() -> str:
    places = (shutil.which("codex"), local.CODEX_PACKAGE / "node_modules" / ".bin" / "codex")
    found = [str(place) for place in places if place and Path(place).exists()]
    return found[0] if found else "missing; a worker needs it: install npm, then `make codex`, or set OA_CODEX_BIN"


async def _schema(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        waiting = await pending(connection)
    finally:
        await connection.close()
    if waiting:
        raise StackError(f"migrations to apply: {', '.join(waiting)}; run `oa migrate`")
    return "every migration is applied"


def _show_settings(settings: Settings) -> None:
    for setting in SETTINGS:
        value = settings.values.value(setting.name)
        default = f", default {setting.default}" if setting.default and value.source != "default" else ""
        screen.print(
            f"{setting.name}={_shown(setting, value.text)}  ({value.source}{default})", markup=False, soft_wrap=True
        )
        screen.print(f"    {setting.meaning}", style="dim", markup=False, soft_wrap=True)


def _shown(setting: Setting, text: str) -> str:
    return "(set)" if setting.secret and text else text
