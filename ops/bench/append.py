"""`oa bench append`: the library's durable commands a second beside pgbench's one-statement event + outbox insert."""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
import uvloop

from ops.bench.figures import Figure, Run, beside, by_itself, cpu_s, median, show
from ops.bench.pgbench import RUN_S, pgbench, prepare
from ops.bench.processes import fresh_postgres
from ops.bench.writers import Written, check, create, written
from ops.bench.writing import EVENT
from ops.database import open_pool
from ops.stack.postgres import Postgres
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.workers import DECIDER, CreateWorker
from schemas.names import worker_stream

CONCURRENT = 64
SLOW_CONCURRENT = 256
UNIT = "commands/s"
ROUNDS = 3


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    async with fresh_postgres() as (server, pid), open_pool(server.dsn()) as pool:
        await prepare(server)
        rounds = [(await _ours(server, pid), await pgbench(server, pid)) for _ in range(ROUNDS)]
        figure = beside("append", UNIT, rounds)
        figure.cpu_ratio = median(ours.per_cpu_second / peer.per_cpu_second for ours, peer in rounds)
        figure.cases.append(await _shared(server, pool))
        await _slow_down(pool)
        slow = [await _slow_round(server, pid, pool, number) for number in range(ROUNDS)]
    figure.cases.append(beside("5 ms a commit, 256 concurrent", UNIT, [(alone, peer) for alone, _, peer in slow]))
    figure.cases.append(beside("5 ms a commit, four processes of 64", UNIT, [(four, peer) for _, four, peer in slow]))
    return figure


async def _shared(server: Postgres, pool: "asyncpg.Pool[Any]") -> Figure:
    """Three processes with a client each on every stream; the log is checked afterwards."""
    rounds = list[Run]()
    for number in range(ROUNDS):
        streams = await create(pool, f"shared-{number}", CONCURRENT)
        results = await written(server.dsn(), [streams] * 3, RUN_S)
        await check(pool, results)
        rounds.append(_run_of(results))
    return by_itself("three processes, shared streams", UNIT, rounds)


async def _slow_down(pool: "asyncpg.Pool[Any]") -> None:
    """A disk that takes 5 ms: whoever flushes the log waits that long first, holding its locks, for both sides."""
    for setting in ("commit_siblings = 0", "commit_delay = 5000"):
        await pool.execute(f"alter system set {setting}")
    await pool.execute("select pg_reload_conf()")


async def _slow_round(server: Postgres, pid: int, pool: "asyncpg.Pool[Any]", number: int) -> tuple[Run, Run, Run]:
    """256 clients in one process, the same in four, and the peer."""
    streams = await create(pool, f"slow-{number}", SLOW_CONCURRENT)
    alone = _run_of(await written(server.dsn(), [streams], RUN_S))
    four = _run_of(await written(server.dsn(), [streams[process::4] for process in range(4)], RUN_S))
    return alone, four, await pgbench(server, pid)


def _run_of(results: Sequence[Written]) -> Run:
    latencies_ms = [latency_ms for result in results for latency_ms in result.latencies_ms]
    return Run(len(latencies_ms) / RUN_S, latencies_ms)


async def _ours(server: Postgres, pid: int) -> Run:
    pool = await open_pool(server.dsn())
    log = EventLog(pool)
    before_s = cpu_s(pid) + _own_cpu_s()
    started = time.perf_counter()
    latencies: list[float] = []
    await asyncio.gather(*(_client(log, number, started + RUN_S, latencies) for number in range(CONCURRENT)))
    elapsed_s = time.perf_counter() - started
    used_s = cpu_s(pid) + _own_cpu_s() - before_s
    await log.close()
    await pool.close()
    return Run(len(latencies) / elapsed_s, latencies, len(latencies) / used_s)


async def _client(log: EventLog, number: int, end: float, latencies: list[float]) -> None:
    """One caller after another's answer, on a stream of its own."""
    owner, name = f"user:{number}", f"bench:{number}:{time.time_ns()}"
    stream = worker_stream(owner, name)
    await log.execute(DECIDER, stream, owner, [Item(CreateWorker(name))])
    while (now := time.perf_counter()) < end:
        await log.execute(DECIDER, stream, owner, [EVENT])
        latencies.append((time.perf_counter() - now) * 1000)


def _own_cpu_s() -> float:
    times = os.times()
    return times.user + times.system
