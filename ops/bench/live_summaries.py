"""`oa bench live-summaries`: from handing an event to the log until its worker's summary shows it at 200 sockets."""

import uvloop

from ops.bench import live
from ops.bench.figures import Figure, show
from ops.bench.processes import fresh_kafka, fresh_postgres, serving
from ops.database import open_pool
from schemas.names import WORKER_SUMMARIES


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """Through the relay, Kafka, the Faust projector, the journal and the edge, each a real process."""
    async with fresh_postgres() as (server, _), fresh_kafka() as kafka, open_pool(server.dsn()) as pool:
        settings = {"OA_DATABASE_URL": server.dsn(), "OA_KAFKA_BOOTSTRAP": kafka.bootstrap}
        async with serving("relay", settings), serving("processors", settings), live.edge(server.dsn()) as edge:
            return await live.measure("live-summaries", WORKER_SUMMARIES, pool, edge)
