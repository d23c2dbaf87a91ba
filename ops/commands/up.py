"""`oa up`, `oa down`, `oa reset`: the local stack."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

from ops.commands.options import Data, screen, telling_errors
from ops.settings import DEFAULTS, Settings, StackSettings, of_this_process
from ops.stack import leftovers, local, secrets, state
from ops.stack.local import Ports
from ops.stack.processes import Log, StackError
from ops.stack.state import StackState
from ops.stack.supervising import command, supervise

COLOURS = {"postgres": "blue", "kafka": "magenta", "redis": "red", "edge": "green", "relay": "yellow", "oa": "bold"}
LOG_NAME = "stack.log"
POLL_S = 0.1

Port = Annotated[
    int | None, typer.Option("--port", metavar="N", help="First of the stack's ports; 8750", show_default=False)
]
Each = Annotated[
    int | None,
    typer.Option("--each", metavar="N", min=1, max=5, help="How many edges, relays and processors.", show_default="1"),
]
Worker = Annotated[bool, typer.Option("--worker", help="Start a local worker (Codex) as well.")]
Detach = Annotated[bool, typer.Option("--detach", help="Return when everything is ready.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)
    app.command()(reset)


def up(data: Data = None, port: Port = None, each: Each = None, worker: Worker = False, detach: Detach = False) -> None:
    """Start Postgres, Kafka, Redis, the edge, the relay and the processors on this machine."""
    with telling_errors():
        settings = of_this_process(data, **({"OA_PORT": str(port)} if port else {}))
        if (found := state.running(settings.stack.data)) is not None:
            _check_same(found, settings.stack.data, port, each, worker)
            _tell(["runs already", *welcome(found, settings.stack.data)])
            return
        stack = _with_ports(settings, replace(settings.stack, each=each or 1))
        stack.data.mkdir(parents=True, exist_ok=True)
        if detach:
            _detached(stack, worker)
        else:
            _attached(settings, stack, worker)


def _check_same(found: StackState, data: Path, port: int | None, each: int | None, worker: bool) -> None:
    """StackError when what runs is not what is asked for."""
    if found.phase != "ready":
        raise StackError(f"a stack in {data} is {found.phase} ({found.step}): see `oa status`")
    lacks = {
        f"--port {port}": port not in (None, found.port),
        f"--each {each}": each not in (None, found.each),
        "--worker": worker and all(process.name != "worker" for process in found.processes),
    }
    if missing := [option for option, is_missing in lacks.items() if is_missing]:
        raise StackError(f"a stack runs in {data} already, without {' '.join(missing)}: end it first with `oa down`")


def _with_ports(settings: Settings, stack: StackSettings) -> StackSettings:
    """The ports that were asked for; when none were, those of last time or the first free ones."""
    if settings.values.value("OA_PORT").source != "default":
        return stack
    last = urlsplit(secrets.read(stack.data).get("OA_URL", "")).port
    wanted = replace(stack, port=last or stack.port)
    chosen = local.with_free_ports(wanted)
    if chosen.port != wanted.port:
        _tell([f"ports from {wanted.port} on are taken: using those from {chosen.port} on"])
    return chosen


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        screen.print(line, markup=False, soft_wrap=True)


def _attached(settings: Settings, stack: StackSettings, worker: bool) -> None:
    log = _prefixed(Console(highlight=False, soft_wrap=True))

    def welcome_them() -> None:
        for line in _welcome_here(stack.data):
            log("oa", line)

    asyncio.run(supervise(settings, stack, worker, log, welcome_them))


def _prefixed(console: Console) -> Log:
    def log(name: str, line: str) -> None:
        with suppress(OSError):  # nobody reads our output any more
            console.print(Text(f"{name:<10} | ", style=COLOURS.get(name, "cyan")) + Text.from_ansi(line))

    return log


def _detached(stack: StackSettings, worker: bool) -> None:
    with (stack.data / LOG_NAME).open("wb") as log:
        supervisor = subprocess.Popen(
            command(stack, worker), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await_ready(stack.data, supervisor)
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        raise
    _tell(_welcome_here(stack.data))


def _await_ready(data: Path, supervisor: "subprocess.Popen[bytes]") -> None:
    with screen.status("starting") as shown:
        while True:
            ended = supervisor.poll() is not None
            found = state.read(data)
            mine = found if found and found.supervisor.number == supervisor.pid else None
            if ended:
                raise StackError(_why(data, mine))
            if mine and mine.phase == "ready":
                return
            if mine:
                shown.update(mine.step)
            time.sleep(POLL_S)


def _why(data: Path, failed: StackState | None) -> str:
    """Why the supervisor ended: what it noted, else the end of what it wrote."""
    if failed and failed.phase == "failed":
        return failed.step
    lines = (data / LOG_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-5:]).removeprefix("oa: ") or f"ended without a word; see {data / LOG_NAME}"


def _welcome_here(data: Path) -> list[str]:
    found = state.read(data)
    assert found is not None
    return welcome(found, data)


def welcome(found: StackState, data: Path) -> list[str]:
    """What somebody who has just started the stack wants to know."""
    ours = Ports(found.port, found.each).ours()
    edges = ", ".join(f"http://127.0.0.1:{port}" for name, port in ours.items() if name.startswith("edge"))
    oa, where = _as_typed(), "" if data == Path(DEFAULTS["OA_DATA_DIR"]).absolute() else f" --data {data}"
    key = secrets.read(data).get("OA_LOCAL_SIGN_IN_KEY")
    if found.step:
        return [f"the log is suspended: {found.step}", f"go on with: {oa} log recover{where}"]
    return [
        f"ready: {edges}",
        *([f"open:      {found.address}/dev/sign-in?key={key}"] if key else []),  # an older release's stack has none
        f"sign in:   ask for a code for any address, then read it at {found.address}/dev/mailbox",
        f"or use:    the token OA_LOCAL_TOKEN in {data / secrets.FILE_NAME}",
        f"try:       {oa} tail{where}",
        f"beside it: {oa} say{where} 'run: uname -a'",
        f"look:      {oa} status{where}, {oa} doctor{where}",
        f"end:       {oa} down{where}",
    ]


def _as_typed() -> str:
    """How this command can be called again from here."""
    called = Path(sys.argv[0])
    if shutil.which("oa") or called.name != "oa":
        return "oa"
    return str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)


def down(data: Data = None) -> None:
    """End the stack; what it keeps stays."""
    with telling_errors():
        folder = of_this_process(data).stack.data
        with screen.status("stopping"):
            found = asyncio.run(leftovers.stop(folder))
        screen.print("stopped" if found else f"nothing runs in {folder}", markup=False)


def reset(data: Data = None, yes: Yes = False) -> None:
    """End the stack and forget everything it kept: log, accounts, secrets."""
    with telling_errors():
        folder = of_this_process(data).stack.data
        if not yes and sys.stdin.isatty():
            typer.confirm(f"Forget everything in {folder}?", abort=True)
        with screen.status("stopping"):
            asyncio.run(leftovers.stop(folder))
        leftovers.forget_everything(folder)
        screen.print(f"forgot {folder}", markup=False)
