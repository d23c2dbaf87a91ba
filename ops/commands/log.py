"""`oa log`: what is in the log, and what to do when it was restored."""

import typer

from ops.commands.export import export
from ops.commands.recover import recover
from ops.commands.show import show, stats


def register(app: typer.Typer) -> None:
    log = typer.Typer(help="The log, the authority.", no_args_is_help=True)
    for command in (stats, show, export, recover):
        log.command()(command)
    app.add_typer(log, name="log")
