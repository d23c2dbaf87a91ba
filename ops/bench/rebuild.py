"""`oa bench rebuild`: events a second that `oa projections rebuild` folds from each source, and its memory."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
import uvloop

from ops.bench.figures import Figure, median, show
from ops.bench.processes import fresh_kafka, fresh_postgres, serving, until
from ops.bench.relay import has_published
from ops.bench.writing import Writer
from ops.database import open_pool
from producers.eventlog.log import EventLog
from readmodels import engine
from readmodels.workers import SUMMARIES

EVENTS = 200_000
WORKERS = 500
ROUNDS = 3
GENERATION = 1


class Run(NamedTuple):
    """One process; the rate leaves out how long Python takes to start."""

    events: int
    events_a_s: float
    rss_kib: int
    digest: bytes


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """Every version must have the same digest, also the one whose process was killed halfway."""
    async with fresh_postgres() as (server, _), fresh_kafka() as kafka, open_pool(server.dsn()) as pool:
        settings = {"OA_DATABASE_URL": server.dsn(), "OA_KAFKA_BOOTSTRAP": kafka.bootstrap}
        log = EventLog(pool)
        await Writer(log, "user:1", WORKERS).backlog(EVENTS)
        await log.close()
        async with serving("relay", settings) as port:
            await until(lambda: has_published(port))
        versions = iter(range(SUMMARIES.version + 1, 100))
        postgres = [await _rebuilt(pool, settings, next(versions), "postgres") for _ in range(ROUNDS)]
        topic = [await _rebuilt(pool, settings, next(versions), "kafka") for _ in range(ROUNDS)]
        resumed = await _killed_and_resumed(pool, settings, next(versions))
    if len({one.digest for one in (*postgres, *topic, resumed)}) > 1:
        raise RuntimeError("the rebuilt versions are not equal")
    cases = [_figure("from Kafka", topic), _figure("rest after kill -9, same digest", [resumed])]
    return msgspec.structs.replace(_figure("rebuild", postgres), cases=cases)


def _figure(name: str, runs: list[Run]) -> Figure:
    rss_kib = max(one.rss_kib for one in runs)
    return Figure(name, median(one.events_a_s for one in runs), "events/s", None, None, rss_kib=rss_kib)


async def _rebuilt(pool: "asyncpg.Pool[Any]", settings: Mapping[str, str], version: int, source: str) -> Run:
    rss_kib = 0

    async def has_ended() -> bool:
        nonlocal rss_kib
        rss_kib = max(rss_kib, _peak_rss_kib(process.pid))
        return process.poll() is not None

    with _start(settings, version, source) as process:
        await until(has_ended)
        done = msgspec.json.decode(process.communicate()[0])
    digest = await engine.digest(pool, replace(SUMMARIES, version=version))
    return Run(done["events"], done["events"] / done["seconds"], rss_kib, digest)


def _peak_rss_kib(pid: int) -> int:
    """What the kernel has seen since the program began; 0 when it has ended."""
    told = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM")), 0)


async def _killed_and_resumed(pool: "asyncpg.Pool[Any]", settings: Mapping[str, str], version: int) -> Run:
    """Killed as soon as something is written, so that there is something to go on from."""
    view = replace(SUMMARIES, version=version)

    async def has_written() -> bool:
        return any((await engine.checkpoints(pool, view, GENERATION)).values())

    with _start(settings, version, "postgres") as process:
        await until(has_written)
        process.kill()
    resumed = await _rebuilt(pool, settings, version, "postgres")
    if not 0 < resumed.events < EVENTS:
        raise RuntimeError(f"the killed rebuild had written all or nothing: {resumed.events} were left")
    return resumed


def _start(settings: Mapping[str, str], version: int, source: str) -> "subprocess.Popen[bytes]":
    words = ["projections", "rebuild", SUMMARIES.name, "--to", str(version), "--from", source, "--json"]
    command = [sys.executable, "-m", "ops.commands", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **settings})
