"""`oa backup`, `oa restore`: the local stack's Postgres, which is all of its state but Kafka's copy (DESIGN §1)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import Data, screen, telling_errors
from ops.settings import StackSettings, of_this_process
from ops.stack import backups, local, state
from ops.stack.postgres import Postgres
from ops.stack.processes import StackError

Target = Annotated[
    Path | None, typer.Argument(help="Where to; a new name in the data folder's `backups`", show_default=False)
]
Source = Annotated[Path, typer.Argument(help="What `oa backup` made: a folder, or a dump.", exists=True)]
Dump = Annotated[bool, typer.Option("--dump", help="A dump (pg_dump) instead of a base backup.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)


def backup(target: Target = None, dump: Dump = False, data: Data = None) -> None:
    """Copy the running stack's Postgres: log, journal, accounts. Topics and views are made again from it."""
    with telling_errors():
        stack = of_this_process(data).stack
        running = state.running(stack.data)
        if not running:
            raise StackError(f"nothing runs in {stack.data}: start it with `oa up`")
        name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        into = target or stack.data / "backups" / (f"{name}.dump" if dump else name)
        with screen.status("copying"):
            (backups.dump if dump else backups.copy)(_server(replace(stack, port=running.port)), into.absolute())
        screen.print(f"made {into}", markup=False, soft_wrap=True)


def restore(source: Source, data: Data = None, yes: Yes = False) -> None:
    """Put a backup in the place of the stopped stack's Postgres; what was there is kept beside it."""
    with telling_errors():
        stack = of_this_process(data).stack
        if state.running(stack.data):
            raise StackError(f"a stack runs in {stack.data}: end it with `oa down`")
        if not yes:
            typer.confirm(f"Replace the Postgres in {stack.data} by {source}?", abort=True)
        with screen.status("restoring"):
            replaced = asyncio.run(_restored(stack, source.absolute()))
        screen.print(f"restored; what was there is in {replaced}", markup=False, soft_wrap=True)
        screen.print("go on with `oa up`, then `oa log recover`: it says what was lost since the backup")


def _server(stack: StackSettings) -> Postgres:
    return local.services(stack).postgres


async def _restored(stack: StackSettings, source: Path) -> Path:
    with state.only_supervisor(stack.data):
        return await backups.restore(_server(stack), source)
