"""`oa relay refeed`: the topics thrown away and made again from the log."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer
from aiokafka.errors import KafkaError

from ops.commands.options import Data, screen, telling_errors
from ops.database import open_pool
from ops.serving.relay import relay_settings
from ops.settings import of_this_process
from ops.stack.processes import StackError
from producers.eventlog.reader import LogReader
from producers.relay import progress
from producers.relay.leadership import has_candidates, interregnum
from producers.relay.settings import RelaySettings
from producers.relay.topics import delete_topics, topics_by_kind

if TYPE_CHECKING:
    import asyncpg

POLL_S = 0.2

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    relay = typer.Typer(help="The topics on Kafka, which the relay feeds.", no_args_is_help=True)
    relay.callback()(lambda: None)
    relay.command()(refeed)
    app.add_typer(relay, name="relay")


def refeed(data: Data = None, yes: Yes = False) -> None:
    """Delete every topic of this log; the relay makes them again with the same records."""
    with telling_errors():
        relay = relay_settings(of_this_process(data).values)
        topics = list(topics_by_kind(relay.topic_prefix).values())
        if not yes:
            typer.confirm(f"Delete {', '.join(topics)} and fill them again from the log?", abort=True)
        try:
            asyncio.run(_refeed(relay, topics))
        except KafkaError as error:
            raise StackError(f"Kafka refuses: {error!r}") from error


async def _refeed(relay: RelaySettings, topics: list[str]) -> None:
    async with open_pool(relay.database_url, 2) as pool:
        async with interregnum(relay, pool):
            await progress.forget(pool, topics)
            await delete_topics(relay, topics)
        if not await has_candidates(pool):
            screen.print("deleted; no relay runs now: the next one fills them")
            return
        await _until_filled(pool, topics)


async def _until_filled(pool: "asyncpg.Pool[Any]", topics: list[str]) -> None:
    head = (await LogReader(pool).head()).position
    with screen.status("filling") as shown:
        while (reached := await _reached(pool, topics)) < head:
            shown.update(f"filling: position {reached} of {head}")
            await asyncio.sleep(POLL_S)
    screen.print(f"the topics have everything up to position {head}")


async def _reached(pool: "asyncpg.Pool[Any]", topics: list[str]) -> int:
    """Up to where the relay has written down that all is on Kafka; 0 before it has begun anew."""
    written = await progress.load(pool, topics)
    return min((one.position for one in written.values()), default=0)
