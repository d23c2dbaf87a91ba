"""From handing an event to the log until a frame that reflects it is at every socket of its owner, once warm."""

import asyncio
import random
import secrets
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import asyncpg

from edge.auth.sign_in import ensure_local_account
from edge.auth.sync_tokens import SyncTokenSettings, mint
from ops.bench.figures import Figure, percentile
from ops.bench.processes import served
from ops.bench.sockets import Target, following
from ops.bench.writing import Sent, Writer
from producers.eventlog.log import EventLog
from schemas.names import user_owner

SOCKETS = 200
RATES = (500, 100)
WARM_UP_S = 3
RUN_S = 15
SETTLE_S = 2
WORKERS = 10
ISSUER = "http://bench.invalid"


class Edge(NamedTuple):
    """A served edge; `key` signs its sync tokens."""

    port: int
    pid: int
    key: str

    def token(self, user_id: int, topic: str) -> str:
        settings = SyncTokenSettings(issuer=ISSUER, signing_key=self.key, ttl_s=900)
        return mint(settings, user_id, [topic], datetime.now(UTC), "0" * 24, {}).token


@asynccontextmanager
async def edge(dsn: str) -> AsyncIterator[Edge]:
    key = secrets.token_hex(32)
    settings = {"OA_DATABASE_URL": dsn, "OA_SYNC_TOKEN_SIGNING_KEY": key, "OA_SYNC_TOKEN_ISSUER": ISSUER}
    async with served("edge", settings | {"OA_PROFILE": "local"}) as (port, pid):
        yield Edge(port, pid, key)


async def measure(name: str, topic: str, pool: "asyncpg.Pool[Any]", edge: Edge) -> Figure:
    """Each rate with an owner and sockets of its own; each event counts once a socket."""
    cases = [await _case(topic, pool, edge, rate) for rate in RATES]
    return Figure(name, cases[0].ours, "ms", None, None, cases[0].p50_ms, cases[0].p99_ms, cases=cases)


async def _case(topic: str, pool: "asyncpg.Pool[Any]", edge: Edge, rate: int) -> Figure:
    user_id = await account(pool, f"bench-{rate}@lane.test")
    log = EventLog(pool)
    writer = Writer(log, user_owner(user_id), WORKERS)
    await writer.create()
    async with following(Target(edge.port, edge.token(user_id, topic), topic, SOCKETS, rows=WORKERS)) as arrivals:
        await writer.paced(rate, WARM_UP_S)
        sent = await writer.paced(rate, RUN_S)
        await asyncio.sleep(SETTLE_S)
        delays_ms = [delay for arrived in await arrivals() for delay in _delays_ms(sent, arrived)]
    await log.close()
    if len(delays_ms) != len(sent) * SOCKETS:
        raise RuntimeError(f"{len(delays_ms)} deliveries instead of {len(sent) * SOCKETS}")
    p50_ms, p99_ms = percentile(delays_ms, 0.5), percentile(delays_ms, 0.99)
    return Figure(f"{rate}/s", p50_ms, "ms", None, None, p50_ms, p99_ms)


async def account(pool: "asyncpg.Pool[Any]", email: str) -> int:
    token = await ensure_local_account(
        pool, email, None, clock=lambda: datetime.now(UTC), entropy=random.SystemRandom()
    )
    return int(await pool.fetchval("select user_id from personal_tokens where id = $1", int(token.split("|")[0])))


def _delays_ms(sent: Sent, arrived: "array[int]") -> Iterator[float]:
    """A row speaks for all events of its worker up to its seq: documents are folded by batch (SD-9)."""
    reached = dict.fromkeys(range(WORKERS), 1)
    rows = iter(arrived)
    for worker, seq, at in zip(rows, rows, rows, strict=True):
        for reflected in range(reached[worker] + 1, seq + 1):
            if handed_at := sent.get((worker, reflected)):
                yield (at - handed_at) / 1e6
        reached[worker] = max(reached[worker], seq)
