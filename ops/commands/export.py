"""`oa log export`: a range of the log as JSON lines or Parquet (docs/data-engineers.md)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops import exports
from ops.commands.connection import connected
from ops.commands.options import Data, screen, telling_errors
from ops.commands.show import Owner, Stream, Type
from ops.exports import ExportRefused
from ops.settings import Settings, of_this_process
from ops.stack.processes import StackError
from producers.eventlog.reader import LogReader
from producers.eventlog.scan import Filter, scan
from schemas.events import Recorded
from schemas.times import parse

if TYPE_CHECKING:
    import asyncpg

File = Annotated[Path, typer.Argument(metavar="FILE", help="Its suffix says what: .jsonl or .parquet.")]
After = Annotated[int, typer.Option("--after", metavar="POSITION", help="Only events above this position.")]
UpTo = Annotated[
    int | None, typer.Option("--up-to", metavar="POSITION", help="Up to and including this one.", show_default=False)
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From this time on, ISO-8601; UTC.", show_default=False)
]
Before = Annotated[str | None, typer.Option("--before", metavar="TIME", help="Before this time.", show_default=False)]
Kind = Annotated[str | None, typer.Option("--kind", metavar="K", help="Only this kind of stream.", show_default=False)]


def export(
    file: File,
    after: After = 0,
    up_to: UpTo = None,
    since: Since = None,
    before: Before = None,
    kind: Kind = None,
    stream: Stream = None,
    owner: Owner = None,
    type_: Type = None,
    data: Data = None,
) -> None:
    """Write events of the log into a file, in order; the file appears when it is complete."""
    with telling_errors():
        wanted = Filter(kind and [kind], stream, owner, type_, _moment(since), _moment(before))
        written = asyncio.run(_export(of_this_process(data), file, after, up_to, wanted))
        screen.print(f"{written} events in {file}", markup=False, soft_wrap=True)


async def _export(settings: Settings, file: Path, after: int, up_to: int | None, wanted: Filter) -> int:
    async with connected(settings) as pool:
        head = (await LogReader(pool).head()).position
        try:
            return await exports.export(_pages(pool, after, min(up_to or head, head), wanted), file)
        except ExportRefused as error:
            raise StackError(str(error)) from None


async def _pages(
    pool: "asyncpg.Pool[Any]", after: int, up_to: int, wanted: Filter
) -> AsyncIterator[Sequence[Recorded]]:
    async for page in scan(pool, after, up_to, wanted):
        yield page.events


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parse(text)
    except ValueError:
        raise StackError(f"not a time: {text!r}; write it as 2026-02-20T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
