"""I5: applied twice, late, out of order or with deliveries missing = applied once, in order."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readmodels import engine
from readmodels.catalogue import VIEWS
from readmodels.engine import Delivery, View
from readmodels.engine.fold import fold
from readmodels.engine.views import Key, encode
from readmodels.journal import JournalReader
from schemas import canonical_json
from schemas.events import NewEvent, OpenEvent, Recorded
from schemas.executions import RunErased
from schemas.notifications_generated import NotificationCleared, NotificationRaised
from schemas.runs import RunPruned
from schemas.runs_generated import RunCreated
from schemas.workers import WorkerStopped
from tests.run_events import CANCEL, LIFE, RunLog
from tests.worker_events import BUSY, STARTED, TURN, Log, approval, delivered, heartbeat
from tests.worker_histories import heartbeat as daemon_heartbeat

PARTITIONS = 3
WORKERS = (
    *(STARTED, heartbeat(), heartbeat({"n": 1.5}), WorkerStopped("stop_requested")),
    *(daemon_heartbeat(busy=BUSY), daemon_heartbeat(daemon="off"), TURN, approval("a")),
)
RUNS = (
    *(*LIFE, CANCEL, RunErased("running"), RunPruned(1, "ab")),
    *(OpenEvent("run.finished", {"status": "failed"}, version=0), OpenEvent("lease.acquired", {})),
)
Batches = list[dict[int, list[Delivery]]]


def happened(events: Sequence[NewEvent]) -> "st.SearchStrategy[list[Any]]":
    whose = st.sampled_from(["user:1", "guest:g"])
    return st.lists(st.tuples(st.sampled_from("abcde"), whose, st.sampled_from(events)), min_size=1, max_size=30)


def of_workers(happenings: list[Any]) -> Log:
    log = Log(first_position=7)
    for worker_id, owner, event in happenings:
        log.append(worker_id, event, owner=owner)
        log.append("run", event, owner=owner, kind="run")  # positions of other topics lie between
    log.events = [event for event in log.events if event.kind == "worker"]
    return log


def of_runs(happenings: list[Any]) -> Log:
    """Runs by their owners, each with ownership, run and lease."""
    log, seen = RunLog(first_position=7), set()
    for name, owner, event in happenings:
        run_id = f"{name}-{owner[0]}"
        if run_id not in seen:
            log.append(RunCreated(run_id, "thread"), run_id, owner=owner)
        seen.add(run_id)
        log.append(event, run_id, owner=owner, kind="lease" if event.type.startswith("lease") else None)
    return log


def of_notifications(happenings: list[Any]) -> Log:
    log = Log(first_position=7)
    for name, owner, event in happenings:
        log.append(f"budget/{name}", event, owner=owner, kind="notification")
    return log


NOTIFICATIONS = (
    NotificationRaised("budget/a", "budget_nearly_spent", "Nearly spent", {}),
    NotificationCleared("a", "b"),
)
TOPICS = {
    "oa.workers": (of_workers, happened(WORKERS)),
    "oa.runs": (of_runs, happened(RUNS)),
    "oa.notifications": (of_notifications, happened(NOTIFICATIONS)),
}


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
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_delivery_gives_the_rows_of_the_straightforward_fold(database: str, view: View[Any], data: Any) -> None:
    """runtime §10.3: once and in order, whatever arrives."""
    written, happenings = TOPICS[view.topic]
    log = written(data.draw(happenings))
    batches = data.draw(mangled(log.events))
    asyncio.run(_check(database, view, log, batches))


async def _check(database: str, view: View[Any], log: Log, batches: Batches) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        await _empty(pool, view)
        fill = partial(log.fill, partitions=PARTITIONS)
        for batch in batches:
            await engine.apply_batch(pool, view, 1, batch, fill)
        for partition in range(PARTITIONS):
            await engine.catch_up(pool, view, 1, partition, log.events[-1].position, fill)
        straight = {key: encode(change.row.document) for key, change in fold(view, {}, (), log.events).changes.items()}
        assert await _documents(pool, view) == straight
        if view.feeds:
            await _check_journal(pool, view.feeds, straight)
        mangled_digest = await engine.digest(pool, view)
        await _empty(pool, view)
        await engine.apply_batch(pool, view, 1, delivered(log.events, PARTITIONS), fill)
        assert await engine.digest(pool, view) == mangled_digest


async def _check_journal(pool: "asyncpg.Pool[Any]", topic: str, documents: dict[Key, str]) -> None:
    """Dense watermarks, versions that never fall, and the last row of a document is the document."""
    rows = await JournalReader(pool).read_all(topic, 0, 1000)
    assert [row.watermark for row in rows] == list(range(1, len(rows) + 1))
    last: dict[Key, Any] = {}
    for row in rows:
        before = last.get((row.owner, row.doc_key))
        assert before is None or before.doc_version <= row.doc_version
        last[row.owner, row.doc_key] = row
    told = {key: row.payload for key, row in last.items()}
    assert _without_time(told) == _without_time({key: canonical_json.decode(one) for key, one in documents.items()})


def _without_time(documents: dict[Key, Any]) -> dict[Key, Any]:
    """A change of nothing else is no row of the journal (sync §14.2)."""
    return {key: {**document, "projected_at": None} for key, document in documents.items()}


async def _documents(pool: "asyncpg.Pool[Any]", view: View[Any]) -> dict[Key, str]:
    rows = await pool.fetch(f"select * from {view.table}")
    return {(row["owner"], row["doc_key"]): row["document"] for row in rows}


async def _empty(pool: "asyncpg.Pool[Any]", view: View[Any]) -> None:
    await engine.prepare(pool, view)
    await pool.execute(f"truncate {view.table}, journal, checkpoints, quarantine")
    await pool.execute("update journal_heads set watermark = 0")
    await pool.execute("update log_head set position = 1000000")  # these events are only delivered
