"""An older backup restored while Kafka and clients are ahead: everybody refuses, is told, and goes on (DESIGN I2)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from oa_client.client import Client
from oa_client.errors import ServerFailed, StaleCursor
from oa_client.sync import WORKER_EVENTS, Update, follow

from ops.stack import secrets
from producers.eventlog.epochs import MARGIN
from producers.eventlog.reader import LogReader
from schemas import kafka_records, names
from schemas.events import Recorded
from tests import local_stack
from tests.account_app import sign_in_as
from tests.local_stack import Operator
from tests.relayed import topic_contents
from tests.services import until

TOPIC = names.KAFKA_TOPICS[names.WORKER]
WORKER = "desktopw:one"
KEPT, LOST = 20, 15
"""Events after the worker's first: before the backup, and after it."""
COUNTED = "select (document ->> 'event_count')::int from worker_summaries"


class Someone:
    """A user of the stack with one worker, and what is in the stack."""

    def __init__(self, client: Client, stack: Operator) -> None:
        self.client = client
        self._addresses = secrets.read(stack.data)

    async def post(self, count: int) -> None:
        for number in range(count):
            await self.client.post_event(WORKER, "worker.event", {"number": number})

    async def events(self) -> list[Recorded]:
        async with asyncpg.create_pool(self._addresses["OA_DATABASE_URL"], min_size=1, max_size=1) as pool:
            return await LogReader(pool).read_all(0, 1000)

    async def published(self) -> list[Recorded]:
        contents = await topic_contents(self._addresses["OA_KAFKA_BOOTSTRAP"], TOPIC)
        records = [record for partition in contents.values() for record in partition]
        return [kafka_records.event(record.value, record.headers) for record in records]

    async def summarised(self) -> int:
        connection = await asyncpg.connect(self._addresses["OA_DATABASE_URL"])
        try:
            return int(await connection.fetchval(COUNTED) or 0)
        finally:
            await connection.close()

    async def followed(self, count: int, after: int | None = None) -> list[Update]:
        cursors = {} if after is None else {WORKER_EVENTS: after}
        got: list[Update] = []
        async with asyncio.timeout(30), aclosing(follow(self.client, [WORKER_EVENTS], cursors)) as updates:
            async for update in updates:
                got.append(update)
                if len(got) == count:
                    break
        return got

    async def until_everywhere(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while len(await self.published()) != count or await self.summarised() != count:
            assert time.monotonic() < deadline, "not everywhere"
            await asyncio.sleep(0.2)


@pytest.fixture
def stack() -> Iterator[Operator]:
    with local_stack.operator(22_400) as somebody:
        up = somebody.up()
        assert up.returncode == 0, up.stdout + up.stderr
        yield somebody


@asynccontextmanager
async def someone(stack: Operator) -> AsyncIterator[Someone]:
    url = stack.state().address
    async with httpx.AsyncClient(base_url=url) as http:
        account = await sign_in_as(http, "ada@example.test")
    async with Client(url, account["token"]) as client:
        yield Someone(client, stack)


def restored(stack: Operator, backup: Path) -> None:
    for words in (("down",), ("restore", str(backup), "--yes")):
        done = stack.oa(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    up = stack.up()
    assert "the log is suspended" in up.stdout, up.stdout + up.stderr


def readiness(url: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(httpx.get(f"{url}/readyz").text)
    return answer


def everything_is_ready(stack: Operator) -> Callable[[], bool]:
    return lambda: all(process["ready"] for process in stack.status().values())


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "discard"), [("copy", False), ("dump", True)])
async def test_what_was_published_since_the_backup(stack: Operator, kind: str, discard: bool) -> None:
    backup = stack.data.parent / "backup"
    async with someone(stack) as ada:
        await ada.client.create_worker(WORKER, adapter="desktop_bridge")
        await ada.post(KEPT)
        made = await asyncio.to_thread(stack.oa, "backup", str(backup), *(["--dump"] if kind == "dump" else []))
        assert made.returncode == 0, made.stdout + made.stderr
        await ada.post(LOST)
        before = await ada.events()
        seen = await ada.followed(len(before))
        await ada.until_everywhere(len(before))

        await asyncio.to_thread(restored, stack, backup)
        assert "oa log recover" in readiness(ada.client.url)["reason"]
        with pytest.raises(ServerFailed):
            await ada.post(1)
        recovered = await asyncio.to_thread(stack.oa, "log", "recover", "--yes", *(["--discard"] if discard else []))
        assert recovered.returncode == 0, recovered.stdout + recovered.stderr
        assert f"published and not in the log  {LOST} events" in recovered.stdout.replace("\n", " ")
        await asyncio.to_thread(until, everything_is_ready(stack))

        kept = before[: 1 + KEPT] if discard else before
        await ada.post(1)
        *old, new = await ada.events()
        assert old[: len(kept)] == kept
        stand_ins = [(event.seq, event.type) for event in old[len(kept) :]]
        assert stand_ins == [(event.seq, "worker.lost") for event in before[len(kept) :]]
        assert (new.seq, new.position) == (len(before) + 1, before[-1].position + MARGIN + 1 + len(stand_ins))
        await ada.until_everywhere(len(before) + 1)
        assert sorted(await ada.published(), key=lambda event: event.position) == [*old, new]
        verified = await asyncio.to_thread(stack.oa, "projections", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        if discard:
            with pytest.raises(StaleCursor):
                await ada.followed(1, after=seen[-1].watermark)
        else:
            [update] = await ada.followed(1, after=seen[-1].watermark)
            assert update.watermark == new.position
        everything = [event.position for event in [*old, new]]
        assert [row.watermark for row in await ada.followed(len(everything))] == everything
