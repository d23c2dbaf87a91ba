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
from producers.relay.refeed import reached, refeed
from producers.relay.settings import RelaySettings

if TYPE_CHECKING:
    import asyncpg

POLL_S = 0.2

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    relay = typer.Typer(help="The topics on Kafka, which the relay feeds.", no_args_is_help=True)
    relay.callback()(lambda: None)
    relay.command("refeed")(refeed_topics)
    app.add_typer(relay, name="relay")


def refeed_topics(data: Data = None, yes: Yes = False) -> None:
    """Delete every topic of this log; the relay makes them again with the same records."""
    with telling_errors():
        relay = relay_settings(of_this_process(data).values)
        if not yes:
            typer.confirm("Delete this log's topics and fill them again?", abort=True)
        asyncio.run(_refeed(relay))


async def _refeed(relay: RelaySettings) -> None:
    async with open_pool(relay.database_url, 2) as pool:
        await refed(pool, relay)


async def refed(pool: "asyncpg.Pool[Any]", relay: RelaySettings) -> None:
    """Refeed and wait until the topics have what the log has now; needs two connections."""
    try:
        runs = await refeed(pool, relay)
    except KafkaError as error:
        raise StackError(f"Kafka refuses: {error!r}") from error
    if not runs:
        screen.print("the topics are deleted; no relay runs: the next one fills them")
        return
    head = (await LogReader(pool).head()).position
    with screen.status("filling the topics") as shown:
        while (position := await reached(pool, relay)) < head:
            shown.update(f"filling the topics: position {position} of {head}")
            await asyncio.sleep(POLL_S)
    screen.print(f"the topics have everything up to position {head}")
