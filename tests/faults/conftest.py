"""What every fault test has: a seed that can be given again, and a terminal to tell it to."""

import os
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from ops.database import open_pool
from ops.stack.postgres import Postgres
from tests import services
from tests.conftest import Kafka
from tests.faults.pipeline import Pipeline


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Tells the terminal at once, also in a run that succeeds or is killed."""

    def said(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", flush=True)

    return said


@pytest.fixture
def seed(say: Callable[[str], None], request: pytest.FixtureRequest) -> int:
    """`OA_FAULT_SEED`, else a new one."""
    chosen = int(os.environ.get("OA_FAULT_SEED") or random.SystemRandom().randrange(10**9))
    say(f"{request.node.name}: SEED={chosen}")
    return chosen


@pytest.fixture
def database(postgres_server: Postgres) -> Iterator[str]:
    """A log of one's own for each test."""
    with services.fresh_database(postgres_server, f"test_{uuid.uuid4().hex[:12]}") as dsn:
        yield dsn


@pytest.fixture
async def pipeline(database: str, kafka: Kafka) -> AsyncIterator[Pipeline]:
    async with open_pool(database) as pool:
        yield Pipeline(pool, kafka.bootstrap, database, f"{kafka.prefix}{uuid.uuid4().hex[:6]}.")
