"""Processes of the processors that are killed and started again at random."""

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.pipeline import Pipeline

PROCESS = """
import asyncio, sys, uuid
from datetime import UTC, datetime
import asyncpg
from processors.app import Processors, ProcessorSettings

async def main(dsn, brokers, group, prefix):
    settings = ProcessorSettings(brokers, group, prefix, executor=uuid.uuid4().hex)
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        await Processors(settings, pool, lambda: datetime.now(UTC)).run()

asyncio.run(main(*sys.argv[1:]))
"""


class Victims:
    """Two processes of the processors, killed and started again at random."""

    def __init__(self, pipeline: Pipeline, chance: random.Random) -> None:
        self._pipeline = pipeline
        self._chance = chance
        self.kills = 0

    @asynccontextmanager
    async def dying(self, count: int = 2) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._again_and_again()) for _ in range(count)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _again_and_again(self) -> None:
        while True:
            async with self.living() as process:
                await asyncio.sleep(self._chance.uniform(2, 8))
                assert process.returncode is None, "it ended by itself"
                self.kills += 1

    @asynccontextmanager
    async def living(self) -> AsyncIterator[asyncio.subprocess.Process]:
        settings = self._pipeline.consuming
        arguments = (self._pipeline.database, settings.brokers, settings.group, settings.topic_prefix)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROCESS, *arguments)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
