"""What every fault test has: a log of its own, and the processes that work on it."""

import uuid
from collections.abc import AsyncIterator

import pytest

from ops.database import open_pool
from tests.conftest import Kafka
from tests.faults.pipeline import Pipeline


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
async def pipeline(database: str, kafka: Kafka) -> AsyncIterator[Pipeline]:
    async with open_pool(database) as pool:
        yield Pipeline(pool, kafka.bootstrap, database, f"{kafka.prefix}{uuid.uuid4().hex[:6]}.")
