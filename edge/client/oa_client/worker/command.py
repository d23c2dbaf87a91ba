"""`oa worker`: options in, a daemon until it is told to stop."""

import asyncio
import logging
import os
import signal
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from oa_client.errors import NoCodex
from oa_client.options import DEFAULT_DATA, Caller, Data, Token, Url, out, run
from oa_client.worker.codex import Codex
from oa_client.worker.daemon import Daemon, DaemonSettings
from oa_client.worker.installation import (
    environment,
    find_codex,
    has_account,
    sandbox_works,
    write_stub_profile,
)
from oa_client.worker.store import Store, place
from oa_client.worker.turns import TurnSettings

DEFAULT_ID = "desktopw:shared"

_LOG = logging.getLogger(__name__)


class Provider(StrEnum):
    AUTO = "auto"
    ACCOUNT = "account"
    LOCAL_STUB = "local-stub"


class Sandbox(StrEnum):
    READ_ONLY = "read-only"
    WORKSPACE_WRITE = "workspace-write"
    FULL_ACCESS = "danger-full-access"


class Approve(StrEnum):
    NEVER = "never"
    ALL = "all"


@dataclass(frozen=True)
class Setup:
    """A Codex that can be started; with a `stub_url` it speaks to the stub model."""

    binary: Path
    home: Path
    stub_url: str | None
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Wanted:
    """What the options say about Codex; `inherited` is the environment."""

    provider: Provider
    stub_url: str | None
    codex_bin: Path | None
    codex_package: Path
    stub_home: Path
    inherited: Mapping[str, str]

    def setup(self) -> Setup:
        """Finds Codex and, for the stub, writes its configuration. Raises NoCodex."""
        binary = find_codex(self.codex_bin, self.codex_package.resolve())
        home = Path(self.inherited.get("CODEX_HOME") or Path.home() / ".codex")
        stub_url = self._stub_url(home)
        if stub_url:
            home = self.stub_home.resolve()
            write_stub_profile(home, stub_url)
        return Setup(binary, home, stub_url, environment(self.inherited, home, binary))

    def _stub_url(self, home: Path) -> str | None:
        if self.provider is Provider.ACCOUNT or (self.provider is Provider.AUTO and has_account(home)):
            return None
        if self.stub_url:
            return self.stub_url
        raise NoCodex("Codex has no account here: run `codex login`, or give the address of a stub model (--stub-url)")


def worker(
    worker_id: Annotated[str, typer.Option("--id", help="Id of the worker.")] = DEFAULT_ID,
    provider: Annotated[Provider, typer.Option(help="Whose model; auto: your account, else the stub.")] = Provider.AUTO,
    stub_url: Annotated[
        str | None, typer.Option(envvar="OA_STUB_URL", help="Address of the stub model, ending in /v1.")
    ] = None,
    cwd: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Where Codex works.")] = Path(),
    sandbox: Annotated[
        Sandbox | None, typer.Option(help="What commands may touch; workspace-write.", show_default=False)
    ] = None,
    approve: Annotated[
        Approve, typer.Option(help="never: nothing leaves the sandbox; all: whatever Codex asks for.")
    ] = Approve.NEVER,
    codex_bin: Annotated[Path | None, typer.Option(envvar="OA_CODEX_BIN", help="Codex itself.")] = None,
    codex_package: Annotated[
        Path, typer.Option(envvar="OA_CODEX_PACKAGE", help="Where npm installed Codex, when it is not on PATH.")
    ] = Path("ops/codex"),
    state: Annotated[Path | None, typer.Option(help="Where it remembers what it took.", show_default=False)] = None,
    url: Url = None,
    token: Token = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Run Codex here, mirror what it does, and let phones and scripts steer it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    wanted = Wanted(provider, stub_url, codex_bin, codex_package, data / "codex", os.environ)
    remembered = state or state_folder(os.environ)
    run(_serve(Caller(url, token, data), wanted, worker_id, cwd.resolve(), remembered, sandbox, approve is Approve.ALL))


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where the user's programs keep their state (XDG)."""
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "oa"


async def _serve(
    caller: Caller,
    wanted: Wanted,
    worker_id: str,
    cwd: Path,
    state: Path,
    sandbox: Sandbox | None,
    approve_all: bool,
) -> None:
    """Until SIGTERM, SIGINT, somebody's `stop`, or an error."""
    async with caller.client() as client:
        setup = wanted.setup()
        turns = TurnSettings(cwd, sandbox or await _default_sandbox(setup), approve_all)
        settings = DaemonSettings(worker_id, turns)
        start = partial(Codex.start, setup.binary, cwd=cwd, environment=setup.environment)
        store = Store.open(place(state, client.url, worker_id))
        now = partial(datetime.now, UTC)
        daemon = Daemon(client, store, start, settings, session_id=str(uuid.uuid4()), now=now)
        running = asyncio.create_task(daemon.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        try:
            out.print(f"The worker was stopped: {await running}")
        except asyncio.CancelledError:
            out.print("Stopped.")
        finally:
            store.close()


async def _default_sandbox(setup: Setup) -> Sandbox:
    """The stub runs commands only for whoever holds the token, so where nothing can be confined it may go without."""
    if setup.stub_url is None or await sandbox_works(setup.binary, setup.environment):
        return Sandbox.WORKSPACE_WRITE
    _LOG.warning("Codex cannot confine commands on this machine; the stub model's run unconfined")
    return Sandbox.FULL_ACCESS
