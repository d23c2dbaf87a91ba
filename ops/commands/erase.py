"""`oa erase`: what one owner's people wrote, gone from log, journal, documents and topics (ADR 12)."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ops.commands.options import Data, screen, telling_errors
from ops.commands.relay import refed
from ops.database import open_pool
from ops.serving.relay import relay_settings
from ops.settings import of_this_process
from ops.stack.processes import StackError
from processors.reprojecting import Reprojector
from processors.sources import LogPages
from producers.errors import LogUnavailable
from producers.eventlog.erasure import Erased, erase
from producers.eventlog.log import EventLog
from producers.nouns import DECIDERS
from producers.relay.progress import partition_count
from producers.relay.settings import RelaySettings
from readmodels import engine, erasure
from readmodels.catalogue import VIEWS
from readmodels.engine import View, versions
from schemas import names, sql_files

if TYPE_CHECKING:
    import asyncpg

    Pool = asyncpg.Pool[Any]

SQL: Final = sql_files.load(__file__)
POLL_S: Final = 0.2
GENERATION: Final = 1

Owner = Annotated[str, typer.Argument(help="Whose: user:41, or guest:SCOPE.")]
Rewrite = Annotated[
    bool, typer.Option("--rewrite", help="Rewrite tables and write-ahead log as well, locking each table meanwhile.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    app.command("erase")(erase_owner)


def erase_owner(owner: Owner, rewrite: Rewrite = False, data: Data = None, yes: Yes = False) -> None:
    """Erase for ever what an owner's people wrote into events; may be repeated."""
    with telling_errors():
        settings = of_this_process(data)
        relay = relay_settings(settings.values)
        if not yes:
            typer.confirm(f"Erase for ever what was written by {owner}?", abort=True)
        try:
            asyncio.run(_erase(relay, owner, rewrite))
        except LogUnavailable as error:
            raise StackError(str(error)) from error


async def _erase(relay: RelaySettings, owner: str, rewrite: bool) -> None:
    async with open_pool(relay.database_url, 2) as pool:
        erased = await _erased_in_log(pool, owner)
        screen.print(f"{erased.events} events of {len(erased.told)} streams have no payload any more")
        if not erased.told:
            return
        with screen.status("waiting until the processors have heard of it"):
            await _until_projected(pool, relay, erased)
        for view in VIEWS.values():
            await versions.drop_silent(pool, view)
        reprojector = await Reprojector.of(pool, relay.topic_prefix, relay.partitions)
        for stream in erased.told:
            if names.kind_of(stream) == names.RUN:
                await reprojector.tables_of(names.run_id_of(stream))
        rows = await erasure.erase(pool, owner, erased.position)
        screen.print(f"{rows} rows of the journal point to documents now")
        await refed(pool, relay)
        if rewrite:
            with screen.status("rewriting"):
                await _rewrite(pool)
            screen.print("tables and write-ahead log are rewritten")


async def _erased_in_log(pool: "Pool", owner: str) -> Erased:
    log = EventLog(pool, committers=1)
    try:
        return await erase(pool, log, owner, DECIDERS)
    finally:
        await log.close()


async def _until_projected(pool: "Pool", relay: RelaySettings, erased: Erased) -> None:
    """Until every view has the events that tell of it."""
    for view in VIEWS.values():
        partitions = await partition_count(pool, relay.topic_prefix + view.topic) or relay.partitions
        log = LogPages(pool, view.topic, partitions)
        while await log.lag(await _reached(pool, view, partitions), erased.position):  # noqa: ASYNC110 others apply
            await asyncio.sleep(POLL_S)


async def _reached(pool: "Pool", view: View[Any], partitions: int) -> dict[int, int]:
    live = await engine.prepare(pool, view)
    return dict.fromkeys(range(partitions), 0) | await engine.checkpoints(pool, live, GENERATION)


async def _rewrite(pool: "Pool") -> None:
    """Deleted rows stay in tables, and old segments of the write-ahead log on disk, until something needs the space."""
    for row in await pool.fetch(SQL["rewritten"]):
        await pool.execute(f"vacuum full {row[0]}")
    await pool.execute(SQL["stop_recycling"])
    try:
        for step in ("reload", "switch"):
            await pool.execute(SQL[step])
        await pool.execute("checkpoint")
        await pool.execute(SQL["switch"])
        await pool.execute("checkpoint")
    finally:
        await pool.execute(SQL["recycle"])
        await pool.execute(SQL["reload"])
