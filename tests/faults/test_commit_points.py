"""A process that ends at every commit point of committer, relay and projector, just before it and just after it."""

import asyncio
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from ops.database import open_pool
from ops.stack.postgres import Postgres
from producers.eventlog.reader import LogReader
from readmodels.journal import JournalReader
from schemas import canonical_json, names
from schemas.names import worker_stream
from tests import services
from tests.conftest import Kafka
from tests.faults import agreement
from tests.faults.agreement import Document
from tests.faults.dying import OWNER, WORKERS, Ledger, Where
from tests.faults.load import Acknowledged
from tests.relayed import assert_chained, committed, topic_contents

Pool = asyncpg.Pool
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def where(database: str, postgres_server: Postgres, tmp_path: Path) -> Where:
    socket = f"{postgres_server.socket_folder}/.s.PGSQL.{postgres_server.port}"
    return Where(database, socket, str(tmp_path / "ledger"))


async def die_everywhere(part: str, where: Where, say: Callable[[str], None]) -> int:
    """The number of points."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.dying", part, msgspec.json.encode(where).decode()),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    say(f"{part}: {', '.join(told.decode().splitlines())}")
    assert process.returncode == 0
    return sum(int(line.split()[0]) for line in told.splitlines())


@pytest.mark.invariant("I1", "I3", "I6")
async def test_a_committer_that_ends_anywhere_keeps_what_it_promised(
    where: Where, pool: "Pool[Any]", say: Callable[[str], None]
) -> None:
    """I1–I3, I6: commands are repeated with their identities until they are answered."""
    assert await die_everywhere("commit", where, say) > 20
    entries = Ledger(where.ledger).entries()
    acknowledged = {
        worker_stream(OWNER, worker): sorted(
            Acknowledged(entry.seq, entry.number) for entry in entries if entry.worker == worker and entry.seq
        )
        for worker in WORKERS
    }
    events = await LogReader(pool).read_all(0, 100_000)
    assert not Ledger(where.ledger).unanswered()
    assert not [*agreement.log_differences(events, acknowledged, ())]


@pytest.fixture
def databases(postgres_server: Postgres) -> Iterator[list[str]]:
    """A log for each of three who share the points of a part."""
    with ExitStack() as made:
        yield [made.enter_context(services.fresh_database(postgres_server)) for _ in range(3)]


@pytest.mark.invariant("I4")
@pytest.mark.timeout(400)
async def test_a_relay_that_ends_anywhere_loses_and_repeats_nothing(
    where: Where, databases: list[str], kafka: Kafka, say: Callable[[str], None]
) -> None:
    """I4."""
    port = int(kafka.bootstrap.rsplit(":", 1)[1])

    async def share(number: int, database: str) -> int:
        """Relays of one log, ended at every third point."""
        prefix = f"{kafka.prefix}{uuid.uuid4().hex[:6]}."
        shared = {"database": database, "kafka_port": port, "topic_prefix": prefix}
        mine = msgspec.structs.replace(where, **shared, first=number, share=len(databases))
        points = await die_everywhere("relay", mine, say)
        contents = await topic_contents(kafka.bootstrap, prefix + names.KAFKA_TOPICS[names.WORKER])
        async with open_pool(database) as pool:
            assert_chained(contents, await committed(pool))
        return points

    assert sum(await asyncio.gather(*(share(number, one) for number, one in enumerate(databases, 1)))) > 20


@pytest.mark.invariant("I5")
async def test_a_projector_that_ends_anywhere_applies_everything_once(
    where: Where, pool: "Pool[Any]", say: Callable[[str], None]
) -> None:
    """I5."""
    assert await die_everywhere("project", where, say) > 10
    events = await LogReader(pool).read_all(0, 100_000)
    rows = await pool.fetch("select owner, doc_key, doc_version, document from worker_summaries")
    documents = [Document(*row.values())._replace(document=canonical_json.decode(row["document"])) for row in rows]
    journal = await JournalReader(pool).read_all(names.WORKER_SUMMARIES, 0, 100_000)
    assert not [*agreement.summary_differences(events, documents, journal)]
    assert len({(row.doc_key, row.doc_version) for row in journal}) == len(journal)
