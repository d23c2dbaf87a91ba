"""`oa serve edge|relay|processors`: one of our processes, until it is told to end."""

from typing import Annotated

import typer

from ops.commands.options import Data, telling_errors
from ops.serving.running import Process, run
from ops.settings import of_this_process


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(process: Annotated[Process, typer.Argument()], data: Data = None) -> None:
    """Run one of our processes until SIGTERM."""
    with telling_errors():
        run(process, of_this_process(data))
