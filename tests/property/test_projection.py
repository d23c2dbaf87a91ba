"""I5: applied twice, late, out of order or with deliveries missing = applied once, in order."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readmodels import engine
from readmodels.engine import Delivery
from readmodels.engine.fold import fold
from readmodels.engine.views import Key, encode
from readmodels.journal import JournalReader
from readmodels.workers import SUMMARIES
from schemas import canonical_json
from schemas.events import Recorded
from schemas.workers import WorkerStopped
from tests.worker_events import BUSY, STARTED, TURN, Log, approval, delivered, heartbeat
from tests.worker_histories import heartbeat as daemon_heartbeat

PARTITIONS = 3
HAPPENINGS = (
    *(STARTED, heartbeat(), heartbeat({"n": 1.5}), WorkerStopped("stop_requested")),
    *(daemon_heartbeat(busy=BUSY), daemon_heartbeat(daemon="off"), TURN, approval("a")),
)
Batches = list[dict[int, list[Delivery]]]

happened = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from(["user:1", "guest:g"]), st.sampled_from(HAPPENINGS)),
    min_size=1,
    max_size=30,
)


def written(happenings: list[Any]) -> Log:
    log = Log(first_position=7)
    for worker_id, owner, event in happenings:
        log.append(worker_id, event, owner=owner)
        log.append("run", event, owner=owner, kind="run")  # positions of other kinds lie between
    log.events = [event for event in log.events if event.kind == "worker"]
    return log


@st.composite
def mangled(draw: Callable[..., Any], events: list[Recorded]) -> Batches:
    """Batches of deliveries in any order, with repeats and gaps."""
    sent = [(partition, delivery) for partition, some in delivered(events, PARTITIONS).items() for delivery in some]
    picks = draw(st.lists(st.integers(0, len(sent) - 1), max_size=2 * len(sent)))
    batches: Batches = [{}]
    for pick in picks:
        if draw(st.booleans()):
            batches.append({})
        partition, delivery = sent[pick]
        batches[-1].setdefault(partition, []).append(delivery)
    return batches


@pytest.mark.invariant("I5")
@settings(max_examples=60, deadline=None)
@given(data=st.data(), happenings=happened)
def test_any_delivery_gives_the_rows_of_the_straightforward_fold(
    database: str, data: Any, happenings: list[Any]
) -> None:
    log = written(happenings)
    batches = data.draw(mangled(log.events))
    asyncio.run(_check(database, log, batches))


async def _check(database: str, log: Log, batches: Batches) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        await _empty(pool)
        fill = partial(log.fill, partitions=PARTITIONS)
        for batch in batches:
            await engine.apply_batch(pool, SUMMARIES, 1, batch, fill)
        for partition in range(PARTITIONS):
            await engine.catch_up(pool, SUMMARIES, 1, partition, log.events[-1].position, fill)
        straight = {
            key: encode(change.row.document) for key, change in fold(SUMMARIES, {}, (), log.events).changes.items()
        }
        assert await _documents(pool) == straight
        await _check_journal(pool, straight)
        mangled_digest = await engine.digest(pool, SUMMARIES)
        await _empty(pool)
        await engine.apply_batch(pool, SUMMARIES, 1, delivered(log.events, PARTITIONS), fill)
        assert await engine.digest(pool, SUMMARIES) == mangled_digest


async def _check_journal(pool: "asyncpg.Pool[Any]", documents: dict[Key, str]) -> None:
    """Dense watermarks, rising versions, and the last row of a document is the document."""
    rows = await JournalReader(pool).read_all(str(SUMMARIES.feeds), 0, 1000)
    assert [row.watermark for row in rows] == list(range(1, len(rows) + 1))
    last: dict[Key, Any] = {}
    for row in rows:
        before = last.get((row.owner, row.doc_key))
        assert before is None or before.doc_version < row.doc_version
        last[row.owner, row.doc_key] = row
    assert {key: row.payload for key, row in last.items()} == {
        key: canonical_json.decode(text) for key, text in documents.items()
    }


async def _documents(pool: "asyncpg.Pool[Any]") -> dict[Key, str]:
    rows = await pool.fetch(f"select * from {SUMMARIES.table}")
    return {(row["owner"], row["doc_key"]): row["document"] for row in rows}


async def _empty(pool: "asyncpg.Pool[Any]") -> None:
    await engine.prepare(pool, SUMMARIES)
    await pool.execute(f"truncate {SUMMARIES.table}, journal, checkpoints, quarantine")
    await pool.execute("update journal_heads set watermark = 0")
    await pool.execute("update log_head set position = 1000000")  # these events are only delivered
