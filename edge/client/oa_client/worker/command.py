"""`oa worker run`: options in, a daemon until it is told to stop, or for one prompt."""

import asyncio
import logging
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from oa_client.client import Client
from oa_client.errors import NoCodex
from oa_client.folders import data_folder, state_folder
from oa_client.options import DEFAULT_DATA, Caller, Data, Token, Url, err, expected, out, places, run
from oa_client.worker.approvals import Approve
from oa_client.worker.codex import Codex
from oa_client.worker.daemon import Daemon, DaemonSettings
from oa_client.worker.installation import (
    environment,
    find_codex,
    has_account,
    sandbox_works,
    write_stub_profile,
)
from oa_client.worker.once import Exit, Once, Said, Step
from oa_client.worker.store import Store, place
from oa_client.worker.turns import TurnSettings
from oa_client.workers import Limits, WorkerEvent

DEFAULT_ID = "desktopw:shared"

State = Annotated[Path | None, typer.Option(help="Folder of what the daemon must not forget.", show_default=False)]

_LOG = logging.getLogger(__name__)


class Provider(StrEnum):
    AUTO = "auto"
    ACCOUNT = "account"
    LOCAL_STUB = "local-stub"


class Sandbox(StrEnum):
    READ_ONLY = "read-only"
    WORKSPACE_WRITE = "workspace-write"
    FULL_ACCESS = "danger-full-access"


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
    codex_packages: tuple[Path, ...]
    stub_home: Path
    inherited: Mapping[str, str]

    def setup(self) -> Setup:
        """Finds Codex and, for the stub, writes its configuration. Raises NoCodex."""
        binary = find_codex(self.codex_bin, *(package.resolve() for package in self.codex_packages))
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
    worker_id: Annotated[
        str | None, typer.Option("--id", help=f"Id of the worker: {DEFAULT_ID}; with --once a new one.")
    ] = None,
    once: Annotated[
        str | None, typer.Option(metavar="PROMPT", help="Have this done, say what Codex says, end with its outcome.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --once: the turn's events, one JSON object a line.")
    ] = False,
    provider: Annotated[Provider, typer.Option(help="Whose model; auto: your account, else the stub.")] = Provider.AUTO,
    stub_url: Annotated[
        str | None, typer.Option(envvar="OA_STUB_URL", help="Address of the stub model, ending in /v1.")
    ] = None,
    cwd: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Where Codex works.")] = Path(),
    sandbox: Annotated[
        Sandbox | None, typer.Option(help="What commands may touch; workspace-write.", show_default=False)
    ] = None,
    approve: Annotated[
        Approve | None,
        typer.Option(
            help="ask: your clients decide; never: Codex does not ask; all: always yes. Ask, with --once never.",
            show_default=False,
        ),
    ] = None,
    approval_timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which silence denies what Codex asks.")
    ] = 600.0,
    allow_exec: Annotated[
        bool, typer.Option("--allow-exec", help="Let your clients run commands by `command/exec`.")
    ] = False,
    max_turn_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens that one turn may use.")] = None,
    max_day_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens that turns may use on a UTC day.")] = None,
    codex_bin: Annotated[Path | None, typer.Option(envvar="OA_CODEX_BIN", help="Codex itself.")] = None,
    codex_package: Annotated[
        Path, typer.Option(envvar="OA_CODEX_PACKAGE", help="Where npm installed Codex, when it is not on PATH.")
    ] = Path("ops/codex"),
    state: State = None,
    url: Url = None,
    token: Token = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Run Codex here, mirror what it does, and let phones and scripts steer it."""
    said = "%(message)s" if sys.stderr.isatty() else "%(asctime)s %(message)s"
    logging.basicConfig(level=logging.INFO if once is None else logging.WARNING, format=said)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    wanted = Wanted(
        provider,
        stub_url or places(data).stub_url,
        codex_bin,
        (codex_package, data_folder(os.environ) / "codex"),
        data / "codex",
        os.environ,
    )
    caller = Caller(url, token, data)
    may = May(
        approve or (Approve.ASK if once is None else Approve.NEVER),
        timedelta(seconds=approval_timeout),
        allow_exec,
        Limits(max_turn_tokens, max_day_tokens),
    )
    chosen = Chosen(worker_id, cwd.resolve(), state or state_folder(os.environ), sandbox, may)
    if once is None:
        run(_serve(caller, wanted, chosen))
    else:
        with expected(Exit.NEVER_BEGAN):
            raise typer.Exit(asyncio.run(_once(caller, wanted, chosen, once, as_json)))


@dataclass(frozen=True)
class May:
    """What the options say about what Codex and clients may do."""

    approve: Approve
    approval_timeout: timedelta
    exec: bool
    limits: Limits


@dataclass(frozen=True)
class Chosen:
    """What the options say about the daemon."""

    worker_id: str | None
    cwd: Path
    state: Path
    sandbox: Sandbox | None
    may: May


async def _serve(caller: Caller, wanted: Wanted, chosen: Chosen) -> None:
    """Until SIGTERM, SIGINT, somebody's `stop`, or an error."""
    worker_id = chosen.worker_id or DEFAULT_ID
    async with caller.client() as client, _running(client, wanted, chosen, worker_id, str(uuid.uuid4())) as daemon:
        try:
            out.print(f"The worker was stopped: {await daemon}")
        except asyncio.CancelledError:
            out.print("Stopped.")


async def _once(caller: Caller, wanted: Wanted, chosen: Chosen, prompt: str, as_json: bool) -> Exit:
    """A worker of its own is stopped afterwards and leaves nothing here."""
    session_id = str(uuid.uuid4())
    worker_id = chosen.worker_id or f"once:{session_id}"
    async with caller.client() as client, AsyncExitStack() as afterwards:
        once = Once(client, worker_id, session_id, prompt, _print_json if as_json else _print)
        after = await once.latest_seq()
        if chosen.worker_id is None:
            chosen = replace(chosen, state=Path(afterwards.enter_context(TemporaryDirectory(prefix="oa-once-"))))
            afterwards.push_async_callback(once.stop_worker)
        async with _running(client, wanted, chosen, worker_id, session_id) as daemon:
            return await once.run(daemon, after)


@asynccontextmanager
async def _running(
    client: Client, wanted: Wanted, chosen: Chosen, worker_id: str, session_id: str
) -> AsyncIterator[asyncio.Task[str]]:
    """The daemon, which SIGTERM and SIGINT cancel; it has said goodbye afterwards."""
    setup = wanted.setup()
    turns = TurnSettings(chosen.cwd, chosen.sandbox or await _default_sandbox(setup), chosen.may.approve)
    start = partial(Codex.start, setup.binary, cwd=chosen.cwd, environment=setup.environment)
    with closing(Store.open(place(chosen.state, client.url, worker_id))) as store:
        may, now = chosen.may, partial(datetime.now, UTC)
        settings = DaemonSettings(worker_id, turns, may.approval_timeout, may.exec, may.limits)
        daemon = Daemon(client, store, start, settings, session_id=session_id, now=now)
        running = asyncio.create_task(daemon.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        try:
            yield running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _print(_: WorkerEvent, pieces: Sequence[Said | Step]) -> None:
    for piece in pieces:
        match piece:
            case Said(text):
                print(text, end="", flush=True)
            case Step(line):
                err.print(Text(line, style="dim"))


def _print_json(event: WorkerEvent, _: Sequence[Said | Step]) -> None:
    print(msgspec.json.encode(event).decode(), flush=True)


async def _default_sandbox(setup: Setup) -> Sandbox:
    """The stub runs commands only for whoever holds the token, so where nothing can be confined it may go without."""
    if setup.stub_url is None or await sandbox_works(setup.binary, setup.environment):
        return Sandbox.WORKSPACE_WRITE
    _LOG.warning("Codex cannot confine commands on this machine; the stub model's run unconfined")
    return Sandbox.FULL_ACCESS
