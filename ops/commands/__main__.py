"""The operator's commands without the client's: `python -m ops.commands`."""

import typer

from ops.commands import register

if __name__ == "__main__":
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
    register(app)
    app()
