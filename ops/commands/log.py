"""`oa log`: what is in the log, and what to do when it was restored."""

import typer

from ops.commands.recover import recover


def register(app: typer.Typer) -> None:
    log = typer.Typer(help="The log, the authority.", no_args_is_help=True)
    log.callback()(lambda: None)
    log.command()(recover)
    app.add_typer(log, name="log")
