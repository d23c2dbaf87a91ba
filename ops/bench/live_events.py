"""`oa bench live-events`: from handing an event to the log until its frame is at 200 sockets of its owner."""

import uvloop

from ops.bench import live
from ops.bench.figures import Figure, show
from ops.bench.processes import fresh_postgres
from ops.database import open_pool
from schemas.names import WORKER_EVENTS


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    async with fresh_postgres() as (server, _), open_pool(server.dsn()) as pool, live.edge(server.dsn()) as edge:
        return await live.measure("live-events", WORKER_EVENTS, pool, edge)
