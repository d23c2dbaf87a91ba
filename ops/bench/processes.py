"""What a bench runs: services and processes of ours, fresh, durable, and gone with the bench however that ends."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import asyncpg

from ops.migrations.runner import migrate
from ops.settings import of_this_process
from ops.stack import health, ports, postgres
from ops.stack.kafka.broker import Broker
from ops.stack.kafka.jre import java
from ops.stack.local import OURS
from ops.stack.postgres import Postgres
from ops.stack.processes import Log, Program, StackError, Supervised, leashed

POLL_S = 0.01

T = TypeVar("T")


class Served(NamedTuple):
    port: int
    pid: int


@asynccontextmanager
async def running(program: Program, log: Log = lambda _name, _line: None) -> AsyncIterator[int]:
    """Ready when the context begins; the pid it has then."""
    service = Supervised(program, log)
    try:
        await service.start(attempts=1)
        assert service.pid is not None
        yield service.pid.number
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
    """One of our processes as the stack runs it, and the port of its health."""
    async with served(process, settings) as (port, _):
        yield port


@asynccontextmanager
async def served(process: str, settings: Mapping[str, str]) -> AsyncIterator[Served]:
    [port] = ports.free()
    environment = {"OA_LOG_LEVEL": "warning", **settings, OURS[process]: str(port)}
    async with listening(process, [sys.executable, "-m", "ops.serving", process], port, environment) as pid:
        yield Served(port, pid)


@asynccontextmanager
async def listening(
    name: str, command: Sequence[str], port: int, environment: Mapping[str, str] | None = None
) -> AsyncIterator[int]:
    """Any process that answers `/readyz` on this port when it is ready, and its pid."""

    async def is_ready() -> bool:
        return (await health.ask(port)).ready

    program = Program(
        name=name, command=leashed(command), ready=is_ready, environment={**os.environ, **(environment or {})}
    )
    async with running(program, lambda name, line: print(f"{name} | {line}", file=sys.stderr)) as pid:
        yield pid


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    while not await holds():
        await asyncio.sleep(POLL_S)


async def in_own_process(function: Callable[..., T], *arguments: Any) -> T:
    """What the function returns, run by a Python of its own."""
    async with piped(_tell, function, arguments) as pipe:
        told: T = await heard(pipe)
        return told


@asynccontextmanager
async def piped(entry: Callable[..., None], *arguments: Any) -> AsyncIterator[Connection]:
    """A Python of its own that runs `entry` with the other end of a pipe; it is killed with the context."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=entry, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


async def heard(pipe: Connection) -> Any:
    """What the process tells next."""
    try:
        return await asyncio.to_thread(pipe.recv)
    except EOFError:
        raise StackError("a process of the bench's own failed; see above") from None


def _tell(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    pipe.send(function(*arguments))
