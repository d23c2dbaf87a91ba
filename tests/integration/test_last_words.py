"""Between a server's last words and the end of a connection asyncpg raises errors of its own; nothing ends by them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from edge.app import Outside, build
from edge.auth.mail.mailbox import Mailbox
from edge.auth.rate_limits import MemoryCounter
from ops.database import open_pool
from ops.stack.postgres import Postgres
from processors.lag import Watch
from processors.log_source import LogSource
from processors.projector import Projector
from producers.errors import LogUnavailable
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail
from producers.eventlog.wakeups import Wakeups
from producers.workers import DECIDER, CreateWorker
from readmodels import engine
from readmodels.workers import SUMMARIES
from schemas.names import NOTIFY_LOG, worker_stream
from tests import relayed
from tests.last_words import Proxy, proxy
from tests.nodes import SETTINGS
from tests.services import eventually

Pool = asyncpg.Pool
STREAM = worker_stream("user:41", "w:last-words")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def between(postgres_server: Postgres) -> AsyncIterator[Proxy]:
    async with proxy(postgres_server) as started:
        yield started


@pytest.fixture
async def theirs(between: Proxy, database: str) -> AsyncIterator["Pool[Any]"]:
    """One connection, through the proxy."""
    name = urlsplit(database).path
    async with open_pool(f"postgresql://oa@127.0.0.1:{between.port}{name}?sslmode=disable", size=1) as pool:
        yield pool


ASYNCPGS_OWN = "InternalClientError"


async def until_met(between: Proxy, has_met: Callable[[], Awaitable[bool]]) -> None:
    """Last words again and again, until somebody's query came after them and before the end of the connection."""
    async with asyncio.timeout(30):
        while not await has_met():
            between.say_last_words()
            await asyncio.sleep(0.05)


async def until_logged(between: Proxy, going_on: "asyncio.Task[None]") -> None:
    async def has_logged() -> bool:
        return going_on.done() or any(ASYNCPGS_OWN in str(entry) for entry in entries)

    with capture_logs() as entries:
        await until_met(between, has_logged)
    between.hang_up()


@asynccontextmanager
async def going_on(work: Coroutine[Any, Any, None]) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(work)
    try:
        yield task
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_command_is_told_that_the_log_is_unavailable(theirs: "Pool[Any]", between: Proxy) -> None:
    log = EventLog(theirs)

    async def has_met() -> bool:
        try:
            await log.execute(DECIDER, STREAM, "user:41", [Item(CreateWorker("w:last-words"))])
        except LogUnavailable as error:
            return ASYNCPGS_OWN in str(error)
        return False

    await until_met(between, has_met)
    await log.close()


async def test_the_tail_goes_on(theirs: "Pool[Any]", between: Proxy, pool: "Pool[Any]") -> None:
    start = (await LogReader(pool).head()).position
    tail = LogTail(LogReader(theirs), asyncio.Event(), start=start)
    async with going_on(tail.run()) as running:
        await until_logged(between, running)
        await relayed.commit(pool, 5)
        await eventually(lambda: tail.position == start + 5 or running.done())


async def test_wakeups_listen_again(theirs: "Pool[Any]", between: Proxy, pool: "Pool[Any]") -> None:
    wakeups = Wakeups(theirs)
    wakeup = wakeups.event(NOTIFY_LOG)
    async with going_on(wakeups.run()) as running:
        await until_logged(between, running)
        wakeup.clear()
        await eventually(lambda: wakeup.is_set() or running.done())


async def test_the_journals_tail_and_with_it_the_edge_go_on(
    theirs: "Pool[Any]", between: Proxy, pool: "Pool[Any]"
) -> None:
    edge = await build(SETTINGS, Outside(theirs, Mailbox(theirs, now), MemoryCounter(), now))
    async with going_on(edge.run()) as running:
        await until_logged(between, running)
    await edge.close()


async def test_a_projections_watch_goes_on(theirs: "Pool[Any]", between: Proxy, pool: "Pool[Any]") -> None:
    await engine.prepare(pool, SUMMARIES)
    projector = Projector(theirs, SUMMARIES, 1, LogSource(LogReader(theirs), SUMMARIES.topic, 6))
    watch = Watch(theirs, projector, partitions=6, topic=SUMMARIES.topic, clock=now)

    async def has_met() -> bool:
        await watch.refresh()
        return ASYNCPGS_OWN in watch.health().reason

    await until_met(between, has_met)
    assert not watch.health().ready
