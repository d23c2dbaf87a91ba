"""`oa quarantine`: documents that an event could not be applied to, and what becomes of them."""

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from ops.commands.options import Data, screen, telling_errors
from ops.database import open_pool
from ops.settings import Settings, of_this_process
from ops.stack.processes import StackError
from processors.quarantine import Parked, Releases, parked
from processors.sources import LogSource
from producers.eventlog.reader import LogReader
from readmodels.catalogue import VIEWS
from readmodels.engine import Failure, LogBehind, View, skips, versions
from readmodels.engine.quarantine import NotParked
from readmodels.engine.skips import Decision, Skip
from schemas.times import iso6

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Dropped = Annotated[bool, typer.Option("--dropped", help="The events that were left out instead.")]
Position = Annotated[int, typer.Argument(help="Where the document is parked, as `list` says.")]
SomePosition = Annotated[int | None, typer.Argument(help="Where the document is parked.", show_default=False)]
Every = Annotated[bool, typer.Option("--all", help="Every parked document.")]
ViewName = Annotated[str | None, typer.Option("--view", help="Of this view only.", show_default=False)]
Why = Annotated[str, typer.Option("--why", help="Kept with the event that is left out.")]
Who = Annotated[str | None, typer.Option("--by", help="Who decides; else this machine's user.", show_default=False)]

RELEASED = "released"

Release = Callable[[Releases, Parked], Awaitable[Failure | None]]


def register(app: typer.Typer) -> None:
    commands = typer.Typer(no_args_is_help=True, help="Documents that an event could not be applied to.")
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
            for name, value in (_line(one) | _event(one)).items():
                screen.print(f"{name:<12}{value}", markup=False, soft_wrap=True)


def retry(position: SomePosition = None, data: Data = None, view: ViewName = None, every: Every = False) -> None:
    """Make documents anew from the log; 1 when one of them is parked again."""
    with telling_errors():
        if (position is None) is not every:
            raise StackError("name a position, or --all of them")
        asyncio.run(_release(of_this_process(data), position, view, Releases.retry))


def drop(position: Position, why: Why, data: Data = None, view: ViewName = None, who: Who = None) -> None:
    """Leave an event out of its view for ever, and make its document anew; 1 when that is parked again."""
    with telling_errors():
        decision = Decision(who or getpass.getuser(), why)
        asyncio.run(_release(of_this_process(data), position, view, lambda ours, one: ours.drop(one, decision)))


async def _parked(settings: Settings) -> list[dict[str, Any]]:
    async with open_pool(settings.database.url, 2) as pool:
        return [_line(one) for one in await parked(pool)]


async def _dropped(settings: Settings) -> list[dict[str, Any]]:
    async with open_pool(settings.database.url, 2) as pool:
        return [_skip(one) for one in await skips.every(pool)]


async def _chosen(settings: Settings, position: int | None, view: str | None) -> list[Parked]:
    """What is parked at a position, or all of it; an error when nothing is there."""
    async with open_pool(settings.database.url, 2) as pool:
        found = [
            one for one in await parked(pool) if position in (None, one.mark.position) and view in (None, one.mark.view)
        ]
    if position is not None and not found:
        raise StackError(f"nothing is parked at {position}: see `oa quarantine list`")
    return found


async def _release(settings: Settings, position: int | None, view: str | None, release: Release) -> None:
    chosen = await _chosen(settings, position, view)
    async with open_pool(settings.database.url, 2) as pool:
        releases = await _releases(settings, pool, {(one.mark.view, one.mark.version) for one in chosen})
        failures = [await _told(releases[one.mark.view, one.mark.version], one, release) for one in chosen]
    if any(failures):
        raise typer.Exit(1)


async def _releases(settings: Settings, pool: Any, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], Releases]:
    if unknown := {name for name, _ in wanted} - VIEWS.keys():
        raise StackError(f"this release has no view {unknown.pop()}: retry with the one that has")
    known = {(view.name, view.version): view for name, _ in wanted for view in await versions.told(pool, VIEWS[name])}
    return {key: await _releases_of(settings, pool, known[key]) for key in wanted}


async def _releases_of(settings: Settings, pool: Any, view: View[Any]) -> Releases:
    from aiokafka.errors import KafkaError

    from ops.serving.processors import processor_settings
    from producers.relay import topics

    ours = processor_settings(settings.values)
    try:
        partitions = await topics.partition_count(ours.brokers, ours.topic_prefix + view.topic)
    except KafkaError as error:
        raise StackError(f"Kafka does not answer: {error!r}") from error
    if not partitions:
        raise StackError(f"there is no topic {ours.topic_prefix + view.topic}: the relay makes it")
    return Releases(pool, view, ours.generation, LogSource(LogReader(pool), view.topic, partitions))


async def _told(releases: Releases, one: Parked, release: Release) -> bool:
    """Whether it is parked still; says how it went."""
    try:
        failure = await release(releases, one)
        outcome = f"parked again at {failure.position}: {failure.error}" if failure else RELEASED
    except (NotParked, LogBehind) as error:
        outcome = str(error)
    screen.print(f"{one.mark.position}  {one.mark.owner} {one.mark.doc_key}  {outcome}", markup=False, soft_wrap=True)
    return outcome != RELEASED


def _line(one: Parked) -> dict[str, Any]:
    mark = one.mark
    return {
        "position": mark.position,
        "view": mark.view,
        "version": mark.version,
        "owner": mark.owner,
        "doc_key": mark.doc_key,
        "error": mark.error,
        "since": iso6(mark.marked_at),
        "waiting": one.event.waiting if one.event else None,
    }


def _event(one: Parked) -> dict[str, Any]:
    if one.event is None:
        return {"event": "not in the log"}
    event = one.event
    return {
        "event": f"{event.type} v{event.version}",
        "stream": event.stream,
        "seq": event.seq,
        "recorded_at": iso6(event.recorded_at),
        "digest": event.digest.hex(),
    }


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
