"""`oa bench start`: from `oa up` to the first event on a socket, everything cached, and the idle stack's memory."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import uvloop
from oa_client.client import Client
from oa_client.sync import WORKER_EVENTS, follow

from ops.bench.figures import Figure, median, pss_kib, rss_kib, show
from ops.demo import PORTS
from ops.stack import ports, secrets, state
from ops.stack.processes import StackError

FIRST_PORT, LAST_PORT = 29_000, 30_000
IDLE_S = 15
ROUNDS = 3


class Round(NamedTuple):
    """Seconds since `oa up` was called, then memory of all processes but the worker and its Codex."""

    ready_s: float
    streamed_s: float
    rss_kib: int
    pss_kib: int


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """The first start fills the caches and does not count."""
    rounds = [await _round(idle_s=IDLE_S if number else 0) for number in range(ROUNDS + 1)][1:]
    figure = _figure("start", median(one.streamed_s for one in rounds), "s")
    figure.rss_kib = int(median(one.rss_kib for one in rounds))
    figure.cases += [
        _figure("stack ready", median(one.ready_s for one in rounds), "s"),
        _figure("idle stack, RSS", figure.rss_kib / 1024, "MiB"),
        _figure("idle stack, PSS", median(one.pss_kib for one in rounds) / 1024, "MiB"),
    ]
    return figure


def _figure(name: str, ours: float, unit: str) -> Figure:
    return Figure(name, ours, unit, None, None)


async def _round(idle_s: float) -> Round:
    started = time.monotonic()
    async with _stack() as data:
        ready_s = time.monotonic() - started
        running = state.read(data)
        assert running is not None
        await _streamed(running.address, secrets.read(data)["OA_LOCAL_TOKEN"])
        streamed_s = time.monotonic() - started
        await asyncio.sleep(idle_s)
        supervisor = running.supervisor.number
        return Round(ready_s, streamed_s, rss_kib(supervisor), pss_kib(supervisor))


async def _streamed(address: str, token: str) -> None:
    """A worker is created, and its first event is on its owner's socket."""
    async with Client(address, token) as client, aclosing(follow(client, [WORKER_EVENTS])) as updates:
        await client.create_worker("bench:0", adapter="in_memory")
        await anext(updates)


@asynccontextmanager
async def _stack() -> AsyncIterator[Path]:
    """A stack without a worker in a folder of its own; it is ended and forgotten."""
    port = str(ports.free_block(FIRST_PORT, LAST_PORT, PORTS))
    with tempfile.TemporaryDirectory(prefix="oa-bench-") as folder:
        data = Path(folder) / "oa"
        try:
            await _oa("up", "--detach", "--data", str(data), "--port", port)
            yield data
        finally:
            await _oa("reset", "--yes", "--data", str(data))


async def _oa(*words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OA_", "APP_URL"))}
    command = [sys.executable, "-m", "ops.commands", *words]
    answer = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise StackError(f"`oa {words[0]}` ended with {answer.returncode}: {answer.stderr.strip()}")
