"""`oa bench projector`: events a second that one processors process takes from Kafka through Faust into summaries."""

import time
from typing import Any

import asyncpg
import uvloop

from ops.bench.figures import Figure, median, show
from ops.bench.processes import fresh_kafka, fresh_postgres, serving, until
from ops.bench.relay import has_published
from ops.bench.writing import Writer
from ops.database import open_pool
from producers.eventlog.log import EventLog
from readmodels.workers import SUMMARIES

EVENTS = 30_000
WORKERS = 100
ROUNDS = 3


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """Everything is on Kafka before the process starts; its start does not count."""
    async with fresh_postgres() as (server, _), fresh_kafka() as kafka, open_pool(server.dsn()) as pool:
        settings = {"OA_DATABASE_URL": server.dsn(), "OA_KAFKA_BOOTSTRAP": kafka.bootstrap}
        log = EventLog(pool)
        await Writer(log, "user:1", WORKERS).backlog(EVENTS)
        await log.close()
        async with serving("relay", settings) as port:
            await until(lambda: has_published(port))
        rounds = [await _round(pool, settings | {"OA_KAFKA_GROUP": f"bench-{number}"}) for number in range(ROUNDS)]
    return Figure("projector", median(rounds), "events/s", None, None)


async def _round(pool: "asyncpg.Pool[Any]", settings: dict[str, str]) -> float:
    """From when something is applied until everything is."""

    async def applied() -> int:
        return int(await pool.fetchval(f"select coalesce(sum(doc_version), 0) from {SUMMARIES.table}"))

    async def has_begun() -> bool:
        return await applied() > 0

    async def has_ended() -> bool:
        return await applied() == EVENTS

    await pool.execute(f"truncate {SUMMARIES.table}, journal, checkpoints")
    async with serving("processors", settings):
        await until(has_begun)
        before, started = await applied(), time.perf_counter()
        await until(has_ended)
        return (EVENTS - before) / (time.perf_counter() - started)
