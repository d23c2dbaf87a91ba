"""One poison event parks one document; a retry or a drop makes it what the log says, whatever goes on meanwhile."""

import asyncio
import json
import random
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import msgspec
import pytest
from prometheus_client import REGISTRY
from typer import Typer
from typer.testing import CliRunner, Result

from ops.commands import register
from processors.lag import Watch
from processors.log_source import LogSource
from processors.projector import Projector
from processors.quarantine import CannotRelease, Parked, Quarantine, Releases, parked
from producers.eventlog.reader import LogReader
from readmodels import engine
from readmodels.engine import Failure, LogBehind, View, quarantine, skips
from readmodels.engine.quarantine import NotParked
from readmodels.engine.skips import Decision
from readmodels.journal import JournalReader, JournalRow
from readmodels.workers import SUMMARIES, Summary
from schemas import names
from schemas.events import Recorded
from tests import services
from tests.quarantined import FAULTY, POISON
from tests.worker_events import NOON, STARTED, Log, commit, delivered, heartbeat, partition_in

Pool = asyncpg.Pool
PARTITIONS = 6
DECISION = Decision("ada", "a client's mistake")


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
def log() -> Log:
    """Seven workers; the third event of `w3` is poison, and three come after it."""
    log = Log()
    for number in range(42):
        first = number < 7
        log.append(f"w{number % 7}", STARTED if first else POISON if number == 17 else heartbeat({"n": number}))
    return log


POISONED_AT = 18


def source(pool: "Pool[Any]") -> LogSource:
    return LogSource(LogReader(pool), SUMMARIES.topic, PARTITIONS)


def projector(pool: "Pool[Any]", view: View[Any], generation: int = 1) -> Projector:
    return Projector(pool, view, generation, source(pool))


def releases(pool: "Pool[Any]", view: View[Any] = SUMMARIES) -> Releases:
    return Releases(pool, view, 1, source(pool))


async def project(pool: "Pool[Any]", events: Sequence[Recorded], view: View[Any] = FAULTY) -> None:
    await commit(pool, events)
    await projector(pool, view).apply(delivered(events))


async def fresh_digest(pool: "Pool[Any]", events: Sequence[Recorded]) -> bytes:
    """What the mended view makes of the log in a new generation of the topic, everything else forgotten."""
    await pool.execute(f"truncate {SUMMARIES.table}, quarantine, checkpoints")
    await projector(pool, SUMMARIES, generation=2).apply(delivered(events, 3))
    return await engine.digest(pool, SUMMARIES)


async def the_parked(pool: "Pool[Any]") -> Parked:
    (one,) = await parked(pool)
    return one


async def newest_row(pool: "Pool[Any]", doc_key: str) -> JournalRow:
    rows = await JournalReader(pool).read_all(names.WORKER_SUMMARIES, 0, 10_000)
    return [row for row in rows if row.doc_key == doc_key][-1]


async def document(pool: "Pool[Any]", doc_key: str) -> dict[str, Any]:
    text = await pool.fetchval(f"select document from {SUMMARIES.table} where doc_key = $1", doc_key)
    found: dict[str, Any] = json.loads(text)
    return found


async def test_poison_parks_one_document_and_everything_else_flows(pool: "Pool[Any]", log: Log) -> None:
    await project(pool, log.events)
    one = await the_parked(pool)
    assert (one.mark.owner, one.mark.doc_key) == FAULTY.key(log.events[17])
    assert (one.mark.position, one.mark.error) == (POISONED_AT, "ValueError('poison')")
    assert one.event is not None
    assert (one.event.stream, one.event.seq, one.event.type, one.event.waiting) == (
        log.events[17].stream,
        3,
        "worker.event",
        3,
    )
    counts = await pool.fetch(f"select (document ->> 'event_count')::int as n from {SUMMARIES.table} order by doc_key")
    assert [row["n"] for row in counts] == [6, 6, 6, 2, 6, 6, 6]


async def test_once_the_code_is_mended_a_retry_gives_what_a_fresh_fold_gives(pool: "Pool[Any]", log: Log) -> None:
    await project(pool, log.events)
    one = await the_parked(pool)
    assert await releases(pool).retry(one) is None
    assert await parked(pool) == []
    assert (await newest_row(pool, one.mark.doc_key)).payload == await document(pool, one.mark.doc_key)
    later = log.append("w3", heartbeat())
    await commit(pool, [later])
    partition = partition_in(later, PARTITIONS)
    await projector(pool, SUMMARIES).apply({partition: delivered(log.events)[partition]})
    retried = await engine.digest(pool, SUMMARIES)
    assert retried == await fresh_digest(pool, log.events)


async def test_a_retry_that_fails_again_tells_the_new_error_and_keeps_what_it_reached(
    pool: "Pool[Any]", log: Log
) -> None:
    await project(pool, log.events)
    one = await the_parked(pool)

    def refuse_later(summary: Summary | None, event: Recorded) -> Summary:
        if event.position == POISONED_AT + 14:
            raise KeyError("later")
        return SUMMARIES.apply(summary, event)

    failure = await releases(pool, replace(SUMMARIES, apply=refuse_later)).retry(one)
    assert failure == Failure(one.mark.key, POISONED_AT + 14, "KeyError('later')")
    again = (await the_parked(pool)).mark
    assert (again.position, again.error, again.marked_at) == (POISONED_AT + 14, "KeyError('later')", one.mark.marked_at)
    assert (await document(pool, one.mark.doc_key))["event_count"] == 4
    with pytest.raises(NotParked):
        await releases(pool).retry(one)
    assert await releases(pool, FAULTY).retry(await the_parked(pool)) is not None
    assert (await document(pool, one.mark.doc_key))["event_count"] == 4, "readers never see an older state again"


async def test_a_dropped_event_is_left_out_by_every_later_look_at_the_log(pool: "Pool[Any]", log: Log) -> None:
    await project(pool, log.events)
    one = await the_parked(pool)
    assert await releases(pool, FAULTY).drop(one, DECISION) is None
    assert (await document(pool, one.mark.doc_key))["event_count"] == 5
    (skip,) = await skips.every(pool)
    assert (skip.view, skip.position) == (SUMMARIES.name, POISONED_AT)
    assert Decision(skip.skipped_by, skip.reason) == DECISION
    dropped = await engine.digest(pool, SUMMARIES)
    assert dropped == await fresh_digest(pool, log.events)
    await pool.execute("delete from skips")
    assert dropped != await fresh_digest(pool, log.events)


async def test_a_dropped_event_that_is_its_documents_last_stays_out(pool: "Pool[Any]", log: Log) -> None:
    """It lies above the row's last position, so a new generation of the topic brings it again."""
    events = log.events[:POISONED_AT]
    await project(pool, events)
    await releases(pool, FAULTY).drop(await the_parked(pool), DECISION)
    await projector(pool, SUMMARIES, generation=2).apply(delivered(events, 3))
    assert await engine.digest(pool, SUMMARIES) == await fresh_digest(pool, events)
    assert (await document(pool, SUMMARIES.doc_key(log.events[17])))["event_count"] == 2


async def test_a_document_of_which_nothing_is_left_is_no_document(pool: "Pool[Any]") -> None:
    log = Log()
    log.append("w", POISON)
    await project(pool, log.events)
    assert await releases(pool, FAULTY).drop(await the_parked(pool), DECISION) is None
    assert await pool.fetchval(f"select count(*) from {SUMMARIES.table}") == 0


async def test_a_batch_that_left_the_document_alone_is_tried_again_when_a_retry_comes_between(
    pool: "Pool[Any]", database: str, log: Log
) -> None:
    """The batch has looked (parked) and has not written yet when the retry, which cannot know its events, commits."""
    await project(pool, log.events)
    one = await the_parked(pool)
    beside = next(event for event in log.events if event.stream != log.events[17].stream and _same(event, log))
    fresh = [log.append("w3", heartbeat()), log.append(names.worker_id_of(beside.stream), heartbeat())]
    await commit(pool, fresh)
    done: list[None] = []

    def retry_meanwhile(summary: Summary | None, event: Recorded) -> Summary:
        if event == fresh[1] and not done:
            done.append(None)
            in_another_thread(lambda: retried_at(database, one))
        return SUMMARIES.apply(summary, event)

    partition = partition_in(fresh[0], PARTITIONS)
    await projector(pool, replace(SUMMARIES, apply=retry_meanwhile)).apply(
        {partition: delivered(log.events)[partition]}
    )
    assert done
    assert (await document(pool, one.mark.doc_key))["event_count"] == 7


async def test_a_batch_that_waits_for_a_retry_sees_that_the_document_is_released(pool: "Pool[Any]", log: Log) -> None:
    """The retry has locked the checkpoint and read the log; the batch brings an event that it did not see."""
    await project(pool, log.events)
    one = await the_parked(pool)
    entity = source(pool).entity(SUMMARIES, log.events[17].stream)
    looks: list[int] = []
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def slow_history(after: Mapping[str, int]) -> Sequence[Recorded]:
        looks.append(sum(after.values()))
        events = await entity.history(after)
        if looks == [0, 6, 6]:
            locked.set()
            await go_on.wait()
        return events

    async def waits_for_a_lock() -> bool:
        return bool(await pool.fetchval("select count(*) > 0 from pg_locks where not granted"))

    slow = entity._replace(history=slow_history)
    retrying = asyncio.create_task(quarantine.retry(pool, SUMMARIES, 1, one.mark, slow))
    await locked.wait()
    fresh = log.append("w3", heartbeat())
    await commit(pool, [fresh])
    partition = partition_in(fresh, PARTITIONS)
    batch = {partition: delivered(log.events)[partition]}
    projecting = asyncio.create_task(projector(pool, SUMMARIES).apply(batch))
    async with asyncio.timeout(30):
        while not await waits_for_a_lock():  # noqa: ASYNC110 what is waited for happens in Postgres
            await asyncio.sleep(0.01)
        go_on.set()
        await asyncio.gather(retrying, projecting)
    assert (await document(pool, one.mark.doc_key))["event_count"] == 7


def _same(event: Recorded, log: Log) -> bool:
    return partition_in(event, PARTITIONS) == partition_in(log.events[17], PARTITIONS)


async def retried_at(database: str, one: Parked) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        await releases(pool).retry(one)


def in_another_thread(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    thread = threading.Thread(target=lambda: services.run(work()))
    thread.start()
    thread.join()


@pytest.mark.parametrize("seed", range(8))
async def test_retries_beside_a_live_projector_end_where_a_fresh_fold_ends(
    pool: "Pool[Any]", log: Log, seed: int
) -> None:
    choices = random.Random(seed)
    await project(pool, log.events)

    async def write() -> None:
        """Small batches, some of them poison for the view that two of three batches are applied with."""
        for _ in range(25):
            some = [log.append(f"w{choices.randrange(7)}", choices.choice((heartbeat(), POISON))) for _ in range(3)]
            await commit(pool, some)
            view = choices.choice((FAULTY, FAULTY, SUMMARIES))
            touched = {partition_in(event, PARTITIONS) for event in some}
            await projector(pool, view).apply({p: d for p, d in delivered(log.events).items() if p in touched})

    async def retry() -> None:
        while not writing.done():
            for one in await parked(pool):
                await _retry_unless_released(pool, one)
            await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    await asyncio.gather(writing, retry(), retry())
    for one in await parked(pool):
        await releases(pool).retry(one)
    live = await engine.digest(pool, SUMMARIES)
    rows = await JournalReader(pool).read_all(names.WORKER_SUMMARIES, 0, 10_000)
    newest = {row.doc_key: row.payload for row in rows}
    assert newest == {key: await document(pool, key) for key in newest}
    assert live == await fresh_digest(pool, log.events)


async def _retry_unless_released(pool: "Pool[Any]", one: Parked) -> None:
    try:
        await releases(pool).retry(one)
    except NotParked:
        return  # the other one was first


class Broken(Exception):
    """Stands for a process that ends."""


async def test_a_retry_that_breaks_off_anywhere_leaves_the_document_parked(pool: "Pool[Any]", log: Log) -> None:
    await project(pool, log.events)
    one = await the_parked(pool)
    before = await engine.digest(pool, SUMMARIES)
    for statement in range(1, 100):
        breaking = BreakingPool(pool, statement)
        try:
            await Releases(breaking, SUMMARIES, 1, source(pool)).drop(one, DECISION)  # type: ignore[arg-type]
            break
        except Broken:
            assert await parked(pool) == [one]
            assert await skips.every(pool) == []
            assert await engine.digest(pool, SUMMARIES) == before
    assert statement > 8, "it was broken off before each statement"
    assert await parked(pool) == []


class BreakingPool:
    """Its connection fails at the n-th statement."""

    def __init__(self, pool: "Pool[Any]", statements: int) -> None:
        self._pool = pool
        self._left = statements

    def acquire(self) -> "BreakingPool":
        return self

    async def __aenter__(self) -> "BreakingPool":
        self._acquired = self._pool.acquire()
        self._connection = await self._acquired.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._acquired.__aexit__(*error)

    def transaction(self) -> Any:
        return self._connection.transaction()

    def __getattr__(self, name: str) -> Any:
        self._left -= 1
        if self._left == 0:
            raise Broken
        return getattr(self._connection, name)


async def test_an_event_that_the_log_lacks_is_told(pool: "Pool[Any]", log: Log) -> None:
    await project(pool, log.events)
    await pool.execute("delete from events where position = $1", POISONED_AT)
    with pytest.raises(LogBehind, match="parked at 18"):
        await releases(pool).retry(await the_parked(pool))


async def test_a_retry_on_another_generation_than_the_live_one_is_refused(pool: "Pool[Any]", log: Log) -> None:
    await project(pool, log.events)
    with pytest.raises(NotParked):
        await Releases(pool, SUMMARIES, 2, source(pool)).retry(await the_parked(pool))
    assert len(await parked(pool)) == 1


async def test_what_this_release_does_not_know_stays_parked(pool: "Pool[Any]", log: Log) -> None:
    await project(pool, log.events)
    one = await the_parked(pool)
    unknown, older = (
        one._replace(mark=msgspec.structs.replace(one.mark, **of)) for of in ({"view": "x"}, {"version": 9})
    )
    with pytest.raises(CannotRelease, match="has no view x"):
        await Quarantine(pool).release(unknown, None)
    with pytest.raises(CannotRelease, match="has no version 9"):
        await Quarantine(pool).release(older, None)
    with pytest.raises(CannotRelease, match="the relay has not fed"):
        await Quarantine(pool).release(one, None)
    assert await parked(pool) == [one]


async def test_metrics_tell_how_many_documents_are_parked(pool: "Pool[Any]", log: Log) -> None:
    await project(pool, log.events)
    watch = Watch(pool, projector(pool, SUMMARIES), partitions=PARTITIONS, topic="oa.workers", clock=lambda: NOON)

    async def told() -> float | None:
        await watch.refresh()
        return REGISTRY.get_sample_value("oa_projection_parked_documents", {"view": SUMMARIES.name})

    assert await told() == 1
    await releases(pool).retry(await the_parked(pool))
    assert await told() == 0


@pytest.fixture
def oa(database: str) -> Callable[..., Result]:
    """The commands, for a log that a relay has fed to as many partitions as these tests think."""
    app = Typer(pretty_exceptions_enable=False)
    register(app)
    environment: Mapping[str, str] = {
        "OA_DATABASE_URL": database,
        "OA_KAFKA_TOPIC_PREFIX": "p.",
        "OA_DATA_DIR": "/nonexistent",
        "COLUMNS": "300",
    }
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["quarantine", *words], env=environment)


async def _projected_at(database: str, events: Sequence[Recorded], view: View[Any]) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        await project(pool, events, view)
        await fed(pool, "p." + view.topic)


async def fed(pool: "Pool[Any]", topic: str) -> None:
    """As a relay writes down which partitions it feeds."""
    rows = [(topic, partition) for partition in range(PARTITIONS)]
    await pool.executemany("insert into relay_progress values ($1, $2, 0, 0, 1)", rows)


def test_the_operator_finds_and_retries_what_is_parked(database: str, oa: Callable[..., Result], log: Log) -> None:
    assert oa("list").output.strip() == "nothing is parked"
    services.run(_projected_at(database, log.events, FAULTY))
    (line,) = oa("list", "--json").output.splitlines()
    assert json.loads(line)["position"] == POISONED_AT
    assert json.loads(line)["waiting"] == 3
    assert "ValueError('poison')" in oa("list").output
    shown = oa("show", str(POISONED_AT)).output
    assert log.events[17].digest.hex() in shown
    assert "poison': True" not in shown
    assert oa("retry").exit_code == 1
    answer = oa("retry", "17")
    assert (answer.exit_code, "nothing is parked at 17" in answer.output) == (1, True)
    assert oa("list", "--view", "another", "--json").output == ""
    answer = oa("retry", "--all", "--view", SUMMARIES.name)
    assert (answer.exit_code, answer.output.rstrip()[-8:]) == (0, "released")
    assert oa("list").output.strip() == "nothing is parked"


def test_the_operator_drops_an_event_and_sees_who_did(database: str, oa: Callable[..., Result], log: Log) -> None:
    services.run(_projected_at(database, log.events, FAULTY))
    assert oa("drop", str(POISONED_AT)).exit_code == 2, "a reason is needed"
    answer = oa("drop", str(POISONED_AT), "--why", "a client's mistake", "--by", "ada")
    assert (answer.exit_code, answer.output.rstrip()[-8:]) == (0, "released")
    (line,) = oa("list", "--dropped", "--json").output.splitlines()
    told = json.loads(line)
    assert (told["position"], told["by"], told["why"]) == (POISONED_AT, "ada", "a client's mistake")
