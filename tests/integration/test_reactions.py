"""Reactions on the real Postgres: each wanted event at least once, a key's in order, whatever Kafka does (ADR 14)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from processors.arrivals import Arrival
from processors.consumers import Feed, Host
from processors.lanes import Lanes, NotYet
from processors.log_source import LogSource
from processors.quarantine import CannotRelease, ParkedAgain, ParkedReaction, Quarantine, everything, parked_reactions
from processors.reactions import Reactor
from processors.sources import Record
from producers.errors import LogUnavailable
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from readmodels.engine import LogBehind, skips
from readmodels.engine.skips import Decision
from schemas import avro, kafka_records
from schemas.events import Recorded
from schemas.names import inbox_stream, run_id_of
from tests import services
from tests.run_log import RunLog
from tests.submissions import NOON

Pool = asyncpg.Pool
TOPIC = "oa.inbox"
PARTITIONS = 2
EVERYTHING = 1_000_000


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
async def run(pool: "Pool[Any]") -> AsyncIterator[RunLog]:
    log = EventLog(pool)
    yield RunLog(pool, log)
    await log.close()


class Reacting:
    """What a consumer was told, by key; it does what the test says."""

    def __init__(self, pool: "Pool[Any]", types: Sequence[str] = ("frame.received",)) -> None:
        self.seconds = 0.0
        self.told: list[tuple[str, str]] = []
        self.failing: dict[str, Exception] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.pool = pool
        self.source = LogSource(LogReader(pool), TOPIC, PARTITIONS)
        host = Host(pool, self._now, lambda: self.seconds)
        self.lanes = Lanes(self.react)
        self.reactor = Reactor("test", types, self.lanes, host, Feed(TOPIC, PARTITIONS, 1, self.source))

    def _now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    async def react(self, events: Sequence[Recorded]) -> None:
        key = run_id_of(events[0].stream)
        for event in events:
            if held := self.held.get(key):
                await held.wait()
            if error := self.failing.get(event.payload["frame_id"]):
                raise error
            self.told.append((key, event.payload["frame_id"]))

    def of(self, run_id: str) -> list[str]:
        return [frame_id for key, frame_id in self.told if key == run_id]

    async def until(self, count: int) -> None:
        await services.eventually(lambda: len(self.told) >= count)
        assert len(self.told) == count, self.told

    async def until_saved(self, position: int) -> None:
        """Everything up to there is behind us, in some partition."""

        async def saved() -> bool:
            return position in (await self.reactor.checkpoints()).values()

        await until(saved)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110 what is waited for is in Postgres
            await asyncio.sleep(0.02)


async def until_parked(pool: "Pool[Any]", count: int) -> None:
    async def holds() -> bool:
        return bool(await pool.fetchval("select count(*) from parked_reactions") == count)

    await until(holds)


@asynccontextmanager
async def running(pool: "Pool[Any]") -> AsyncIterator[Reacting]:
    reacting = Reacting(pool)
    await reacting.reactor.begin()
    tasks = [asyncio.create_task(work) for work in (reacting.lanes.run(), reacting.reactor.run())]
    try:
        yield reacting
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def reacting(pool: "Pool[Any]") -> AsyncIterator[Reacting]:
    async with running(pool) as reacting:
        yield reacting


async def published(pool: "Pool[Any]") -> list[Arrival]:
    """All of the log as the relay publishes it."""
    source = LogSource(LogReader(pool), TOPIC, PARTITIONS)
    previous = dict.fromkeys(range(PARTITIONS), 0)
    arrivals = []
    for event in await LogReader(pool).read_all(0, EVERYTHING):
        if event.kind == "inbox":
            partition = source.partition(event.stream)
            arrivals.append(arrival(event, partition, previous[partition]))
            previous[partition] = event.position
    return arrivals


def arrival(event: Recorded, partition: int, previous: int, value: bytes | None = None) -> Arrival:
    headers = kafka_records.headers(event, previous=previous, epoch=1)
    return Arrival(TOPIC, Record(partition, avro.encode(event) if value is None else value, headers), 1, acknowledged)


def acknowledged() -> bool:
    return True


async def frames(run: RunLog, run_id: str, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        await run.send(run_id, f"f-{number}", "note", {"n": number})


NAMED = [f"f-{number}" for number in range(20)]


async def test_a_keys_events_come_in_order_and_once(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> None:
    for number in range(10):
        for key in "abc":
            await frames(run, key, 1, number)
    arrivals = await published(pool)
    await reacting.reactor.take(arrivals)
    await reacting.reactor.take(arrivals[5:20])
    await reacting.until(30)
    assert [reacting.of(key) for key in "abc"] == [NAMED[:10]] * 3


async def test_what_is_not_wanted_is_never_decoded(run: RunLog, pool: "Pool[Any]") -> None:
    """by the CloudEvents type alone"""
    await frames(run, "a", 2)
    other = Reacting(pool, types=["something.else"])
    first, second = await published(pool)
    broken = [Arrival(TOPIC, one.record._replace(value=b"?"), 1, acknowledged) for one in (first, second)]
    await other.reactor.take(broken)
    assert not any("delivery" in vars(one) for one in broken)


async def test_what_did_not_arrive_is_filled_from_the_log(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> None:
    """DESIGN §5"""
    await frames(run, "a", 6)
    arrivals = await published(pool)
    await reacting.reactor.take([arrivals[1], arrivals[4]])
    await reacting.until(5)
    assert reacting.of("a") == NAMED[:5]


async def test_what_cannot_be_read_is_filled_from_the_log(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> None:
    await frames(run, "a", 3)
    first, second, third = await published(pool)
    broken = Arrival(TOPIC, second.record._replace(value=b"?"), 1, acknowledged)
    nameless = Arrival(TOPIC, third.record._replace(headers=[]), 1, acknowledged)
    await reacting.reactor.take([first, broken, nameless, third])
    await reacting.until(3)
    assert reacting.of("a") == NAMED[:3]


async def relayed(pool: "Pool[Any]", arrivals: Sequence[Arrival]) -> None:
    """As the relay writes down that it published them."""
    for one in arrivals:
        position = kafka_records.place(one.record.headers).position
        await pool.execute(
            "insert into relay_progress values ($1, $2, $3, $3, 1)"
            " on conflict (topic, partition) do update set position = excluded.position",
            *(TOPIC, one.record.partition, position),
        )


async def test_what_nothing_follows_is_found_by_looking(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> None:
    """DESIGN I9: published, and its partition stands still"""
    await frames(run, "a", 3)
    await services.eventually(lambda: reacting.reactor.health().lag_positions > 0)
    await relayed(pool, await published(pool))
    reacting.seconds = 6
    await reacting.until(3)


async def test_what_was_published_while_nobody_took_it_is_taken_at_once(run: RunLog, pool: "Pool[Any]") -> None:
    await frames(run, "a", 2)
    await frames(run, "b", 2)
    await relayed(pool, await published(pool))
    async with running(pool) as reacting:
        await reacting.until(4)


async def test_a_hole_that_the_log_cannot_fill_is_refused(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> None:
    """DESIGN I2"""
    await frames(run, "a", 3)
    *_, last = await published(pool)
    event = last.delivery
    assert event is not None
    ahead = arrival(event.event, last.record.partition, previous=0)
    invented = [(name, b"999" if name in ("oa_prev", "oa_position") else text) for name, text in ahead.record.headers]
    with pytest.raises(LogBehind):
        await reacting.reactor.take([Arrival(TOPIC, ahead.record._replace(headers=invented), 1, acknowledged)])


def partition_of_run(reacting: Reacting, run_id: str) -> int:
    return reacting.source.partition(inbox_stream(run_id))


async def test_a_slow_key_holds_up_the_checkpoint_and_nobody_else(
    run: RunLog, reacting: Reacting, pool: "Pool[Any]"
) -> None:
    await frames(run, "a", 2)
    beside = next(key for key in "bcdefgh" if partition_of_run(reacting, key) == partition_of_run(reacting, "a"))
    await frames(run, beside, 2)
    reacting.held["a"] = asyncio.Event()
    arrivals = await published(pool)
    await reacting.reactor.take(arrivals)
    await services.eventually(lambda: len(reacting.of(beside)) == 2)
    assert set((await reacting.reactor.checkpoints()).values()) <= {0}
    reacting.held["a"].set()
    await reacting.until_saved(max(kafka_records.place(one.record.headers).position for one in arrivals))
    assert reacting.of("a") == NAMED[:2]


async def test_what_was_not_finished_is_done_again_after_a_restart(run: RunLog, pool: "Pool[Any]") -> None:
    await frames(run, "a", 4)
    arrivals = await published(pool)
    positions = [kafka_records.place(one.record.headers).position for one in arrivals]
    async with running(pool) as before:
        await before.reactor.take(arrivals[:2])
        await before.until_saved(positions[1])
        before.held["a"] = asyncio.Event()
        await before.reactor.take(arrivals[2:3])
    async with running(pool) as after:
        await after.reactor.take(arrivals[3:])
        await after.until(2)
        assert after.of("a") == NAMED[2:4]


async def test_who_has_to_wait_comes_again(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> None:
    await frames(run, "a", 2)
    reacting.failing["f-1"] = NotYet(0.01)
    await reacting.reactor.take(await published(pool))
    await services.eventually(lambda: len(reacting.told) > 3)
    del reacting.failing["f-1"]
    await services.eventually(lambda: reacting.told[-1] == ("a", "f-1"))
    assert await reacting.reactor.parked() == 0


async def test_while_the_log_is_away_everything_waits(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> None:
    await frames(run, "a", 2)
    reacting.failing["f-1"] = LogUnavailable("away")
    await reacting.reactor.take(await published(pool))
    await services.eventually(lambda: len(reacting.told) > 2)
    assert await reacting.reactor.parked() == 0
    del reacting.failing["f-1"]
    await services.eventually(lambda: reacting.told[-1] == ("a", "f-1"))


async def test_a_key_that_cannot_be_handled_is_parked_and_everything_else_flows(
    run: RunLog, reacting: Reacting, pool: "Pool[Any]"
) -> None:
    reacting.failing["f-1"] = ValueError("poison")
    await frames(run, "a", 1)
    await reacting.reactor.take(await published(pool))
    await reacting.until(1)
    await frames(run, "a", 2, 1)
    await frames(run, "b", 3, 5)
    arrivals = await published(pool)
    await reacting.reactor.take(arrivals)
    await reacting.until_saved(max(kafka_records.place(one.record.headers).position for one in arrivals))
    assert (reacting.of("a"), reacting.of("b")) == (["f-0"], NAMED[5:8])
    assert await reacting.reactor.parked() == 1


async def test_a_parked_key_is_tried_again_from_where_it_waits(run: RunLog, pool: "Pool[Any]") -> None:
    """also after a restart, and with what came meanwhile"""
    await frames(run, "a", 3)
    async with running(pool) as before:
        before.failing["f-1"] = ValueError("poison")
        await before.reactor.take((await published(pool))[:2])
        await services.eventually(lambda: before.of("a") == ["f-0"])
        await until_parked(pool, 1)
    await frames(run, "a", 2, 3)
    async with running(pool) as after:
        await after.reactor.take(await published(pool))
        await services.eventually(lambda: "f-4" in after.of("a"))
        assert after.of("a") == NAMED[:5][-len(after.of("a")) :]
        await until_parked(pool, 0)
        await frames(run, "a", 1, 5)
        await after.reactor.take(await published(pool))
        await services.eventually(lambda: after.of("a")[-1] == "f-5")


async def parked_run(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> ParkedReaction:
    """Of five frames the second and the fourth cannot be handled; nobody tries again, for no time passes."""
    reacting.failing |= {frame_id: ValueError(f"poison {frame_id}") for frame_id in ("f-1", "f-3")}
    await frames(run, "a", 5)
    await reacting.reactor.take(await published(pool))
    await until_parked(pool, 1)
    (one,) = await parked_reactions(pool)
    return one


async def tried(pool: "Pool[Any]") -> ParkedReaction:
    """Events that came together fail together: only another attempt tells which one it is."""
    (one,) = await parked_reactions(pool)
    assert await Quarantine(pool).release(one, None)
    (one,) = await parked_reactions(pool)
    return one


async def test_an_operator_sees_what_is_parked_and_why(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> None:
    await parked_run(run, reacting, pool)
    one = await tried(pool)
    assert one.event is not None
    assert (one.mark.consumer, one.mark.key, one.mark.error) == ("test", "a", "ValueError('poison f-1')")
    assert (one.event.stream, one.event.seq, one.event.type, one.event.waiting) == ("inbox/a", 2, "frame.received", 3)
    assert await everything(pool) == [one]


async def test_an_operator_has_it_tried_at_once(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> None:
    await parked_run(run, reacting, pool)
    one = await tried(pool)
    del reacting.failing["f-1"]
    again = await Quarantine(pool).release(one, None)
    (moved,) = await parked_reactions(pool)
    assert again == ParkedAgain(moved.mark.position, "ValueError('poison f-3')")
    assert (moved.event and moved.event.seq, reacting.of("a")[-2:]) == (4, ["f-1", "f-2"])
    del reacting.failing["f-3"]
    assert await Quarantine(pool).release(moved, None) is None
    assert (reacting.of("a")[-2:], await parked_reactions(pool)) == (["f-3", "f-4"], [])
    with pytest.raises(CannotRelease, match="nothing parked"):
        await Quarantine(pool).release(moved, None)


async def test_what_an_operator_drops_is_never_handled(run: RunLog, reacting: Reacting, pool: "Pool[Any]") -> None:
    """the rest of its key goes on, and the decision is logged"""
    await parked_run(run, reacting, pool)
    one = await tried(pool)
    again = await Quarantine(pool).release(one, Decision("ada", "a bad frame"))
    (moved,) = await parked_reactions(pool)
    assert again == ParkedAgain(moved.mark.position, "ValueError('poison f-3')")
    assert await Quarantine(pool).release(moved, Decision("ada", "another")) is None
    assert set(reacting.of("a")) == {"f-0", "f-2", "f-4"}
    told = [(skip.view, skip.position, skip.skipped_by, skip.reason) for skip in await skips.every(pool)]
    assert told == [("test", one.mark.position, "ada", "a bad frame"), ("test", moved.mark.position, "ada", "another")]


async def test_nothing_is_dropped_before_it_is_known_to_be_the_one(
    run: RunLog, reacting: Reacting, pool: "Pool[Any]"
) -> None:
    """events that came together are parked at the first of them, which may be a good one"""
    one = await parked_run(run, reacting, pool)
    assert one.event is not None
    assert one.event.seq == 1
    with pytest.raises(CannotRelease, match="not been tried alone"):
        await Quarantine(pool).release(one, Decision("ada", "in a hurry"))
    assert await skips.every(pool) == []


async def test_what_another_process_has_released_waits_no_longer(
    run: RunLog, reacting: Reacting, pool: "Pool[Any]"
) -> None:
    await parked_run(run, reacting, pool)
    reacting.failing.clear()
    await pool.execute("delete from parked_reactions")
    await services.eventually(lambda: reacting.of("a")[-4:] == NAMED[1:5])


async def test_nobody_says_released_while_no_processor_runs(run: RunLog, pool: "Pool[Any]") -> None:
    async with running(pool) as reacting:
        one = await parked_run(run, reacting, pool)
    with pytest.raises(CannotRelease, match="have not tried it yet"):
        await Quarantine(pool, answered_within_s=0.1).release(one, None)
    async with running(pool) as after:
        await services.eventually(lambda: after.of("a")[-4:] == NAMED[1:5])
