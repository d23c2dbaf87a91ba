"""Fixtures for all tests: Postgres with a database a module; Kafka and Redis for whoever asks; a seed that is told."""

import gc
import os
import random
import time
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from ops.database import open_pool
from ops.stack.kafka.broker import Broker
from ops.stack.postgres import Postgres
from ops.stack.redis import Redis
from tests import services

Say = Callable[[str], None]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with services.postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> Iterator[str]:
    """The DSN of a migrated database that belongs to this test module."""
    with services.fresh_database(postgres_server, f"test_{uuid.uuid4().hex[:12]}") as dsn:
        yield dsn


@pytest.fixture
async def pool(database: str) -> AsyncIterator["asyncpg.Pool[Any]"]:
    async with open_pool(database) as pool:
        yield pool


@dataclass(frozen=True)
class Kafka:
    """A real broker, and what this module puts before the names of its topics and groups."""

    bootstrap: str
    prefix: str


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[Broker]:
    with services.kafka_broker() as broker:
        yield broker


@pytest.fixture(scope="module")
def kafka(kafka_broker: Broker) -> Kafka:
    return Kafka(kafka_broker.bootstrap, f"t{uuid.uuid4().hex[:8]}.")


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Tells the terminal at once, also in a run that succeeds or is killed."""

    def said(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", flush=True)

    return said


@pytest.fixture
def seed(say: Say, request: pytest.FixtureRequest) -> int:
    """`OA_FAULT_SEED`, else a new one."""
    chosen = int(os.environ.get("OA_FAULT_SEED") or random.SystemRandom().randrange(10**9))
    say(f"{request.node.name}: SEED={chosen}")
    return chosen


KAFKA_FIXTURES = {"kafka", "kafka_broker"}


@pytest.fixture(autouse=True)
def _forgotten_connections(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test of Kafka has left open is not told of a later one."""
    yield
    if KAFKA_FIXTURES & set(request.fixturenames):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    with services.redis_server() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    return redis_server.url


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow lanes come last, file by file.

    aiokafka leaves a connection unclosed when it is cancelled while it opens one; that is no test's failure.
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
    for item in items:
        if KAFKA_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


class SlowLanes:
    """Leaves slow tests out that `budget_s`, counted from the first of them, has no room for; says which.

    `slow(600)` takes ten minutes at least; without a number a test begins as long as anything is left.
    """

    def __init__(self, budget_s: float) -> None:
        self._budget_s = budget_s
        self._ends_at: float | None = None
        self._left_out: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        slow = item.get_closest_marker("slow")
        if not slow:
            return
        self._ends_at = self._ends_at or time.monotonic() + self._budget_s
        if time.monotonic() + sum(slow.args) >= self._ends_at:
            self._left_out.append(item.nodeid)
            pytest.skip("TEST_BUDGET_S has no room for it")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._left_out:
            terminalreporter.section("left out, because TEST_BUDGET_S has no room for them")
            for name in self._left_out:
                terminalreporter.line(name)


def pytest_configure(config: pytest.Config) -> None:
    if budget_s := os.environ.get("TEST_BUDGET_S"):
        config.pluginmanager.register(SlowLanes(float(budget_s)))
