"""A Faust agent that raises, is moved by a rebalance, or loses Postgres: summaries stay those of the log (I5)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest

from processors.app import Processors, make_app, run_app
from processors.arrivals import Arrival, batch, follow, take_arrivals
from processors.inbox import Inbox
from processors.lag import Watch
from processors.log_source import LogSource
from processors.projector import Projector
from processors.topics import wait_for_topics
from producers.eventlog.reader import LogReader
from readmodels import engine
from readmodels.workers import SUMMARIES
from tests.faults.pipeline import Pipeline, now, together

EVENTS = 20
DROP_ALL = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = current_database() and application_name = 'theirs'"
)


class RaisingInbox(Inbox[Arrival]):
    """Some puts fail, and with them the agent, which Faust starts again behind that record, five seconds later."""

    FAILING = (3, 40, 200)

    def __init__(self) -> None:
        super().__init__()
        self.puts = 0

    async def put(self, item: Arrival) -> None:
        self.puts += 1
        if self.puts in self.FAILING:
            raise RuntimeError("an agent that fails")
        await super().put(item)


@asynccontextmanager
async def projecting_with(pipeline: Pipeline, inbox: Inbox[Arrival]) -> AsyncIterator[None]:
    """The processors with an inbox of the test's."""
    async with asyncpg.create_pool(pipeline.database, min_size=1, max_size=2) as pool:
        await engine.prepare(pool, SUMMARIES)
        partitions = (await wait_for_topics(pipeline.bootstrap, [pipeline.topic]))[pipeline.topic]
        projector = Projector(pool, SUMMARIES, 1, LogSource(LogReader(pool), SUMMARIES.topic, partitions))
        watch = Watch(pool, projector, partitions=partitions, topic=pipeline.topic, clock=now)
        app = make_app(pipeline.consuming)
        follow(app, pipeline.topic, [inbox])

        async def take(arrivals: Sequence[Arrival]) -> None:
            await projector.apply(batch(arrivals))

        async with together(watch.run(), take_arrivals(inbox, take), run_app(app)):
            yield


async def until_ready(processors: Processors) -> None:
    async with asyncio.timeout(30):
        while not processors.health().ready:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_an_agent_that_raises_loses_nothing(pipeline: Pipeline) -> None:
    inbox = RaisingInbox()
    async with pipeline.relaying(), projecting_with(pipeline, inbox):
        for _ in range(3):
            await pipeline.write(EVENTS)
            await pipeline.until_agreed()
    assert inbox.puts > max(inbox.FAILING)


async def test_processors_that_come_and_go_share_the_partitions_without_a_loss(pipeline: Pipeline) -> None:
    async with pipeline.relaying(), pipeline.projecting():
        await pipeline.write(EVENTS)
        await pipeline.until_agreed()
        for _ in range(3):
            async with pipeline.projecting() as other:
                await pipeline.write(EVENTS)
                await until_ready(other)
                await pipeline.write(EVENTS)
            await pipeline.until_agreed()


@pytest.mark.slow
async def test_a_projector_whose_connections_end_in_the_middle_of_batches_applies_everything_once(
    pipeline: Pipeline,
) -> None:
    """Each connection lives for some milliseconds."""

    async def end_connections() -> None:
        while True:
            await pipeline.pool.execute(DROP_ALL)
            await asyncio.sleep(0.03)

    theirs = Pipeline(
        pipeline.pool, pipeline.bootstrap, f"{pipeline.database}?application_name=theirs", pipeline.prefix
    )
    async with pipeline.relaying(), theirs.projecting() as processors:
        await until_ready(processors)
        async with together(end_connections()):
            for _ in range(10):
                await pipeline.write(EVENTS)
            await pipeline.until_relayed()
    async with theirs.projecting():
        await pipeline.until_agreed()
