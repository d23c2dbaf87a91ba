"""Every view there is, made from Postgres and from Kafka, is what was applied live (DESIGN I5)."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from processors.rebuilding import Rebuilder, Topic
from producers.eventlog.reader import LogReader
from readmodels import engine
from readmodels.catalogue import VIEWS
from readmodels.engine import View
from readmodels.journal import JournalReader
from schemas import names
from schemas.events import NewEvent, OpenEvent
from schemas.notifications_generated import NotificationCleared, NotificationRaised
from schemas.runs import RunPruned
from tests.conftest import Kafka
from tests.published import publish
from tests.run_events import CANCEL, CREATED, LIFE, RunLog
from tests.worker_events import STARTED, Log, commit, delivered, heartbeat

PARTITIONS = 6
FOREIGN = OpenEvent("run.finished", {"status": "failed", "reason": ["odd"]}, version=0)
LEASE = OpenEvent("lease.acquired", {"outcome": "acquired"})
RUNS: tuple[NewEvent, ...] = (CREATED, *LIFE, RunPruned(1, "ab"), FOREIGN)


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
async def pool(database: str) -> AsyncIterator["asyncpg.Pool[Any]"]:
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as pool:
        yield pool


def of_workers() -> Log:
    log = Log()
    for number in range(30):
        log.append(f"w{number % 5}", STARTED if number < 5 else heartbeat({"n": number}))
    return log


def of_runs() -> Log:
    """Runs that ended, one that was cancelled, one that was only created; with leases, and workers in between."""
    log = RunLog()
    for number in range(8):
        for event in RUNS:
            log.append(event, f"run_{number}")
            log.append(LEASE, f"run_{number}", kind=names.LEASE)
    for event in (CREATED, CANCEL):
        log.append(event, "run_cancelled", owner="guest:g")
    log.append(CREATED, "run_new")
    return log


def of_notifications() -> Log:
    """Some that are open, some that were cleared, one that came again."""
    log = Log()
    for number in range(8):
        raised = NotificationRaised(f"budget/a{number}", "budget_nearly_spent", "Nearly spent", {"n": number})
        cleared = NotificationCleared(f"budget/a{number}", "budget_nearly_spent")
        for event in (raised, cleared, raised)[: number % 4]:
            log.append(f"budget/a{number}", event, kind=names.NOTIFICATION)
    return log


LOGS = {"oa.workers": of_workers, "oa.runs": of_runs, "oa.notifications": of_notifications}


@pytest.mark.invariant("I5")
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
async def test_a_view_from_either_source_is_the_live_one(
    pool: "asyncpg.Pool[Any]", kafka: Kafka, view: View[Any]
) -> None:
    """runtime §10.2, DEC-35: projected later and event by event, it is the same document; verify finds nothing."""
    log = LOGS[view.topic]()
    topic = f"{kafka.prefix}{uuid.uuid4().hex[:6]}.{view.topic}"
    await commit(pool, log.events)
    await publish(kafka.bootstrap, topic, delivered(log.events))
    await engine.apply_batch(pool, view, 1, delivered(log.events), log.fill)
    rebuilder = Rebuilder(pool, view, Topic(kafka.bootstrap, topic, PARTITIONS))
    for version, source in ((8, "postgres"), (9, "kafka")):
        await rebuilder.rebuild(version, source, lambda _: None)  # type: ignore[arg-type]
        assert await engine.digest(pool, replace(view, version=version)) == await engine.digest(pool, view)
    verdict = await rebuilder.verify(["postgres", "kafka"], lambda _source, _progress: None)
    assert (verdict.differences, verdict.rows > 3, len(set(verdict.digests.values()))) == ({}, True, 1)
    assert await rebuilder.cut_over(9) == 0


@pytest.mark.invariant("I5")
async def test_the_journal_of_runs_has_what_is_told_of_each(pool: "asyncpg.Pool[Any]") -> None:
    """sync §6: keys, and the run's seq as version; a lease and a pruning are no news."""
    view, log = VIEWS["run_summaries"], RunLog()
    for event in (*RUNS[:3], RunPruned(1, "ab")):
        log.append(event)
    log.append(LEASE, kind=names.LEASE)
    await commit(pool, log.events)
    [(partition, deliveries)] = delivered(log.events).items()
    for delivery in deliveries:
        await engine.apply_batch(pool, view, 1, {partition: [delivery]}, log.fill)
    rows = await JournalReader(pool).read_all(names.RUN_SUMMARIES, 0, 100)
    told = [(row.watermark, row.doc_key, row.doc_version, (row.payload or {})["status"]) for row in rows]
    key = "runtime/run_summary:run_demo"
    assert told == [(1, key, 0, "created"), (2, key, 1, "running"), (3, key, 2, "running")]
    head = (await LogReader(pool).head()).position
    assert max((await engine.checkpoints(pool, view, 1)).values()) == head, "what is no news moves the checkpoint"
