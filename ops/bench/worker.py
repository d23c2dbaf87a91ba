"""`oa bench worker`: from a notification of Codex to a socket, what the outbox carries, and an idle daemon's cost."""

import asyncio
import os
import random
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import uvloop
from oa_client.client import Client
from oa_client.workers import WorkerEvent

from edge.auth.sign_in import ensure_local_account
from ops.bench import app_server, live
from ops.bench.figures import Figure, cpu_s, descendants, percentile, rss_kib, show
from ops.bench.processes import fresh_postgres
from ops.database import open_pool

WORKER = "desktopw:bench"
RATES = (100, 500)
WARM_UP_S = 3
RUN_S = 15
BACKLOG = 50_000
SETTLE_S = 5
IDLE_S = 60
WITHIN_S = 120


class Heard(NamedTuple):
    """Of one turn: each delta's way in ms, and how long all of it took."""

    delays_ms: list[float]
    took_s: float


class Bench(NamedTuple):
    """A signed-in caller, and the daemon that it steers."""

    client: Client
    daemon: Process

    async def turn(self, count: int, rate: int) -> Heard:
        """A turn of so many deltas, as one socket hears it."""
        worker = self.client.workers[WORKER]
        after = (await worker.snapshot()).latest_seq
        async with asyncio.timeout(WITHIN_S), aclosing(worker.events(after, over="socket")) as events:
            await worker.send(f"{count} {rate}")
            ways = [way async for way in ways_of_deltas(events)]
        if len(ways) != count:
            raise RuntimeError(f"{len(ways)} deltas instead of {count}")
        delays_ms = [(arrived - sent) / 1e6 for sent, arrived in ways]
        return Heard(delays_ms, (ways[-1][1] - ways[0][0]) / 1e9)


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """`rss_kib` is the daemon's own, without its Codex."""
    async with fresh_postgres() as (server, _), open_pool(server.dsn()) as pool, live.edge(server.dsn()) as edge:
        token = await ensure_local_account(
            pool, "bench@lane.test", None, clock=lambda: datetime.now(UTC), entropy=random.SystemRandom()
        )
        url = f"http://127.0.0.1:{edge.port}"
        async with Client(url, token) as client, _daemon(url, token) as daemon:
            await _registered(client, daemon)
            return await _measured(Bench(client, daemon))


async def _measured(bench: Bench) -> Figure:
    idle_percent, idle_kib = await _idle(bench.daemon.pid)
    await bench.turn(RATES[0] * WARM_UP_S, RATES[0])
    paced = [_paced(rate, await bench.turn(rate * RUN_S, rate)) for rate in RATES]
    burst = await bench.turn(BACKLOG, 0)
    first = paced[0]
    return Figure(
        "worker",
        first.ours,
        "ms",
        None,
        None,
        first.p50_ms,
        first.p99_ms,
        rss_kib=idle_kib,
        cases=[
            *paced,
            Figure("outbox", BACKLOG / burst.took_s, "events/s", None, None),
            Figure("idle daemon, RSS", idle_kib / 1024, "MiB", None, None),
            Figure("idle daemon, CPU", idle_percent, "% of a core", None, None),
            Figure("after the burst, RSS", _own_rss_kib(bench.daemon.pid) / 1024, "MiB", None, None),
        ],
    )


def _paced(rate: int, heard: Heard) -> Figure:
    p50_ms, p99_ms = percentile(heard.delays_ms, 0.5), percentile(heard.delays_ms, 0.99)
    return Figure(f"{rate}/s", p50_ms, "ms", None, None, p50_ms, p99_ms)


async def _idle(pid: int) -> tuple[float, int]:
    """Heartbeats included."""
    await asyncio.sleep(SETTLE_S)
    before, began = cpu_s(pid), time.monotonic()
    await asyncio.sleep(IDLE_S)
    return (cpu_s(pid) - before) / (time.monotonic() - began) * 100, _own_rss_kib(pid)


def _own_rss_kib(pid: int) -> int:
    return rss_kib(pid) - sum(rss_kib(codex) for codex in descendants(pid)[1:2])


async def ways_of_deltas(events: AsyncIterator[WorkerEvent]) -> AsyncIterator[tuple[int, int]]:
    """When each delta was said and when it came, until its turn is over."""
    async for event in events:
        match event.payload.get("method"), event.payload.get("params"):
            case "item/agentMessage/delta", {"sentNs": int(sent)}:
                yield sent, time.monotonic_ns()
            case "turn/completed", _:
                return


async def _registered(client: Client, daemon: Process) -> None:
    while not any(worker.worker_id == WORKER for worker in await client.list_workers()):
        if daemon.returncode is not None:
            raise RuntimeError("the daemon did not start; see above")
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _daemon(url: str, token: str) -> AsyncIterator[Process]:
    """The real daemon, as `oa worker` runs it; only its Codex is the stand-in."""
    with tempfile.TemporaryDirectory(prefix="oa-bench-") as folder:
        codex = app_server.executable(Path(folder))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from oa_client.cli import main; main()", "worker", "--id", WORKER),
            *("--url", url, "--token", token, "--data", folder, "--state", f"{folder}/state", "--cwd", folder),
            *("--provider", "local-stub", "--stub-url", url, "--sandbox", "workspace-write"),
            env={**os.environ, "OA_CODEX_BIN": str(codex)},
            stdout=DEVNULL,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
