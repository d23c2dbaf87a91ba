"""`oa bench append`: the library's durable commands a second beside pgbench's one-statement event + outbox insert."""

import asyncio
import os
import re
import subprocess
import tempfile
import time
from typing import NamedTuple

import asyncpg
import uvloop

from ops.bench.figures import Figure, cpu_s, median, percentile, show
from ops.bench.processes import fresh_postgres
from ops.bench.writing import EVENT, PAYLOAD
from ops.database import open_pool
from ops.stack.postgres import Postgres
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.workers import DECIDER, CreateWorker
from schemas import canonical_json
from schemas.names import worker_stream

CONCURRENT = 64
CLIENTS = 32
RUN_S = 8
ROUNDS = 3
_PEER_TABLES = """
create table peer_events (id bigserial primary key, stream text, seq bigint, type text, payload json, at timestamptz);
create table peer_outbox (id bigserial primary key, event_id bigint, payload json);
"""
_PEER_SCRIPT = r"""
\set stream random(1, 1000000)
with e as (insert into peer_events (stream, seq, type, payload, at)
           values ('worker/' || :stream, 1, 'worker.event', '{payload}', now()) returning id, payload)
insert into peer_outbox (event_id, payload) select id, payload from e;
"""


class Run(NamedTuple):
    """One side of one round."""

    per_second: float
    per_cpu_second: float
    latencies_ms: list[float]


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    async with fresh_postgres() as (server, pid):
        connection = await asyncpg.connect(server.dsn())
        await connection.execute(_PEER_TABLES)
        await connection.close()
        rounds = [(await _ours(server, pid), await _pgbench(server, pid)) for _ in range(ROUNDS)]
    ours, peers = zip(*rounds, strict=True)
    latencies = [value for one in ours for value in one.latencies_ms]
    return Figure(
        name="append",
        ours=median(one.per_second for one in ours),
        unit="commands/s",
        peer=median(one.per_second for one in peers),
        ratio=median(one.per_second / peer.per_second for one, peer in rounds),
        p50_ms=percentile(latencies, 0.5),
        p99_ms=percentile(latencies, 0.99),
        cpu_ratio=median(one.per_cpu_second / peer.per_cpu_second for one, peer in rounds),
    )


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
    return Run(len(latencies) / elapsed_s, len(latencies) / used_s, latencies)


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


async def _pgbench(server: Postgres, pid: int) -> Run:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_PEER_SCRIPT.replace("{payload}", canonical_json.encode(PAYLOAD).decode()))
        script.flush()
        command = [
            *(str(server.binaries / "pgbench"), "-n", "-f", script.name, "-c", str(CLIENTS), "-j", "1"),
            *("-M", "prepared", "-T", str(RUN_S), "-h", str(server.socket_folder), "-p", str(server.port)),
            *("-U", "oa", "oa"),
        ]
        before_s = cpu_s(pid) + _children_cpu_s()
        answer = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        used_s = cpu_s(pid) + _children_cpu_s() - before_s
    per_second = _number(answer.stdout, r"tps = ([\d.]+)")
    return Run(per_second, _number(answer.stdout, r"transactions actually processed: (\d+)") / used_s, [])


def _children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _number(text: str, pattern: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1])
