"""`oa log recover`: after a restore or a failover, what was lost, and a new epoch above everything published."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from rich.table import Table

from ops.commands.connection import connected
from ops.commands.options import Data, screen, telling_errors
from ops.commands.projections import remake
from ops.serving.relay import relay_settings
from ops.settings import Settings, of_this_process
from producers.eventlog import epochs
from producers.eventlog.epochs import LostEnd
from producers.eventlog.reader import Head, LogReader
from producers.nouns import DECIDERS
from producers.relay.recovery import Findings, Publication, publication
from producers.relay.topics import all_topics, delete_topics

if TYPE_CHECKING:
    import asyncpg

Discard = Annotated[
    bool, typer.Option("--discard", help="Leave out what Kafka still has; without it, that is put back into the log.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

PAGE: Final = 1000


class Prospect(NamedTuple):
    """What recovering will mean."""

    head: Head
    findings: Findings
    put_back: bool

    @property
    def kept(self) -> int:
        """The last position of the history that is kept."""
        return self.findings.continues_through if self.put_back else self.head.position

    @property
    def lost(self) -> int:
        return self.findings.lost(self.head, put_back=self.put_back)


def recover(data: Data = None, discard: Discard = False, yes: Yes = False) -> None:
    """Say what was published and is not in the log, put back what Kafka has, and begin a new epoch."""
    with telling_errors():
        settings = of_this_process(data)
        asyncio.run(_recover(settings, put_back=not discard, ask=not yes))


async def _recover(settings: Settings, *, put_back: bool, ask: bool) -> None:
    relay = relay_settings(settings.values)
    topics = all_topics(relay.topic_prefix)
    async with connected(settings) as pool:
        head = await LogReader(pool).head()
        if not head.suspended:
            screen.print("the log is not suspended: nothing to recover")
            return
        async with publication(relay.kafka_bootstrap, topics, LogReader(pool)) as published:
            prospect = Prospect(head, await published.examine(head), put_back)
            screen.print(_table(prospect))
            if ask:
                typer.confirm("Begin a new epoch?", abort=True)
            if put_back:
                await _put_back(pool, published, prospect)
            lost = await published.ends(above=prospect.kept)
        await _begin(pool, prospect, lost)
        if prospect.lost:
            await delete_topics(relay, topics)
        await epochs.resume(pool)
        if prospect.lost:
            await remake(settings, pool)


async def _put_back(pool: "asyncpg.Pool[Any]", published: Publication, prospect: Prospect) -> None:
    """A page a transaction: what an earlier try put back is in the log and not unknown any more."""
    with screen.status("putting back"):
        async for events in published.events(prospect.kept, PAGE):
            async with pool.acquire() as connection, connection.transaction():
                await epochs.put_back(connection, events, DECIDERS)


async def _begin(pool: "asyncpg.Pool[Any]", prospect: Prospect, lost: Sequence[LostEnd]) -> None:
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        number = await epochs.begin(connection, prospect.findings.highest, now)
        await epochs.fill(connection, lost, DECIDERS, now)
    screen.print(f"epoch {number} begins; clients whose cursors were lost are told so")


def _table(prospect: Prospect) -> Table:
    head, findings, lost = prospect.head, prospect.findings, prospect.lost
    table = Table(show_header=False, box=None)
    for about, told in {
        "suspended because": head.suspended or "",
        "the log ends at": f"position {head.position} of epoch {head.epoch}",
        "published up to": f"position {findings.highest}",
        "published and not in the log": f"{findings.unknown} events",
        "put back from Kafka": f"{prospect.kept - head.position} events",
        "lost": f"{lost} events" + (": topics and views are made again from the log" if lost else ""),
    }.items():
        table.add_row(about, told)
    return table
