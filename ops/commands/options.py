"""What the operator's commands share: the data folder, the screen, and how an error is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ops.errors import OperatorError

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder of the stack; OA_DATA_DIR, else .oa/", show_default=False),
]

screen = Console(highlight=False)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def telling_errors() -> Iterator[None]:
    """An error the operator can see to ends the command with its text and 1."""
    try:
        yield
    except OperatorError as error:
        _errors.print(f"oa: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
