"""`oa bench runs`: runs of three frames completed a second at 16 in flight, beside workflows of three steps in DBOS."""

import asyncio
import json
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Final

import uvloop

from ops.bench.figures import Figure, Run, beside, show
from ops.bench.processes import fresh_kafka, fresh_postgres, serving
from ops.bench.run_writing import Runs, living
from ops.database import open_pool
from ops.settings import of_this_process
from ops.stack.postgres import Postgres
from ops.stack.processes import StackError

IN_FLIGHT: Final = 16
COUNT: Final = 3_000
OF_PEER: Final = 1_000
WARM_UP: Final = 300
ROUNDS: Final = 3
_DBOS: Final = Path(__file__).parent / "dbos"


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """Ours through the log, the relay, Kafka, the executor and back; the peer's steps return what they are given.

    On both sides every step is committed before the next one begins, and whoever waits is told of the end.
    """
    python = await asyncio.to_thread(_environment)
    async with fresh_postgres() as (server, _), fresh_kafka() as kafka, open_pool(server.dsn()) as pool:
        await server.ensure_database("dbos")
        settings = {"OA_DATABASE_URL": server.dsn(), "OA_KAFKA_BOOTSTRAP": kafka.bootstrap}
        async with serving("relay", settings), serving("processors", settings), living(pool) as runs:
            await runs.many("warm-up-", WARM_UP, IN_FLIGHT)
            rounds = [(await _ours(runs, number), await _peers(python, server)) for number in range(ROUNDS)]
    return beside("runs", "runs/s", rounds)


async def _ours(runs: Runs, number: int) -> Run:
    started = time.perf_counter()
    took_s = await runs.many(f"{number}-", COUNT, IN_FLIGHT)
    return Run(COUNT / (time.perf_counter() - started), [one * 1000 for one in took_s])


async def _peers(python: Path, server: Postgres) -> Run:
    dsn = f"postgresql://oa@/dbos?host={server.socket_folder}&port={server.port}"
    arguments = (str(_DBOS / "peer.py"), dsn, str(OF_PEER), str(IN_FLIGHT))
    process = await asyncio.create_subprocess_exec(python, *arguments, stdin=DEVNULL, stdout=PIPE)
    answer, _ = await process.communicate()
    if process.returncode:
        raise StackError("DBOS failed; see above")
    told = json.loads(answer.splitlines()[-1])
    return Run(OF_PEER / told["elapsed_s"], [one * 1000 for one in told["took_s"]])


def _environment() -> Path:
    """The Python of an environment that has DBOS and nothing of ours, made once."""
    folder = of_this_process().stack.cache / "bench-dbos"
    wanted = (_DBOS / "requirements.txt").read_text(encoding="utf-8")
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(folder / "bin/pip"), "install", "-q", "-r", str(_DBOS / "requirements.txt"))
        installed.write_text(wanted, encoding="utf-8")
    return folder / "bin/python"


def _run(*command: str) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise StackError(f"DBOS could not be installed: {answer.stderr.strip()}")
