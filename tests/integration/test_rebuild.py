"""A rebuilt version of a view is the live one, wherever its events came from and however often it was killed (I5)."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import pytest

from processors.rebuilding import Rebuilder, Topic
from processors.sources import LogPages
from readmodels import engine
from readmodels.catalogue import VIEWS
from readmodels.engine import LogBehind, View, versions
from readmodels.engine.rebuild import Page, Progress, RebuildRefused, Target, rebuild
from readmodels.journal import JournalReader
from readmodels.workers import SUMMARIES, Summary, apply
from schemas import names
from schemas.events import Recorded
from tests import relayed
from tests.worker_events import STARTED, TURN, Log, commit, delivered, heartbeat, partition_in
from tests.worker_histories import heartbeat as daemon_heartbeat

Pool = asyncpg.Pool

NEXT = replace(SUMMARIES, version=SUMMARIES.version + 1)
AFTER_NEXT = replace(SUMMARIES, version=SUMMARIES.version + 2)

PROCESS = """
import asyncio, os, signal, sys
from dataclasses import replace
import asyncpg
from processors.sources import LogPages
from readmodels.engine import rebuild
from readmodels.catalogue import VIEWS

def die():
    os.kill(os.getpid(), signal.SIGKILL)

async def main(name, dsn, dies_after_events, dies_in_write, head):
    writes, write = 0, rebuild.write

    def told(progress):
        if progress.events >= int(dies_after_events):
            die()

    async def dying_write(*args):
        nonlocal writes
        writes += 1
        if writes == int(dies_in_write):
            die()
        return await write(*args)

    rebuild.write = dying_write
    async with asyncpg.create_pool(dsn, min_size=1, max_size=3) as pool:
        view = replace(VIEWS[name], version=VIEWS[name].version + 1)
        target = rebuild.Target(view, 1, dict.fromkeys(range(6), int(head)))
        await rebuild.rebuild(pool, target, LogPages(pool, view.topic, 6), told, events_a_write=4000)

asyncio.run(main(*sys.argv[1:]))
"""
NEVER = 10**9


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


def written(count: int, workers: int = 7) -> Log:
    log = Log()
    for number in range(count):
        started = number < workers
        log.append(f"w{number % workers}", STARTED if started else heartbeat({"n": number}))
    return log


@pytest.fixture
def log() -> Log:
    return written(60)


@dataclass
class Script:
    """A source that hands out what it is told to; holes are filled from the log."""

    log: Log
    batches: list[dict[int, list[engine.Delivery]]]
    filled: list[int] = field(default_factory=list)

    async def pages(self, after: Mapping[int, int], until: Mapping[int, int]) -> AsyncGenerator[Page, None]:
        for batch in self.batches:
            yield Page(batch, {})

    async def fill(self, partition: int, after: int, up_to: int) -> list[Recorded]:
        found = await self.log.fill(partition, after, up_to)
        self.filled += [event.position for event in found]
        return found


async def live_digest(pool: "Pool[Any]", log: Log, view: View[Summary] = SUMMARIES) -> bytes:
    """Apply everything as a projector does."""
    await pool.execute("update log_head set position = greatest(position, $1)", log.events[-1].position)
    await engine.apply_batch(pool, view, 1, delivered(log.events), log.fill)
    return await engine.digest(pool, view)


def target(log: Log, view: View[Summary] = NEXT) -> Target[Summary]:
    return Target(view, 1, dict.fromkeys(range(6), log.events[-1].position))


@pytest.mark.invariant("I5")
async def test_from_the_log_it_is_the_live_one(pool: "Pool[Any]", log: Log) -> None:
    await commit(pool, log.events)
    progress: list[Progress] = []
    done = await rebuild(pool, target(log), LogPages(pool, SUMMARIES.topic, 6), progress.append)
    assert done == progress[-1] == Progress(events=60, share=1.0)
    assert await engine.digest(pool, NEXT) == await live_digest(pool, log)
    assert await engine.checkpoints(pool, NEXT, 1) == dict.fromkeys(range(6), 60)


async def test_a_rebuild_leaves_the_journal_alone(pool: "Pool[Any]", log: Log) -> None:
    await commit(pool, log.events)
    await rebuild(pool, target(log), LogPages(pool, SUMMARIES.topic, 6))
    assert await JournalReader(pool).head(names.WORKER_SUMMARIES) == 0


async def test_documents_that_memory_no_longer_holds_are_read_again(
    pool: "Pool[Any]", log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    await commit(pool, log.events)
    monkeypatch.setattr("readmodels.engine.rebuild.DOCUMENTS_IN_MEMORY", 1)
    parts = [delivered(log.events[:30]), delivered(log.events), delivered(log.events)]
    await rebuild(pool, target(log), Script(log, parts), events_a_write=1)
    assert await engine.digest(pool, NEXT) == await live_digest(pool, log)


async def test_repeated_disordered_and_missing_deliveries_make_no_difference(pool: "Pool[Any]", log: Log) -> None:
    sent = delivered(log.events)
    mangled = [
        {partition: [*some[3:], *some[3:5]] for partition, some in sent.items()},
        {partition: some[:2] for partition, some in sent.items()},
    ]
    script = Script(log, mangled)
    done = await rebuild(pool, target(log), script)
    assert await engine.digest(pool, NEXT) == await live_digest(pool, log)
    assert done.filled == len(script.filled) > 0


async def test_a_hole_that_the_log_cannot_fill_is_refused(pool: "Pool[Any]", log: Log) -> None:
    sent = {partition: some[1:] for partition, some in delivered(log.events).items()}
    with pytest.raises(LogBehind):
        await rebuild(pool, target(log), Script(Log(), [sent]))


async def test_each_partition_ends_at_its_own_position(pool: "Pool[Any]", log: Log) -> None:
    await commit(pool, log.events)
    until = {partition: 20 + 5 * partition for partition in range(6)}
    await rebuild(pool, Target(NEXT, 1, until), LogPages(pool, SUMMARIES.topic, 6))
    assert await engine.checkpoints(pool, NEXT, 1) == until
    some = Log()
    some.events = [event for event in log.events if event.position <= until[partition_in(event, 6)]]
    assert await engine.digest(pool, NEXT) == await live_digest(pool, some)


async def test_what_an_operator_dropped_is_left_out(pool: "Pool[Any]", log: Log) -> None:
    await commit(pool, log.events)
    await rebuild(pool, replace(target(log), dropped={9}), LogPages(pool, SUMMARIES.topic, 6))
    counts = await pool.fetch(f"select document ->> 'event_count' as n from {NEXT.table} order by doc_key")
    assert sorted(int(row["n"]) for row in counts) == [8, 8, 8, 8, 9, 9, 9]


async def test_an_event_that_cannot_be_applied_parks_its_document_in_the_new_version_only(
    pool: "Pool[Any]", log: Log
) -> None:
    def refuse(summary: Summary | None, event: Recorded) -> Summary:
        if event.position == 9:
            raise ValueError("cannot")
        return apply(summary, event)

    await commit(pool, log.events)
    view = replace(NEXT, apply=refuse)
    done = await rebuild(pool, target(log, view), LogPages(pool, SUMMARIES.topic, 6), events_a_write=10)
    assert done.failures == 1
    (parked,) = await pool.fetch("select version, position, doc_key from quarantine")
    assert (parked["version"], parked["position"]) == (NEXT.version, 9)
    count = f"select (document ->> 'event_count')::int from {NEXT.table} where doc_key = $1"
    assert await pool.fetchval(count, parked["doc_key"]) == 1


@pytest.mark.invariant("I5")
async def test_two_rebuilds_of_one_version_cannot_both_write(pool: "Pool[Any]", log: Log) -> None:
    await commit(pool, log.events)

    async def another(_progress: Progress) -> None:
        await rebuild(pool, target(log), LogPages(pool, SUMMARIES.topic, 6))

    source = Script(log, [delivered(log.events)])

    async def pages(after: Mapping[int, int], until: Mapping[int, int]) -> AsyncGenerator[Page, None]:
        await another(Progress())
        async for page in Script(log, [delivered(log.events)]).pages(after, until):
            yield page

    source.pages = pages  # type: ignore[method-assign]
    with pytest.raises(RebuildRefused):
        await rebuild(pool, target(log), source)
    assert await engine.digest(pool, NEXT) == await live_digest(pool, log)


@pytest.mark.invariant("I5")
@pytest.mark.parametrize("live", VIEWS.values(), ids=VIEWS)
async def test_killed_anywhere_it_goes_on_to_the_digest_of_one_that_was_not(
    pool: "Pool[Any]", database: str, live: View[Any]
) -> None:
    """kill -9 before, right after and long after a write, and between the transactions of one."""
    resumed, straight = (replace(live, version=live.version + more) for more in (1, 2))
    await relayed.commit_of(live.topic, pool, 20_000)
    for after_events, in_write in ((1, NEVER), (4000, NEVER), (6000, NEVER), (NEVER, 3)):
        arguments = (live.name, database, str(after_events), str(in_write), "20000")
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROCESS, *arguments)
        assert await process.wait() == -9
    everything = dict.fromkeys(range(6), 20_000)
    assert len(set((await engine.checkpoints(pool, resumed, 1)).values())) > 1
    done = await rebuild(pool, Target(resumed, 1, everything), LogPages(pool, live.topic, 6))
    assert 0 < done.events < 20_000 - 8000
    await rebuild(pool, Target(straight, 1, everything), LogPages(pool, live.topic, 6))
    assert await engine.digest(pool, resumed) == await engine.digest(pool, straight)
    counted = "count(*)" if live.per_event else "sum(doc_version)"
    assert await pool.fetchval(f"select {counted} from {resumed.table}") == 20_000


@pytest.mark.invariant("I5")
async def test_a_rebuilt_version_that_is_live_goes_on_with_what_is_delivered(pool: "Pool[Any]", log: Log) -> None:
    await live_digest(pool, log)
    await commit(pool, log.events)
    await rebuild(pool, target(log), LogPages(pool, SUMMARIES.topic, 6))

    async def nothing_left(positions: Mapping[int, int]) -> None:
        assert positions == await engine.checkpoints(pool, SUMMARIES, 1) | {
            partition: 0 for partition in range(6) if partition not in delivered(log.events)
        }

    assert await versions.cut_over(pool, NEXT, 1, nothing_left) == 0
    assert await engine.live(pool, SUMMARIES) == NEXT
    before = await JournalReader(pool).head(names.WORKER_SUMMARIES)
    later = log.append("w0", heartbeat())
    await commit(pool, [later])
    batch = {partition_in(later, 6): delivered(log.events)[partition_in(later, 6)][-1:]}
    await engine.apply_batch(pool, SUMMARIES, 1, batch, log.fill)
    assert await JournalReader(pool).head(names.WORKER_SUMMARIES) == before  # the old version is silent
    await engine.apply_batch(pool, NEXT, 1, batch, log.fill)
    assert await JournalReader(pool).head(names.WORKER_SUMMARIES) == before + 1
    assert await pool.fetchval("select max(doc_version) from worker_summaries") == later.seq


async def test_what_differs_after_a_cut_over_is_journalled(pool: "Pool[Any]", log: Log) -> None:
    def improved(summary: Summary | None, event: Recorded) -> Summary:
        after = apply(summary, event)
        return replace_adapter(after) if event.stream.endswith("w3") else after

    def replace_adapter(summary: Summary) -> Summary:
        return type(summary)(**{name: getattr(summary, name) for name in summary.__struct_fields__} | {"adapter": "x"})

    await live_digest(pool, log)
    await commit(pool, log.events)
    view = replace(NEXT, apply=improved)
    before = await JournalReader(pool).head(names.WORKER_SUMMARIES)

    async def catch_up(positions: Mapping[int, int]) -> None:
        await rebuild(pool, Target(view, 1, dict(positions)), LogPages(pool, SUMMARIES.topic, 6))

    await rebuild(pool, Target(view, 1, dict.fromkeys(range(6), 30)), LogPages(pool, SUMMARIES.topic, 6))
    assert await versions.cut_over(pool, view, 1, catch_up) == 1
    (row,) = await JournalReader(pool).read_all(names.WORKER_SUMMARIES, before, 10)
    assert row.payload is not None
    assert (row.payload["worker_id"], row.payload["adapter"]) == ("w3", "x")


@pytest.mark.invariant("I5")
async def test_a_cut_over_under_load_loses_and_repeats_nothing(pool: "Pool[Any]") -> None:
    """A projector applies one delivery after another while the version under it changes."""
    log = written(700)
    await commit(pool, log.events)
    sent = [(p, one) for p, some in delivered(log.events).items() for one in some]
    sent.sort(key=lambda item: item[1].event.position)
    under_way = asyncio.Event()

    async def project() -> None:
        for number, (partition, delivery) in enumerate(sent):
            view = await engine.live(pool, SUMMARIES)
            assert view is not None
            await engine.apply_batch(pool, view, 1, {partition: [delivery]}, log.fill)
            if number == 100:
                under_way.set()

    async def catch_up(positions: Mapping[int, int]) -> None:
        await rebuild(pool, Target(NEXT, 1, dict(positions)), LogPages(pool, SUMMARIES.topic, 6))

    projecting = asyncio.create_task(project())
    await under_way.wait()
    await versions.begin(pool, NEXT, 1, range(6))
    await versions.cut_over(pool, NEXT, 1, catch_up)
    assert not projecting.done()
    await projecting
    rows = await JournalReader(pool).read_all(names.WORKER_SUMMARIES, 0, 1000)
    assert sorted(row.position for row in rows) == list(range(1, 701))
    await rebuild(pool, target(log, AFTER_NEXT), LogPages(pool, SUMMARIES.topic, 6))
    assert await engine.digest(pool, NEXT) == await engine.digest(pool, AFTER_NEXT)


async def test_a_version_that_said_less_goes_on_saying_it_until_the_next_one_is_live(pool: "Pool[Any]") -> None:
    """An installation of a release before ADR 13: its documents have no key that only daemons give."""
    first = replace(SUMMARIES, version=1)
    await versions.drop(pool, SUMMARIES)
    assert await engine.prepare(pool, first) == first
    assert await engine.prepare(pool, SUMMARIES) == first
    log = Log()
    for event in (STARTED, daemon_heartbeat(), TURN):
        log.append("w", event)
    await commit(pool, log.events)
    await live_digest(pool, log, first)
    keys = f"select array_agg(key order by key) from {first.table}, json_object_keys(document) key"
    assert "busy" not in await pool.fetchval(keys)
    rebuilder = Rebuilder(pool, SUMMARIES, Topic("nobody", "no.topic", 6))
    assert (await rebuilder.verify(["postgres"], lambda _source, _progress: None)).differences == {}
    before = await JournalReader(pool).head(names.WORKER_SUMMARIES)
    await rebuilder.rebuild(SUMMARIES.version, "postgres", lambda _progress: None)
    assert await rebuilder.cut_over(SUMMARIES.version) == 1
    (row,) = await JournalReader(pool).read_all(names.WORKER_SUMMARIES, before, 10)
    assert row.payload is not None
    assert (row.payload["accepts_requests"], row.payload["usage"]["total_tokens"]) == (True, 7)


async def test_versions_that_nothing_keeps_current_can_be_forgotten_at_once(pool: "Pool[Any]", log: Log) -> None:
    """What an erasure needs: the live version follows the log, the others would keep what was erased."""
    await live_digest(pool, log)
    await commit(pool, log.events)
    for view in (NEXT, AFTER_NEXT):
        await rebuild(pool, target(log, view), LogPages(pool, SUMMARIES.topic, 6))
    assert await versions.drop_silent(pool, SUMMARIES) == [NEXT, AFTER_NEXT]
    assert await versions.existing(pool, SUMMARIES) == [SUMMARIES]
    assert await pool.fetchval("select count(*) from worker_summaries") == 7


async def test_a_dropped_version_is_gone(pool: "Pool[Any]", log: Log) -> None:
    await commit(pool, log.events)
    await rebuild(pool, target(log), LogPages(pool, SUMMARIES.topic, 6))
    assert await versions.existing(pool, SUMMARIES) == [SUMMARIES, NEXT]
    await versions.drop(pool, NEXT)
    assert await versions.existing(pool, SUMMARIES) == [SUMMARIES]
    assert await engine.checkpoints(pool, NEXT, 1) == {}
