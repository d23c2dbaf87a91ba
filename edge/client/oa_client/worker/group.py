"""`oa worker`: run the daemon here or in the background, see what it does, end it, install its Codex."""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from typer.core import TyperGroup

from oa_client.connection import address
from oa_client.errors import OaError
from oa_client.folders import data_folder, state_folder, units_folder
from oa_client.options import DEFAULT_DATA, Caller, Data, Token, Url, expected, fail, out, places, run
from oa_client.worker import command
from oa_client.worker.command import DEFAULT_ID, State
from oa_client.worker.installation import install_codex
from oa_client.worker.service import Service
from oa_client.worker.status import Status, lines
from oa_client.worker.store import place
from oa_client.worker.systemd import Unit, unit_text

WorkerId = Annotated[str, typer.Option("--id", help="Id of the worker.")]

_FOLLOW_S = 0.2
_NOT_RUNNING = 3


class RunsByDefault(TyperGroup):
    """`oa worker …` without a subcommand is `oa worker run …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if is_named else ["run", *args])


group = typer.Typer(
    cls=RunsByDefault, help="Run Codex here and let phones and scripts steer it (`run` may be left out)."
)
group.command("run")(command.worker)


@dataclass(frozen=True)
class Place:
    """Which daemon is meant: that of a worker of an edge."""

    worker_id: str
    edge: str
    service: Service
    unit: Unit


def _place(worker_id: str, url: str | None, data: Path, state: Path | None) -> Place:
    edge = address(url, places(data))
    store = place(state or state_folder(os.environ), edge, worker_id)
    return Place(worker_id, edge, Service(store), Unit(units_folder(os.environ), store.stem))


@group.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def start(
    ctx: typer.Context,
    systemd: Annotated[bool, typer.Option("--systemd", help="As a user unit, which starts again by itself.")] = False,
) -> None:
    """Start the daemon in the background; takes the options of `oa worker run`."""
    chosen = _run_options(ctx)
    if chosen["once"] is not None:
        raise typer.BadParameter("--once runs in the foreground", param_hint="--once")
    here = _place(chosen["worker_id"] or DEFAULT_ID, chosen["url"], chosen["data"], chosen["state"])
    with expected():
        (_start_unit if systemd else _start_process)(here, chosen["token"], list(_without_token(ctx.args)))


def _run_options(ctx: typer.Context) -> Mapping[str, Any]:
    """Raises what a wrong option of `run` raises."""
    assert ctx.parent is not None
    assert isinstance(ctx.parent.command, TyperGroup)
    return ctx.parent.command.commands["run"].make_context("run", list(ctx.args), parent=ctx.parent).params


def _start_process(here: Place, token: str | None, arguments: Sequence[str]) -> None:
    environment = {**os.environ, **({"OA_TOKEN": token} if token else {})}
    process, is_ready = here.service.start(_command(arguments), environment)
    said = "serves" if is_ready else "is not yet connected and goes on trying for"
    out.print(f"Process {process.pid} {said} {here.worker_id} at {here.edge}; `oa worker logs -f` follows it.")


def _start_unit(here: Place, token: str | None, arguments: Sequence[str]) -> None:
    if token:
        fail("a unit keeps no token: sign in with `oa login` first, and leave --token and OA_TOKEN out")
    here.service.check_absent()
    here.service.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    here.unit.write(unit_text(here.worker_id, _command(arguments), Path.cwd(), here.service.log, os.environ))
    out.print(f"Wrote {here.unit.path}.")
    here.unit.enable()
    out.print(f"systemd starts {here.worker_id} now and at every login.")


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "oa_client", "worker", "run", *arguments]


def _without_token(arguments: Sequence[str]) -> Iterator[str]:
    """Command lines can be read by everybody on the machine."""
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--token":
            next(remaining)
        elif not argument.startswith("--token="):
            yield argument


@group.command()
def status(
    worker_id: WorkerId = DEFAULT_ID,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    state: State = None,
    url: Url = None,
    token: Token = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """What the worker is at, here and as the edge sees it; ends with 3 when no daemon runs here."""
    here = _place(worker_id, url, data, state)
    run(_status(here, Caller(url, token, data), as_json))
    if here.service.process_id is None:
        raise typer.Exit(_NOT_RUNNING)


async def _status(here: Place, caller: Caller, as_json: bool) -> None:
    worker, problem = None, None
    try:
        async with caller.client() as client:
            worker = await client.worker(here.worker_id)
    except OaError as error:
        problem = str(error)
    told = Status(here.worker_id, here.edge, here.service.process_id, str(here.service.log), worker, problem)
    if as_json:
        print(msgspec.json.encode(told).decode())
    else:
        out.print("\n".join(lines(told, datetime.now(UTC))), markup=False)


@group.command()
def logs(
    worker_id: WorkerId = DEFAULT_ID,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what it says from now on.")] = False,
    count: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines.")] = 100,
    state: State = None,
    url: Url = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """What the daemon in the background said."""
    service = _place(worker_id, url, data, state).service
    if not service.log.exists():
        fail(f"there is no log of {worker_id}: `oa worker start` begins one")
    with service.log.open(encoding="utf-8", errors="replace") as log:
        for line in log.readlines()[-count:] if count else log.readlines()[:0]:
            print(line, end="")
        while follow:
            print(log.read(), end="", flush=True)
            time.sleep(_FOLLOW_S)


@group.command()
def stop(
    worker_id: WorkerId = DEFAULT_ID,
    worker_too: Annotated[bool, typer.Option("--worker-too", help="Stop the worker at the edge too.")] = False,
    state: State = None,
    url: Url = None,
    token: Token = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """End the daemon; what is sent to the worker waits for the next one."""
    here = _place(worker_id, url, data, state)
    with expected():
        was_running = here.service.process_id is not None
        if here.unit.path.exists():
            here.unit.disable()
        here.service.stop()
    out.print("Stopped." if was_running else f"No daemon serves {worker_id} here.")
    if worker_too:
        run(_stop_worker(Caller(url, token, data), worker_id))


async def _stop_worker(caller: Caller, worker_id: str) -> None:
    async with caller.client() as client:
        await client.workers[worker_id].stop()
    out.print(f"{worker_id} is stopped at the edge.")


@group.command()
def install() -> None:
    """Install the Codex that the worker is tested with into the user's data folder, with npm."""
    with expected():
        binary = install_codex(data_folder(os.environ) / "codex")
    out.print(f"Installed {binary}.")
