"""`oa status`: what runs, whether it makes progress, and how far it is behind."""

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from rich.table import Table

from ops.commands.options import Data, screen, telling_errors
from ops.database import open_pool
from ops.settings import of_this_process
from ops.stack import health, state
from ops.stack.health import Health
from ops.stack.local import Ports
from ops.stack.processes import StackError
from ops.stack.state import Running, StackState
from processors.audit import last
from processors.audit.last import LastAudit

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@dataclass(frozen=True)
class ProcessStatus:
    name: str
    pid: int | None
    ready: bool
    lag_positions: int | None
    lag_seconds: float | None
    reason: str | None


def register(app: typer.Typer) -> None:
    app.command()(status)


def status(data: Data = None, as_json: AsJson = False) -> None:
    """Say what runs; 0 when everything is ready, else 1."""
    with telling_errors():
        settings = of_this_process(data)
        found = _running(settings.stack.data)
        processes = asyncio.run(_look(found))
        audit = asyncio.run(_last_audit(settings.values.given("OA_DATABASE_URL")))
        if as_json:
            print(json.dumps(_object(found, processes, audit)))
        else:
            screen.print(_table(found, processes))
            screen.print(_line(audit), markup=False, soft_wrap=True)
        if found.phase != "ready" or not all(process.ready for process in processes):
            raise typer.Exit(1)


def _running(folder: Path) -> StackState:
    if (found := state.running(folder)) is not None:
        return found
    last = state.read(folder)
    if last is not None and last.phase == "failed":
        raise StackError(f"nothing runs in {folder}; the last start failed: {last.step}")
    raise StackError(f"nothing runs in {folder}: start it with `oa up`")


async def _look(found: StackState) -> list[ProcessStatus]:
    ports = Ports(found.port, found.each).ours()
    return list(await asyncio.gather(*(_ask(process, ports.get(process.name)) for process in found.processes)))


async def _ask(process: Running, port: int | None) -> ProcessStatus:
    alive = process.pid is not None and process.pid.alive()
    told = await health.ask(port) if alive and port else Health(alive and process.ready)
    return ProcessStatus(
        process.name,
        process.pid.number if process.pid and alive else None,
        told.ready,
        told.lag_positions,
        told.lag_seconds,
        told.reason or None,
    )


async def _last_audit(url: str | None) -> LastAudit | None:
    """None when there was none, or when nobody can say."""
    if url is None:
        return None
    try:
        async with open_pool(url, 1) as pool:
            return await last.last(pool)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None


def _object(found: StackState, processes: list[ProcessStatus], audit: LastAudit | None) -> dict[str, Any]:
    return {
        "address": found.address,
        "processes": [asdict(process) for process in processes],
        "audit": {"position": audit.position, "differences": audit.differences} if audit else None,
    }


def _line(audit: LastAudit | None) -> str:
    if audit is None:
        return "no audit yet"
    if not audit.differences:
        return f"audited up to position {audit.position}: log, topics, read models and journal agree"
    return f"audited up to position {audit.position}: {audit.differences} differences, first: {audit.first[0]}"


def _table(found: StackState, processes: list[ProcessStatus]) -> Table:
    table = Table("process", "pid", "ready", "lag (positions)", "lag (s)", "", title=f"{found.address} · {found.phase}")
    for one in processes:
        numbers = (_cell(one.pid), "yes" if one.ready else "no", _cell(one.lag_positions), _cell(one.lag_seconds))
        table.add_row(one.name, *numbers, one.reason or "")
    return table


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
