"""`oa log show` and `oa log stats`: single events, and what the log is made of."""

import asyncio
import json
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from ops.commands.connection import connected
from ops.commands.options import Data, screen, telling_errors
from ops.exports import as_object
from ops.settings import Settings, of_this_process
from ops.stack.processes import StackError
from producers.eventlog.reader import LogReader
from producers.eventlog.scan import Filter, newest
from producers.eventlog.statistics import Share, Statistics, statistics
from schemas.events import Recorded

Position = Annotated[int | None, typer.Argument(metavar="[POSITION]", show_default=False)]
Stream = Annotated[str | None, typer.Option("--stream", metavar="S", help="Only this stream.", show_default=False)]
Owner = Annotated[str | None, typer.Option("--owner", metavar="O", help="Only of this owner.", show_default=False)]
Type = Annotated[str | None, typer.Option("--type", metavar="T", help="Only this type.", show_default=False)]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The last N of them.")]
Top = Annotated[int, typer.Option("--top", metavar="N", min=1, help="The N largest of each.")]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts: no indentation, one object a line.")]


def show(
    position: Position = None,
    stream: Stream = None,
    owner: Owner = None,
    type_: Type = None,
    limit: Limit = 10,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Print the event at a position, or the last ones of a stream, an owner or a type, as JSON."""
    with telling_errors():
        wanted = Filter(stream=stream, owner=owner, type=type_)
        events = asyncio.run(_events(of_this_process(data), position, wanted, limit))
        for event in events:
            print(json.dumps(as_object(event), indent=None if as_json else 2, ensure_ascii=False))


def stats(top: Top = 10, data: Data = None, as_json: AsJson = False) -> None:
    """Say what the log is made of: ends, times, sizes, and its largest kinds, types and owners."""
    with telling_errors():
        found = asyncio.run(_statistics(of_this_process(data), top))
        if as_json:
            print(msgspec.json.encode(found).decode())
        else:
            _tell(found)


async def _events(settings: Settings, position: int | None, wanted: Filter, limit: int) -> list[Recorded]:
    async with connected(settings) as pool:
        if position is None:
            return await newest(pool, wanted, limit)
        if events := await LogReader(pool).read_these([position]):
            return events
        raise StackError(f"the log has no event at position {position}")


async def _statistics(settings: Settings, top: int) -> Statistics:
    async with connected(settings) as pool:
        return await statistics(pool, top)


def _tell(found: Statistics) -> None:
    screen.print(_ends(found))
    for name, shares in (("kind", found.kinds), ("type", found.types), ("owner", found.owners)):
        screen.print(_composition(name, shares))
    if found.estimated:
        screen.print("counts are estimates from a sample")


def _ends(found: Statistics) -> Table:
    table = Table(show_header=False, box=None)
    told: dict[str, Any] = {
        "positions": f"{found.first_position or 0}–{found.head}, epoch {found.epoch}",
        "recorded": f"{found.first_at or '–'} … {found.last_at or '–'}",
        "size": f"{found.table_bytes / 2**20:,.1f} MiB, indexes {found.index_bytes / 2**20:,.1f} MiB",
        **({"suspended": found.suspended} if found.suspended else {}),
    }
    for about, text in told.items():
        table.add_row(about, text)
    return table


def _composition(name: str, shares: list[Share]) -> Table:
    table = Table(name, "events", "payload bytes")
    for share in shares:
        table.add_row(share.name, f"{share.events:,}", f"{share.payload_bytes:,}")
    return table
