"""What every fault test has: a log of its own, and the processes that work on it."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from ops.database import open_pool
from ops.stack.postgres import Postgres
from tests import services
from tests.conftest import Kafka
from tests.faults.pipeline import Pipeline


@pytest.fixture
def database(postgres_server: Postgres) -> Iterator[str]:
    """A log of one's own for each test."""
    with services.fresh_database(postgres_server, f"test_{uuid.uuid4().hex[:12]}") as dsn:
        yield dsn


@pytest.fixture
async def pipeline(database: str, kafka: Kafka) -> AsyncIterator[Pipeline]:
    async with open_pool(database) as pool:
        yield Pipeline(pool, kafka.bootstrap, database, f"{kafka.prefix}{uuid.uuid4().hex[:6]}.")
