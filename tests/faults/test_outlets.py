"""Processes that deliver are killed between a delivery and its cursor: nothing is lost, nothing overtakes (ADR 15)."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from producers.eventlog.log import EventLog
from tests.told import Owner, owner_of
from tests.webhook_receiver import receiving

Pool = asyncpg.Pool
LEASE_MS = 1000
NAMES = [f"worker/{number}" for number in range(3)]


@pytest.fixture
async def ada(pool: "Pool[Any]", log: EventLog) -> Owner:
    return await owner_of(pool, log, "ada@lane.test")


@asynccontextmanager
async def kept_alive(database: str) -> AsyncIterator[list[Process]]:
    """The one process that delivers; when it was killed there is another."""
    alive: list[Process] = []
    program = (sys.executable, "-m", "tests.outlet_process", database, str(LEASE_MS))

    async def keep() -> None:
        while True:
            alive[:] = [await asyncio.create_subprocess_exec(*program)]
            await alive[0].wait()

    task = asyncio.create_task(keep())
    try:
        yield alive
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for process in alive:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_who_is_killed_between_delivery_and_cursor_sends_the_same_message_again(
    database: str, ada: Owner
) -> None:
    """Each message that comes for the first time costs the process its life before it has the answer."""
    async with receiving() as receiver:
        _, receiver.secret = await ada.webhook(receiver.url)
        arrived: list[str] = []
        async with kept_alive(database) as alive:

            def die(message: dict[str, Any]) -> None:
                if message["id"] not in arrived:
                    alive[0].kill()
                arrived.append(message["id"])

            receiver.before = die
            await ada.tell(*NAMES)
            async with asyncio.timeout(165):
                while (await ada.stands())["cursor"] < len(NAMES):  # noqa: ASYNC110 - other processes set no event
                    await asyncio.sleep(0.05)
    first_times = list(dict.fromkeys(arrived))
    assert [int(name.rpartition("_")[2]) for name in first_times] == [1, 2, 3]
    assert arrived == sorted(arrived, key=first_times.index), "something overtook"
    assert all(arrived.count(name) > 1 for name in first_times), "what was not noted came again with its id"
    by_id = {body["id"]: body for body in receiver.taken}
    assert all(body == by_id[body["id"]] for body in receiver.taken)
