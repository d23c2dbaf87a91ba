"""`oa bench live-events`: from handing an event to the log until its frame is at 200 sockets of its owner."""

import asyncio
import os
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

import asyncpg

from edge.auth.sign_in import ensure_local_account
from edge.auth.sync_tokens import SyncTokenSettings, mint
from ops.bench import sockets
from ops.bench.figures import Figure, percentile, show
from ops.bench.postgres import fresh_postgres
from ops.database import open_pool
from ops.stack import health, ports
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.workers import DECIDER, AppendEvent, CreateWorker
from schemas.names import WORKER_EVENTS, user_owner, worker_stream

SOCKETS = 200
RATES = (500, 100)
RUN_S = 15
WORKERS = 10
ISSUER = "http://bench.invalid"


def main(*, as_json: bool) -> None:
    show(asyncio.run(run()), as_json=as_json)


async def run() -> Figure:
    first, *rest = [await _case(rate) for rate in RATES]
    first.name, first.cases = "live-events", [first_case(first), *rest]
    return first


def first_case(figure: Figure) -> Figure:
    return Figure(f"{RATES[0]}/s", figure.ours, figure.unit, None, None, figure.p50_ms, figure.p99_ms)


async def _case(rate: int) -> Figure:
    """One fresh log, one edge process, one process of sockets; each event counts once a socket."""
    async with fresh_postgres() as (server, _), open_pool(server.dsn()) as pool:
        owner = await _account(pool)
        key = secrets.token_hex(32)
        async with _edge(server.dsn(), key) as port:
            sent, arrived = await _measure(pool, owner, port, _token(owner, key), rate)
    delays_ms = [(at - sent[number]) / 1e6 for arrivals in arrived for number, at in arrivals]
    expected = len(sent) * SOCKETS
    if len(delays_ms) != expected:
        raise RuntimeError(f"{len(delays_ms)} deliveries instead of {expected}")
    p50_ms, p99_ms = percentile(delays_ms, 0.5), percentile(delays_ms, 0.99)
    return Figure(f"{rate}/s", p50_ms, "ms", None, None, p50_ms, p99_ms)


async def _account(pool: "asyncpg.Pool[Any]") -> str:
    token = await ensure_local_account(
        pool, "bench@lane.test", None, clock=lambda: datetime.now(UTC), entropy=random.SystemRandom()
    )
    return user_owner(
        await pool.fetchval("select user_id from personal_tokens where id = $1", int(token.split("|")[0]))
    )


def _token(owner: str, key: str) -> str:
    settings = SyncTokenSettings(issuer=ISSUER, signing_key=key, ttl_s=900)
    user_id = int(owner.removeprefix("user:"))
    return mint(settings, user_id, [WORKER_EVENTS], datetime.now(UTC), "0" * 24, {}).token


@asynccontextmanager
async def _edge(dsn: str, key: str) -> AsyncIterator[int]:
    """A real edge process."""
    [port] = ports.free()
    settings = {
        "OA_DATABASE_URL": dsn,
        "OA_EDGE_PORT": str(port),
        "OA_SYNC_TOKEN_SIGNING_KEY": key,
        "OA_SYNC_TOKEN_ISSUER": ISSUER,
        "OA_PROFILE": "local",
        "OA_LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.commands", "serve", "edge"), env=dict(os.environ) | settings
    )
    try:
        while not (await health.ask(port)).ready:
            if process.returncode is not None:
                raise RuntimeError("the edge ended; see its log above")
            await asyncio.sleep(0.1)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _measure(
    pool: "asyncpg.Pool[Any]", owner: str, port: int, token: str, rate: int
) -> tuple[dict[int, int], list[list[tuple[int, int]]]]:
    """When each number was handed to the log, and when it arrived at each socket (monotonic ns)."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    follower = context.Process(target=sockets.follow, args=(theirs, port, token, SOCKETS), daemon=True)
    follower.start()
    theirs.close()
    try:
        assert await asyncio.to_thread(ours.recv) == "ready"
        sent = await _write(pool, owner, rate)
        await asyncio.sleep(1)
        ours.send("enough")
        arrived: list[list[tuple[int, int]]] = await asyncio.to_thread(ours.recv)
    finally:
        follower.kill()
        follower.join()
    return sent, arrived


async def _write(pool: "asyncpg.Pool[Any]", owner: str, rate: int) -> dict[int, int]:
    log = EventLog(pool)
    names = [f"bench:{number}" for number in range(WORKERS)]
    for name in names:
        await log.execute(DECIDER, worker_stream(owner, name), owner, [Item(CreateWorker(name))])
    sent: dict[int, int] = {}

    async def append(number: int) -> None:
        stream = worker_stream(owner, names[number % WORKERS])
        payload = {"source": "autopilot-desktop", "method": "item/agentMessage/delta", "params": {"n": number}}
        sent[number] = time.monotonic_ns()
        await log.execute(DECIDER, stream, owner, [Item(AppendEvent("worker.event", payload))])

    await _paced(append, rate)
    await log.close()
    return sent


async def _paced(append: Any, rate: int) -> None:
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(rate * RUN_S):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            group.create_task(append(number))
