"""Options that several commands share, and the one way their errors reach a person."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from oa_client.client import Client
from oa_client.connection import Places, address, resolve
from oa_client.errors import Forbidden, NotFound, NotSignedIn, OaError, Unauthorized, Unreachable
from oa_client.folders import login_file
from oa_client.signed import Signed

Url = Annotated[str | None, typer.Option(envvar="OA_URL", help="Address of the edge.")]
Token = Annotated[str | None, typer.Option(envvar="OA_TOKEN", help="Personal token.", show_envvar=True)]
Data = Annotated[Path, typer.Option(envvar="OA_DATA_DIR", help="Folder of the local stack.")]

Secret = Annotated[
    str | None, typer.Option(envvar="OA_RUNTIME_SIGNING_KEY", help="Secret that services share.", show_envvar=True)
]
AsUser = Annotated[int | None, typer.Option("--user", help="Id of the user it is for; without it your own.")]

DEFAULT_DATA = Path(".oa")

Hints = Mapping[type[OaError], str]
"""What to do next, by what went wrong."""

out = Console(highlight=False, markup=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_UNREACHABLE = "is it running? `oa up` starts a local one, `oa status` shows it"
_OF_WORKERS: Hints = {
    Unreachable: _UNREACHABLE,
    Unauthorized: "the token is not valid there: `oa login`",
    Forbidden: "this worker belongs to another account",
    NotFound: "no such worker: `oa worker` starts one",
}
_OF_SERVICES: Hints = {Unreachable: _UNREACHABLE, Unauthorized: "the secret or the token is not valid there"}


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


@dataclass(frozen=True)
class Service:
    """The options of who asks for runs and budgets: a secret instead of a token, and for whom."""

    caller: Caller
    secret: str | None
    user_id: int | None

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Without a user it is whose token the caller has. Raises NotSignedIn."""
        where = places(self.caller.data)
        url = address(self.caller.url, where)
        secret = self.secret or where.secret_of(url)
        if secret is None:
            raise NotSignedIn(f"no secret for {url}: set OA_RUNTIME_SIGNING_KEY, or start a local stack with `oa up`")
        async with Client(url, signed=Signed(secret, self.user_id or await self._account())) as client:
            yield client

    async def _account(self) -> int:
        async with self.caller.client() as client:
            return (await client.account()).id


def run(work: Coroutine[Any, Any, None], hints: Hints = _OF_WORKERS) -> None:
    """Runs a command to its end."""
    with expected(hints=hints):
        asyncio.run(work)


def serve(work: Coroutine[Any, Any, None]) -> None:
    """The same for commands about runs and budgets."""
    run(work, _OF_SERVICES)


@contextmanager
def expected(status: int = 1, hints: Hints = _OF_WORKERS) -> Iterator[None]:
    """Expected errors become one line that says what to do next, and end the command with this status."""
    try:
        yield
    except OaError as error:
        steps = [hint for kind, hint in hints.items() if isinstance(error, kind)]
        fail("; ".join([str(error), *steps]), status)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def fail(message: str, status: int = 1) -> NoReturn:
    err.print(Text.assemble(("oa: ", "red"), message))
    raise typer.Exit(status)
