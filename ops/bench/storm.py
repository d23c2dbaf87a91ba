"""`oa bench storm`: 2 000 sockets come back at once, up to 500 rows behind, until all of them are current."""

import asyncio
import random
from typing import Any, NamedTuple

import asyncpg
import uvloop

from ops.bench import live
from ops.bench.crowd import Crowd, Visitor, gathered
from ops.bench.fanout import ROW, SUBSCRIBED
from ops.bench.figures import Figure, median, show
from ops.bench.processes import fresh_postgres
from ops.bench.sockets import path_of, subscribing
from ops.bench.writing import Writer
from ops.database import open_pool
from producers.eventlog.log import EventLog
from schemas.names import WORKER_EVENTS, user_owner

SOCKETS = 2_000
OWNERS = 20
BEHIND = 500
ROUNDS = 3
FLUSHED_S = 11
"""An idle Postgres session tells its statistics after ten seconds at most."""

_ROWS = "select position from events where owner = $1 order by position"
_TRANSACTIONS = "select xact_commit from pg_stat_database where datname = current_database()"


class Round(NamedTuple):
    current_s: float
    queries: float


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """Each round with an edge of its own."""
    async with fresh_postgres() as (server, _), open_pool(server.dsn()) as pool:
        owners = [await _owner(pool, number) for number in range(OWNERS)]
        rounds = []
        for _ in range(ROUNDS):
            async with live.edge(server.dsn()) as edge:
                rounds.append(await _round(pool, edge, owners))
    seconds = Figure("storm", median(one.current_s for one in rounds), "s", None, None)
    queries = median(one.queries for one in rounds) / OWNERS
    seconds.cases.append(Figure("Postgres queries a topic and owner", queries, "", None, None))
    return seconds


async def _owner(pool: "asyncpg.Pool[Any]", number: int) -> int:
    """A user with one worker that has a little more than the rows somebody may be behind."""
    user_id = await live.account(pool, f"bench-{number}@lane.test")
    log = EventLog(pool)
    await Writer(log, user_owner(user_id), 1).backlog(BEHIND + 1)
    await log.close()
    return user_id


async def _round(pool: "asyncpg.Pool[Any]", edge: live.Edge, owners: list[int]) -> Round:
    """Nobody is ready before his replay has been sent (sync SD-6)."""
    entropy, visitors, expected = random.Random(1), list[Visitor](), 0
    for user_id in owners:
        rows = [row["position"] for row in await pool.fetch(_ROWS, user_owner(user_id))]
        path = path_of(edge.token(user_id, WORKER_EVENTS))
        for _ in range(SOCKETS // OWNERS):
            behind = entropy.randint(1, BEHIND)
            visitors.append(Visitor(path, subscribing(WORKER_EVENTS, rows[-1 - behind])))
            expected += behind
    entropy.shuffle(visitors)
    return await _storm(pool, Crowd(edge.port, visitors, SUBSCRIBED, ROW, at_once=True), expected)


async def _storm(pool: "asyncpg.Pool[Any]", crowd: Crowd, expected: int) -> Round:
    """What an edge asks without any socket is measured before, and does not count."""
    clock = asyncio.get_running_loop().time
    quiet = await _queries(pool), clock()
    begun = await _queries(pool), clock()
    async with gathered(crowd) as crowded:
        if crowded.before != expected:
            raise RuntimeError(f"{crowded.before} rows instead of {expected}")
        ended = await _queries(pool), clock()
    idle_per_s = (begun[0] - quiet[0]) / (begun[1] - quiet[1])
    return Round(crowded.took_s, ended[0] - begun[0] - idle_per_s * (ended[1] - begun[1]))


async def _queries(pool: "asyncpg.Pool[Any]") -> int:
    await asyncio.sleep(FLUSHED_S)
    return int(await pool.fetchval(_TRANSACTIONS))
