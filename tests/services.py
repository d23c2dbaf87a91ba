"""The real services tests run against: each started once a session, when first asked for, gone with the session."""

import asyncio
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from ops.migrations.runner import migrate
from ops.stack import ports, postgres, redis
from ops.stack.kafka.broker import Broker
from ops.stack.kafka.jre import java
from ops.stack.postgres import Postgres
from ops.stack.processes import Program, Supervised
from ops.stack.redis import Redis

T = TypeVar("T")
TEMPLATE = "oa_template"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` outside of any test's event loop."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(work)


def _to_stderr(name: str, line: str) -> None:
    sys.stderr.write(f"{name} | {line}\n")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="oa-tests-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(program: Program) -> Iterator[None]:
    service = Supervised(program, _to_stderr)
    run(service.start(attempts=1))
    try:
        yield
    finally:
        run(service.stop())


_OFFSET = 5_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Each process of `pytest -n` looks for ports of its own."""
_PORTS = itertools.cycle(random.sample(range(21_200 + _OFFSET, 21_500 + _OFFSET), k=300))


def free_port() -> int:
    """A port that nobody listens on, and that was given to nobody for hundreds of calls: its taker can let it go and
    take it again."""
    return next(port for port in _PORTS if ports.is_free(port))


def free_block(size: int = 8, *, first: int = 21_000) -> int:
    """The first of `size` neighbouring ports that nobody listens on."""
    first += _OFFSET
    starts = random.sample(range(first, first + 190 - size, size), k=20)
    return next(start for start in starts if all(ports.is_free(start + offset) for offset in range(size)))


def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    """Wait for a condition; an AssertionError at the deadline."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        threading.Event().wait(0.02)


async def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """`until`, for conditions that this event loop has to bring about."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.01)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A server with a migrated template database."""
    with temporary_folder() as folder:
        server = Postgres(postgres.plan_here(folder / "oa"), postgres.binaries(), port=5432)
        server.prepare()
        with running(server.program()):
            run(_make_template(server))
            yield server


async def _make_template(server: Postgres) -> None:
    await server.ensure_database(TEMPLATE)
    connection = await asyncpg.connect(server.dsn(TEMPLATE))
    try:
        await migrate(connection)
    finally:
        await connection.close()


@contextmanager
def fresh_database(server: Postgres) -> Iterator[str]:
    """The DSN of a migrated database of one's own, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    run(_execute(server, f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}'))
    try:
        yield server.dsn(name)
    finally:
        run(_execute(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(server: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def kafka_broker() -> Iterator[Broker]:
    with temporary_folder() as folder:
        port, controller_port = ports.free(2)
        broker = Broker(java(None), Path.home() / ".cache" / "oa", folder / "kafka", port, controller_port)
        run(broker.prepare(lambda line: _to_stderr("kafka", line)))
        with running(replace(broker.program(), stop_signal=signal.SIGKILL)):  # hundreds of topics take long to leave
            yield broker


@contextmanager
def redis_server() -> Iterator[Redis]:
    program = redis.binary()
    assert program is not None, "no Redis: run `make` again"
    server = Redis(program, ports.free()[0])
    with running(server.program()):
        yield server
