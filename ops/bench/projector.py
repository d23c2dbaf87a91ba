"""`oa bench projector`: events a second that one processors process takes from Kafka through Faust into summaries."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import uvloop

from ops.bench.figures import Figure, median, show
from ops.bench.processes import fresh_kafka, fresh_postgres, serving
from ops.bench.writing import Writer
from ops.database import open_pool
from ops.stack import health
from producers.eventlog.log import EventLog
from readmodels.workers import SUMMARIES

EVENTS = 30_000
WORKERS = 100
ROUNDS = 3
POLL_S = 0.02


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
            await _published(port)
        rounds = [await _round(pool, settings | {"OA_KAFKA_GROUP": f"bench-{number}"}) for number in range(ROUNDS)]
    return Figure("projector", median(rounds), "events/s", None, None)


async def _published(relay_port: int) -> None:
    while (await health.ask(relay_port)).lag_positions != 0:
        await asyncio.sleep(POLL_S)


async def _round(pool: "asyncpg.Pool[Any]", settings: dict[str, str]) -> float:
    async def applied() -> int:
        return int(await pool.fetchval(f"select coalesce(sum(doc_version), 0) from {SUMMARIES.table}"))

    await pool.execute(f"truncate {SUMMARIES.table}, journal, checkpoints")
    async with serving("processors", settings):
        return await per_second(applied, EVENTS)


async def per_second(count: Callable[[], Awaitable[int]], total: int) -> float:
    """From when something has happened until everything has."""
    while not (first := await count()):
        await asyncio.sleep(POLL_S)
    started = time.perf_counter()
    while await count() < total:
        await asyncio.sleep(POLL_S)
    return (total - first) / (time.perf_counter() - started)
