"""Fixtures for all tests: Postgres with a database a module; Kafka, Redis, a whole stack for whoever asks; a seed."""

import gc
import os
import random
import sys
import time
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import asyncpg
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from ops.database import open_pool
from ops.stack.kafka.broker import Broker
from ops.stack.postgres import Postgres
from ops.stack.redis import Redis
from producers.eventlog.log import EventLog
from tests import local_stack, services
from tests.local_stack import Operator

Say = Callable[[str], None]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with services.postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> Iterator[str]:
    """The DSN of a migrated database that belongs to this test module."""
    with services.fresh_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture
def own_database(postgres_server: Postgres) -> Iterator[str]:
    """For modules whose tests have a log each: their `database` is this."""
    with services.fresh_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture
async def pool(database: str) -> AsyncIterator["asyncpg.Pool[Any]"]:
    async with open_pool(database) as pool:
        yield pool


@pytest.fixture
async def log(pool: "asyncpg.Pool[Any]") -> AsyncIterator[EventLog]:
    log = EventLog(pool)
    yield log
    await log.close()


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
    """Tells the terminal at once, also in a run that succeeds or is killed; stdout is taken by `pytest -n`."""

    def said(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", file=sys.stderr, flush=True)

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


class Started(NamedTuple):
    operator: Operator
    printed: str


@pytest.fixture(scope="session")
def started() -> Iterator[Started]:
    """A real stack with a local worker, for all tests of the whole in this process, and what its operator was told."""
    with local_stack.operator(22_200) as somebody:
        up = somebody.up("--worker", CODEX_HOME=str(somebody.data / "no-account"))
        assert up.returncode == 0, up.stdout + up.stderr
        yield Started(somebody, up.stdout)


@pytest.fixture(scope="session")
def stack(started: Started) -> Operator:
    return started.operator


@pytest.fixture(scope="session")
def url(stack: Operator) -> str:
    return f"http://127.0.0.1:{stack.port}"


BROWSER = "tests/browser/"
"""One process runs all of this lane: its tests share a stack with everything that its pages can show."""
_QUICK = ("tests/unit/", "tests/property/", "tests/conformance/")
LANES = (*_QUICK, "tests/faults/", "tests/integration/", BROWSER, "tests/e2e/")
"""In this order: what is quick tells first; shared stacks, once started, live until the end."""
LONGEST = ("test_kills.py", "test_commit_points.py", "test_appends.py", "test_stack.py", "test_recovery.py")
"""First in their lanes: whatever takes minutes must not be begun last."""


HALF_OPEN = r"ignore:Exception in thread[\s\S]*_read_task:pytest.PytestUnhandledThreadExceptionWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests come last in their file.

    aiokafka leaves a connection unclosed when it is cancelled while it opens one, and fails (`_read_task` is None) when
    it closes such a one; that is no test's failure.
    """
    items.sort(key=_turn)
    for item in items:
        if KAFKA_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings(HALF_OPEN))


def _turn(item: pytest.Item) -> tuple[int, bool, str, bool]:
    [lane] = [number for number, lane in enumerate(LANES) if item.nodeid.startswith(lane)]
    name = item.path.name
    return lane, name not in LONGEST, name, item.get_closest_marker("slow") is not None


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A file's tests, or the browser's, run in one process, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER if nodeid.startswith(BROWSER) else nodeid.split("::", 1)[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """What `pytest -n` deals out."""
    return ByFile(config, log)


NO_ROOM = "TEST_BUDGET_S has no room for it"


class SlowLanes:
    """Leaves slow tests out that what is left of `budget_s`, which only they use up, has no room for.

    `slow(600)` takes ten minutes at least; without a number a test begins as long as anything is left. Each process of
    `pytest -n` has the whole budget.
    """

    def __init__(self, budget_s: float) -> None:
        self._left_s = budget_s

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        slow = item.get_closest_marker("slow")
        if not slow:
            return (yield)
        if sum(slow.args) >= self._left_s:
            item.add_marker(pytest.mark.skip(reason=NO_ROOM))
        begun = time.monotonic()
        try:
            return (yield)
        finally:
            self._left_s -= time.monotonic() - begun


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names what was left out, and why: slow tests, and those of tools that cannot be had here."""
    reports: list[pytest.TestReport] = terminalreporter.stats.get("skipped", [])
    reasons = {report.nodeid: str(report.longrepr[2]) for report in reports if isinstance(report.longrepr, tuple)}
    for reason in sorted(set(reasons.values())):
        terminalreporter.section(f"left out: {reason.removeprefix('Skipped: ')}")
        for name in (name for name, why in reasons.items() if why == reason):
            terminalreporter.line(name)


class FailuresAtOnce:
    """Says which test failed when it did; a dot in a long run of several processes has no name."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal:
            terminal.write_line(f"\n{report.nodeid} failed in its {report.when}")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(FailuresAtOnce(config))
    os.environ.pop("COLUMNS", None)  # `pytest -n` tells its processes a width, which consoles would take for ever
    if budget_s := os.environ.get("TEST_BUDGET_S"):
        config.pluginmanager.register(SlowLanes(float(budget_s)))
