"""`oa migrate`: bring a database up to date."""

import asyncio

import typer

from ops.commands.options import Data, screen, telling_errors
from ops.settings import of_this_process
from ops.stack.supervisor import migrated


def register(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate(data: Data = None) -> None:
    """Apply what OA_DATABASE_URL has not seen yet."""
    with telling_errors():
        database = of_this_process(data).database
        applied = asyncio.run(migrated(database.url, database.first_position))
        screen.print("\n".join(applied) or "nothing to apply", markup=False)
