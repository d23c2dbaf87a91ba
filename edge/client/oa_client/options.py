"""Options that several commands share, and the one way their errors reach a person."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from oa_client.client import Client
from oa_client.connection import Places, resolve
from oa_client.errors import Forbidden, NotFound, OaError, Unauthorized, Unreachable
from oa_client.folders import login_file

Url = Annotated[str | None, typer.Option(envvar="OA_URL", help="Address of the edge.")]
Token = Annotated[str | None, typer.Option(envvar="OA_TOKEN", help="Personal token.", show_envvar=True)]
Data = Annotated[Path, typer.Option(envvar="OA_DATA_DIR", help="Folder of the local stack.")]

DEFAULT_DATA = Path(".oa")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_NEXT_STEPS = {
    Unreachable: "is it running? `oa up` starts a local one, `oa status` shows it",
    Unauthorized: "the token is not valid there: `oa login`",
    Forbidden: "this worker belongs to another account",
    NotFound: "no such worker: `oa worker` starts one",
}


def places(data: Path) -> Places:
    return Places(data / "secrets.env", login_file())


@dataclass(frozen=True)
class Caller:
    """The options that say where and as whom."""

    url: str | None
    token: str | None
    data: Path

    def client(self) -> Client:
        """Raises NotSignedIn."""
        connection = resolve(self.url, self.token, places(self.data))
        return Client(connection.url, connection.token)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a command to its end."""
    with expected():
        asyncio.run(work)


@contextmanager
def expected(status: int = 1) -> Iterator[None]:
    """Expected errors become one line that says what to do next, and end the command with this status."""
    try:
        yield
    except OaError as error:
        hints = [hint for kind, hint in _NEXT_STEPS.items() if isinstance(error, kind)]
        fail("; ".join([str(error), *hints]), status)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def fail(message: str, status: int = 1) -> NoReturn:
    err.print(Text.assemble(("oa: ", "red"), message))
    raise typer.Exit(status)
