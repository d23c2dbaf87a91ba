"""One owner's words erased everywhere, while everybody else's, and every order and digest, stay (DESIGN §4, ADR 12)."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from oa_client.client import Client

from ops.stack import secrets
from producers.eventlog.reader import LogReader
from readmodels.workers import SUMMARIES, apply
from schemas import canonical_json, kafka_records, names
from schemas.events import Recorded
from tests import local_stack
from tests.account_app import sign_in_as
from tests.local_stack import Operator
from tests.relayed import topic_contents
from tests.services import until

CANARY = "canary-7c41d2"
STRANGER = "stranger-90ab1e"
WORKER = "desktopw:one"
TOPIC = names.KAFKA_TOPICS[names.WORKER]
DOCUMENTS = "select owner, document, doc_version from worker_summaries order by owner"


@pytest.fixture
def stack() -> Iterator[Operator]:
    with local_stack.operator(22_600) as somebody:
        up = somebody.up()
        assert up.returncode == 0, up.stdout + up.stderr
        yield somebody


@asynccontextmanager
async def signed_in(stack: Operator, email: str) -> AsyncIterator[tuple[str, Client]]:
    url = stack.state().address
    async with httpx.AsyncClient(base_url=url) as http:
        account = await sign_in_as(http, email)
    async with Client(url, account["token"]) as client:
        yield names.user_owner(int(account["userId"])), client


async def write(client: Client, word: str) -> None:
    await client.create_worker(WORKER, adapter="desktop_bridge", metadata={"folder": word})
    for number in range(10):
        await client.post_event(WORKER, "worker.event", {"text": f"{word} {number}"})


def files_with(folder: Path, word: str) -> list[Path]:
    """While files come and go."""
    found = (Path(parent, name) for parent, _, files in os.walk(folder) for name in files)
    return [path for path in found if path.is_file() and word.encode() in _bytes(path)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def in_order(events: list[Recorded]) -> list[tuple[Any, ...]]:
    return [(event.position, event.stream, event.seq, event.type, event.digest) for event in events]


@pytest.mark.timeout(240)
async def test_nothing_of_an_erased_owners_words_remains(stack: Operator) -> None:
    addresses = secrets.read(stack.data)
    async with (
        signed_in(stack, "ada@example.test") as (ada_owner, ada),
        signed_in(stack, "bob@example.test") as (bob_owner, bob),
        asyncpg.create_pool(addresses["OA_DATABASE_URL"], min_size=1, max_size=1) as pool,
    ):
        await write(ada, CANARY)
        await write(bob, STRANGER)
        before = await LogReader(pool).read_all(0, 100)
        await asyncio.to_thread(until, lambda: bool(files_with(stack.data / "kafka", STRANGER)))

        erased = await asyncio.to_thread(stack.oa, "erase", ada_owner, "--yes", "--rewrite")
        assert erased.returncode == 0, erased.stdout + erased.stderr
        assert "11 events of 1 streams" in erased.stdout

        await asyncio.to_thread(until, lambda: not files_with(stack.data, CANARY))
        assert files_with(stack.data / "kafka", STRANGER)
        assert files_with(stack.data / "postgres", STRANGER)

        *old, told = await LogReader(pool).read_all(0, 100)
        assert in_order(old) == in_order(before)
        assert [event for event in old if event.owner == bob_owner] == [e for e in before if e.owner == bob_owner]
        assert all(event.erased for event in old if event.owner == ada_owner)
        assert (told.type, told.seq, told.owner) == ("worker.erased", 12, ada_owner)

        contents = await topic_contents(addresses["OA_KAFKA_BOOTSTRAP"], TOPIC)
        published = [kafka_records.event(r.value, r.headers) for records in contents.values() for r in records]
        assert sorted(published, key=lambda event: event.position) == [*old, told]

        for row in await pool.fetch(DOCUMENTS):
            document = None
            for event in (event for event in [*old, told] if event.owner == row["owner"]):
                document = apply(document, event)
            assert document is not None
            assert canonical_json.decode_as(row["document"], SUMMARIES.document) == document

        await ada.post_event(WORKER, "worker.event", {"text": "goes on"})
        shown = await ada.worker(WORKER)
        assert (shown.metadata, shown.latest_seq) == ({}, 13)
