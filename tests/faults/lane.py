"""A lane: load through the public API while faults happen, then what everybody has is compared (I1–I5, I8)."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
from oa_client.client import Client

from producers.eventlog.reader import LogReader
from readmodels.journal import JournalReader, JournalRow
from schemas import canonical_json, names
from schemas.events import Recorded
from tests.account_app import sign_in_as
from tests.faults import agreement
from tests.faults.agreement import Document
from tests.faults.load import Recording, Writer
from tests.relayed import Record, topic_contents

Pool = asyncpg.Pool
Fault = Coroutine[Any, Any, None]

WORKER_IDS = ["desktopw:fault", *(f"desktopw:{number}" for number in range(1, 10))]
CAUGHT_UP_WITHIN_S = 90.0
TOPIC = names.KAFKA_TOPICS[names.WORKER]
_EVERYTHING = 10_000_000
_RELAYED = "select min(position) >= $2 from relay_progress where topic = $1"
_PROJECTED = """
select sum((document ->> 'event_count')::bigint) >= (select count(*) from events) from worker_summaries
"""
_LAST = {
    names.WORKER_EVENTS: "select max(position) from events where owner = $1",
    names.WORKER_SUMMARIES: "select max(watermark) from journal where owner = $1",
}


@dataclass(frozen=True)
class Caller:
    owner: str
    client: Client


@asynccontextmanager
async def signed_in(url: str, email: str) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient(base_url=url) as http:
        account = await sign_in_as(http, email)
    async with Client(url, account["token"]) as client:
        yield Caller(names.user_owner(int(account["userId"])), client)


async def writers_of(
    caller: Caller, worker_ids: Sequence[str], numbers: Iterator[int], choices: random.Random
) -> list[Writer]:
    for worker_id in worker_ids:
        await caller.client.create_worker(worker_id, adapter="desktop_bridge")
    return [
        Writer(caller.client, names.worker_stream(caller.owner, worker_id), worker_id, numbers, choices)
        for worker_id in worker_ids
    ]


@dataclass(frozen=True)
class Lane:
    """`addresses` are those of `secrets.env`; ada's socket is followed, bob's rows must never be on it."""

    addresses: Mapping[str, str]
    ada: Caller
    writers: list[Writer]
    pool: Pool
    recording: Recording = field(default_factory=Recording)

    async def write_during(self, faults: Collection[Fault], per_s: float, least_s: float) -> None:
        """The load in equal parts, at least so long; ends with the last of the faults."""
        each_per_s = per_s / len(self.writers)
        async with asyncio.TaskGroup() as work:
            going_on = [work.create_task(fault) for fault in faults]

            def is_over() -> bool:
                return all(task.done() for task in going_on)

            for writer in self.writers:
                work.create_task(writer.write(int(each_per_s * least_s), each_per_s, is_over))

    async def differences(self, say: Callable[[str], None]) -> list[str]:
        """Once everybody has had the last event."""
        await self._until_caught_up()
        found = await outcome(self.pool, self.addresses["OA_KAFKA_BOOTSTRAP"])
        say(
            f"{sum(len(writer.acknowledged) for writer in self.writers)} events acknowledged,"
            f" {sum(len(writer.unanswered) for writer in self.writers)} not answered, {len(found.events)} in the log,"
            f" {agreement.repeats(found.contents)} records repeated, {len(found.journal)} rows in the journal"
        )
        return found.differences(self.writers, self.ada.owner, self.recording)

    async def _until_caught_up(self) -> None:
        head = (await LogReader(self.pool).head()).position

        async def relayed() -> bool:
            return bool(await self.pool.fetchval(_RELAYED, TOPIC, head))

        async def projected() -> bool:
            return bool(await self.pool.fetchval(_PROJECTED))

        async def received() -> bool:
            last = {topic: await self.pool.fetchval(query, self.ada.owner) for topic, query in _LAST.items()}
            return all(self.recording.reached(topic) >= last[topic] for topic in last)

        for condition in (relayed, projected, received):
            await until(condition)


@asynccontextmanager
async def lane(url: str, addresses: Mapping[str, str], seeded: random.Random) -> AsyncIterator[Lane]:
    numbers = itertools.count(1)
    async with (
        signed_in(url, "ada@example.test") as ada,
        signed_in(url, "bob@example.test") as bob,
        asyncpg.create_pool(addresses["OA_DATABASE_URL"], min_size=0, max_size=2) as pool,
    ):
        writers = [
            *await writers_of(ada, WORKER_IDS, numbers, seeded),
            *await writers_of(bob, WORKER_IDS[:1], numbers, seeded),
        ]
        prepared = Lane(addresses, ada, writers, pool)
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(prepared.recording.follow(ada.client))
            yield prepared
            following.cancel()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + CAUGHT_UP_WITHIN_S
    while not await condition():
        assert time.monotonic() < deadline, f"not {condition.__name__} after {CAUGHT_UP_WITHIN_S:g} s"
        await asyncio.sleep(0.1)


@dataclass(frozen=True)
class Outcome:
    """What everybody has when the load is over."""

    events: list[Recorded]
    contents: dict[int, list[Record]]
    documents: list[Document]
    journal: list[JournalRow]

    def differences(self, writers: Sequence[Writer], owner: str, recording: Recording) -> list[str]:
        acknowledged = {writer.stream: writer.acknowledged for writer in writers}
        unanswered = {number for writer in writers for number in writer.unanswered}
        return [
            *agreement.log_differences(self.events, acknowledged, unanswered),
            *agreement.partition_differences(self.events, self.contents),
            *agreement.socket_differences(self.events, self.journal, owner, recording.updates),
            *agreement.summary_differences(self.events, self.documents, self.journal),
        ]


async def outcome(pool: Pool, bootstrap: str) -> Outcome:
    rows = await pool.fetch("select owner, doc_key, doc_version, document from worker_summaries")
    return Outcome(
        await LogReader(pool).read_all(0, _EVERYTHING),
        await topic_contents(bootstrap, TOPIC),
        [Document(*row.values())._replace(document=canonical_json.decode(row["document"])) for row in rows],
        await JournalReader(pool).read_all(names.WORKER_SUMMARIES, 0, _EVERYTHING),
    )
