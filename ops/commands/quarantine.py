"""`oa quarantine`: documents and reactions that an event stopped, and what becomes of them."""

import asyncio
import getpass
import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from ops.commands.options import Data, screen, telling_errors
from ops.database import open_pool
from ops.settings import Settings, of_this_process
from ops.stack.processes import StackError
from processors.quarantine import CannotRelease, Parked, ParkedReaction, Quarantine, everything, recorded, summary
from readmodels.engine import skips
from readmodels.engine.skips import Decision, Skip
from schemas.times import iso6

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Dropped = Annotated[bool, typer.Option("--dropped", help="The events that were left out instead.")]
Position = Annotated[int, typer.Argument(help="Where it is parked, as `list` says.")]
SomePosition = Annotated[int | None, typer.Argument(help="Where it is parked.", show_default=False)]
Every = Annotated[bool, typer.Option("--all", help="Everything that is parked.")]
ViewName = Annotated[
    str | None, typer.Option("--view", help="Of this view or consumer only, as `list` names it.", show_default=False)
]
Why = Annotated[str, typer.Option("--why", help="Kept with the event that is left out.")]
Who = Annotated[str | None, typer.Option("--by", help="Who decides; else this machine's user.", show_default=False)]

RELEASED = "released"


def register(app: typer.Typer) -> None:
    commands = typer.Typer(no_args_is_help=True, help="Documents and reactions that an event stopped.")
    commands.command("list")(list_parked)
    for command in (show, retry, drop):
        commands.command()(command)
    app.add_typer(commands, name="quarantine")


def list_parked(data: Data = None, view: ViewName = None, dropped: Dropped = False, as_json: AsJson = False) -> None:
    """Say what is parked, since when, and how many events came after."""
    with telling_errors():
        found = asyncio.run((_dropped if dropped else _parked)(of_this_process(data)))
        lines = [line for line in found if view in (None, line["view"])]
        if as_json:
            for line in lines:
                print(json.dumps(line))
        else:
            screen.print(_table(lines) if lines else "nothing is left out" if dropped else "nothing is parked")


def show(position: Position, data: Data = None, view: ViewName = None) -> None:
    """Say everything about what is parked at a position, but not what the event says."""
    with telling_errors():
        for one in asyncio.run(_chosen(of_this_process(data), position, view)):
            for name, value in (summary(one) | _event(one)).items():
                screen.print(f"{name:<12}{value}", markup=False, soft_wrap=True)


def retry(position: SomePosition = None, data: Data = None, view: ViewName = None, every: Every = False) -> None:
    """Make documents anew from the log, and have reactions tried now; 1 when one of them is parked again."""
    with telling_errors():
        if (position is None) is not every:
            raise StackError("name a position, or --all of them")
        asyncio.run(_release(of_this_process(data), position, view, None))


def drop(position: Position, why: Why, data: Data = None, view: ViewName = None, who: Who = None) -> None:
    """Leave an event out for ever, and go on without it; 1 when the next one parks it again."""
    with telling_errors():
        decision = Decision(who or getpass.getuser(), why)
        asyncio.run(_release(of_this_process(data), position, view, decision))


async def _parked(settings: Settings) -> list[dict[str, Any]]:
    async with open_pool(settings.database.url, 2) as pool:
        return [summary(one) for one in await everything(pool)]


async def _dropped(settings: Settings) -> list[dict[str, Any]]:
    async with open_pool(settings.database.url, 2) as pool:
        return [_skip(one) for one in await skips.every(pool)]


async def _chosen(settings: Settings, position: int | None, view: str | None) -> list[Parked | ParkedReaction]:
    """What is parked at a position, or all of it; an error when nothing is there."""
    async with open_pool(settings.database.url, 2) as pool:
        found = [
            one
            for one in await everything(pool)
            if position in (None, one.mark.position) and view in (None, summary(one)["view"])
        ]
    if position is not None and not found:
        raise StackError(f"nothing is parked at {position}: see `oa quarantine list`")
    return found


async def _release(settings: Settings, position: int | None, view: str | None, decision: Decision | None) -> None:
    chosen = await _chosen(settings, position, view)
    async with open_pool(settings.database.url, 2) as pool:
        quarantine = Quarantine(pool, settings.values.text("OA_KAFKA_TOPIC_PREFIX"))
        outcomes = [await _told(quarantine, one, decision) for one in chosen]
    if any(outcome != RELEASED for outcome in outcomes):
        raise typer.Exit(1)


async def _told(quarantine: Quarantine, one: Parked | ParkedReaction, decision: Decision | None) -> str:
    """What became of it, which is said as well."""
    try:
        again = await quarantine.release(one, decision)
        outcome = f"parked again at {again.position}: {again.error}" if again else RELEASED
    except CannotRelease as error:
        outcome = str(error)
    line = summary(one)
    screen.print(f"{line['position']}  {line['owner']} {line['doc_key']}  {outcome}", markup=False, soft_wrap=True)
    return outcome


def _event(one: Parked | ParkedReaction) -> dict[str, Any]:
    if (record := recorded(one)) is None:
        return {"event": "not in the log"}
    return {"event": f"{record.pop('type')} v{record.pop('version')}"} | record


def _skip(skip: Skip) -> dict[str, Any]:
    return {
        "position": skip.position,
        "view": skip.view,
        "by": skip.skipped_by,
        "why": skip.reason,
        "at": iso6(skip.skipped_at),
    }


def _table(lines: Sequence[dict[str, Any]]) -> Table:
    table = Table(*lines[0])
    for line in lines:
        table.add_row(*(str(value) for value in line.values()))
    return table
