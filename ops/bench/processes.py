"""What a bench runs: services and processes of ours, fresh, durable, and gone with the bench however that ends."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from ops.migrations.runner import migrate
from ops.settings import of_this_process
from ops.stack import health, ports, postgres
from ops.stack.kafka.broker import Broker, java
from ops.stack.postgres import Postgres
from ops.stack.processes import Log, Program, StackError, Supervised, leashed

POLL_S = 0.01

T = TypeVar("T")


@asynccontextmanager
async def running(program: Program, log: Log = lambda _name, _line: None) -> AsyncIterator[None]:
    """Ready when the context begins."""
    service = Supervised(program, log)
    try:
        await service.start(attempts=1)
        yield
    finally:
        await service.stop()


@asynccontextmanager
async def fresh_postgres() -> AsyncIterator[tuple[Postgres, int]]:
    """A migrated server and its pid."""
    with tempfile.TemporaryDirectory(prefix="oa-bench-") as folder:
        server = Postgres(postgres.plan_here(Path(folder) / "oa"), postgres.binaries(), port=5432)
        server.prepare()
        async with running(server.program()):
            await server.ensure_database()
            connection = await asyncpg.connect(server.dsn())
            await migrate(connection)
            await connection.close()
            yield server, int((server.plan.home / "data" / "postmaster.pid").read_text().split()[0])


@asynccontextmanager
async def fresh_kafka() -> AsyncIterator[Broker]:
    stack = of_this_process().stack
    with tempfile.TemporaryDirectory(prefix="oa-bench-") as folder:
        broker = Broker(java(stack.java_home), stack.cache, Path(folder), *ports.free(2))
        await broker.prepare(lambda line: print(line, file=sys.stderr))
        async with running(broker.program()):
            yield broker


@asynccontextmanager
async def serving(process: str, settings: Mapping[str, str]) -> AsyncIterator[int]:
    """One of our processes as `oa serve` runs it, and the port of its health."""
    [port] = ports.free()
    where = {"edge": "OA_EDGE_PORT", "relay": "OA_RELAY_HEALTH_PORT", "processors": "OA_PROCESSORS_HEALTH_PORT"}

    async def is_ready() -> bool:
        return (await health.ask(port)).ready

    program = Program(
        name=process,
        command=leashed([sys.executable, "-m", "ops.commands", "serve", process]),
        ready=is_ready,
        environment={**os.environ, "OA_LOG_LEVEL": "warning", **settings, where[process]: str(port)},
    )
    async with running(program, lambda name, line: print(f"{name} | {line}", file=sys.stderr)):
        yield port


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    while not await holds():
        await asyncio.sleep(POLL_S)


async def in_own_process(function: Callable[..., T], *arguments: Any) -> T:
    """What the function returns, run by a Python of its own."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        told: T = await asyncio.to_thread(ours.recv)
        return told
    except EOFError:
        raise StackError(f"the bench's own process for `{function.__name__}` failed; see above") from None
    finally:
        process.kill()
        process.join()


def _tell(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    pipe.send(function(*arguments))
