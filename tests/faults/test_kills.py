"""Edge, relay and processors killed again and again under load: what was acknowledged is everywhere (I1–I5, I8)."""

import asyncio
import itertools
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx
import pytest
from oa_client.client import Client

from ops.stack import secrets
from producers.eventlog.reader import LogReader
from readmodels.journal import JournalReader, JournalRow
from schemas import canonical_json, names
from schemas.events import Recorded
from tests import local_stack
from tests.account_app import sign_in_as
from tests.faults import agreement, kills
from tests.faults.agreement import Document
from tests.faults.load import Recording, Writer
from tests.local_stack import OURS, Operator
from tests.relayed import Record, topic_contents

Pool = asyncpg.Pool
EVENTS_PER_S = 200
LASTS_S = 60
KILLS = 5
"""Of each process."""

WORKER_IDS = ["desktopw:shared", *(f"desktopw:{number}" for number in range(1, 10))]
CAUGHT_UP_WITHIN_S = 60.0
TOPIC = names.KAFKA_TOPICS[names.WORKER]
EVERYTHING = 1_000_000
RELAYED = "select min(position) >= $2 from relay_progress where topic = $1"
PROJECTED = """
select sum((document ->> 'event_count')::bigint) >= (select count(*) from events) from worker_summaries
"""
LAST = {
    names.WORKER_EVENTS: "select max(position) from events where owner = $1",
    names.WORKER_SUMMARIES: "select max(watermark) from journal where owner = $1",
}


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Tells the terminal at once, also in a run that succeeds or is killed."""

    def said(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", flush=True)

    return said


@pytest.fixture
def seed(say: Callable[[str], None]) -> int:
    chosen = int(os.environ.get("OA_FAULT_SEED") or random.SystemRandom().randrange(10**9))
    say(f"OA_FAULT_SEED={chosen}")
    return chosen


@pytest.fixture
def operator() -> Iterator[Operator]:
    with local_stack.operator(first_port=22_000) as somebody:
        up = somebody.up()
        assert up.returncode == 0, up.stdout + up.stderr
        yield somebody


@pytest.fixture
def addresses(operator: Operator) -> Mapping[str, str]:
    return secrets.read(operator.data)


@dataclass(frozen=True)
class Caller:
    owner: str
    client: Client


@asynccontextmanager
async def signed_in(operator: Operator, email: str) -> AsyncIterator[Caller]:
    url = operator.state().address
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


async def write_and_kill(operator: Operator, writers: Sequence[Writer], moments: random.Random) -> None:
    """The load in equal parts; ends when all of it is sent and every process was killed often enough."""
    per_s = EVENTS_PER_S / len(writers)
    async with asyncio.TaskGroup() as work:
        for writer in writers:
            work.create_task(writer.write(int(per_s * LASTS_S), per_s))
        for name in sorted(OURS):
            work.create_task(kills.kill(operator.data, name, kills.moments_s(moments, KILLS, LASTS_S)))


async def until_caught_up(pool: Pool, owner: str, recording: Recording) -> None:
    """Relay, projector and socket have had the last event."""
    head = (await LogReader(pool).head()).position

    async def relayed() -> bool:
        return bool(await pool.fetchval(RELAYED, TOPIC, head))

    async def projected() -> bool:
        return bool(await pool.fetchval(PROJECTED))

    async def received() -> bool:
        return all([recording.reached(topic) >= await pool.fetchval(LAST[topic], owner) for topic in LAST])

    for condition in (relayed, projected, received):
        await until(condition)


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
        await LogReader(pool).read_all(0, EVERYTHING),
        await topic_contents(bootstrap, TOPIC),
        [Document(*row.values())._replace(document=canonical_json.decode(row["document"])) for row in rows],
        await JournalReader(pool).read_all(names.WORKER_SUMMARIES, 0, EVERYTHING),
    )


@pytest.mark.invariant("I1")
@pytest.mark.timeout(300)
async def test_what_was_acknowledged_is_everywhere(
    operator: Operator, addresses: Mapping[str, str], seed: int, say: Callable[[str], None]
) -> None:
    seeded, numbers, recording = random.Random(seed), itertools.count(1), Recording()
    async with (
        signed_in(operator, "ada@example.test") as ada,
        signed_in(operator, "bob@example.test") as bob,
        asyncpg.create_pool(addresses["OA_DATABASE_URL"], min_size=1, max_size=2) as pool,
        asyncio.TaskGroup() as tasks,
    ):
        following = tasks.create_task(recording.follow(ada.client))
        writers = [
            *await writers_of(ada, WORKER_IDS, numbers, seeded),
            *await writers_of(bob, WORKER_IDS[:1], numbers, seeded),
        ]
        await write_and_kill(operator, writers, seeded)
        await until_caught_up(pool, ada.owner, recording)
        following.cancel()
        found = await outcome(pool, addresses["OA_KAFKA_BOOTSTRAP"])
    say(
        f"{sum(len(writer.acknowledged) for writer in writers)} events acknowledged,"
        f" {sum(len(writer.unanswered) for writer in writers)} not answered, {len(found.events)} in the log,"
        f" {agreement.repeats(found.contents)} records repeated, {len(found.journal)} rows in the journal"
    )
    differences = found.differences(writers, ada.owner, recording)
    assert not differences, "\n".join(differences[:20])
