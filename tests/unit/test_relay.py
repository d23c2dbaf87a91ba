"""What the relay decides without a broker: where to start, what goes where, whether it is ready (DESIGN I2, I4, I9)."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from producers.eventlog.reader import Head
from producers.relay.chain import Chain
from producers.relay.contents import _contents
from producers.relay.errors import LogBehindPublication, TopicIncomplete
from producers.relay.health import Oldest, Pulse
from producers.relay.plan import Contents, Progress, Start, plan
from producers.relay.publisher import signal_or_timeout
from producers.relay.racing import first_to_end
from producers.relay.settings import RelaySettings
from schemas import hashing, kafka_records
from schemas.events import Recorded
from schemas.history import Epoch, History
from schemas.kafka_records import NotARelayRecord, Origin, Place

NOON = datetime(2026, 2, 20, 12, 0, 0, 103_104, tzinfo=UTC)
ZERO, ONE = TopicPartition("oa.workers", 0), TopicPartition("oa.workers", 1)


def recorded(position: int, worker_id: str = "w", kind: str = "worker", traceparent: str | None = None) -> Recorded:
    return Recorded(
        position,
        kind,
        f"{kind}/user:41/{worker_id}",
        position,
        "worker.heartbeat",
        1,
        "user:41",
        {},
        hashing.digest({}),
        {"traceparent": traceparent} if traceparent else {},
        NOON,
    )


def holding(*positions: int, epoch: int = 1, trimmed: bool = False, first_previous: int = 0) -> Contents:
    first, last = Place(positions[0], first_previous, 1, epoch), Place(positions[-1], positions[0], 9, epoch)
    return Contents(first, last, trimmed, Origin("worker/user:41/w", 9, "2026-02-20T12:00:00.103104Z"))


# --- where to start -----------------------------------------------------------------------------------------------


def test_an_empty_topic_is_fed_from_the_beginning() -> None:
    start = plan(Head(1, 500), {ZERO: None, ONE: None}, {})
    assert start == Start({ZERO: 0, ONE: 0}, {ZERO: 0, ONE: 0})
    assert start.after == 0


def test_a_partition_that_holds_more_than_was_written_down_wins() -> None:
    start = plan(Head(1, 500), {ZERO: holding(1, 90)}, {ZERO: Progress(50, 40, 1)})
    assert start.published == {ZERO: 90}


def test_what_was_written_down_speaks_for_an_idle_partition() -> None:
    start = plan(
        Head(1, 500), {ZERO: holding(1, 400), ONE: None}, {ZERO: Progress(390, 380, 1), ONE: Progress(390, 0, 1)}
    )
    assert start.published == {ZERO: 400, ONE: 390}
    assert start.last == {ZERO: 400, ONE: 0}
    assert start.after == 390


@pytest.mark.invariant("I4")
def test_what_was_written_down_does_not_claim_what_the_partition_has_lost() -> None:
    start = plan(
        Head(1, 500), {ZERO: None, ONE: holding(3, 70)}, {ZERO: Progress(400, 380, 1), ONE: Progress(400, 90, 1)}
    )
    assert start.published == {ZERO: 0, ONE: 70}


@pytest.mark.invariant("I2")
def test_a_log_behind_a_partition_is_refused() -> None:
    with pytest.raises(LogBehindPublication, match=r"position 500 .* partition 0 of oa\.workers is at position 501"):
        plan(Head(1, 500), {ZERO: holding(1, 501)}, {})


@pytest.mark.invariant("I2")
def test_a_log_of_an_older_epoch_is_refused() -> None:
    with pytest.raises(LogBehindPublication, match="epoch 2"):
        plan(Head(1, 500), {ZERO: holding(1, 400, epoch=2)}, {})


@pytest.mark.invariant("I2")
def test_a_log_behind_what_was_written_down_is_refused_also_when_the_topic_is_gone() -> None:
    with pytest.raises(LogBehindPublication, match=r"what was written down about partition 0 of oa\.workers"):
        plan(Head(1, 500), {ZERO: None}, {ZERO: Progress(600, 600, 1)})


def test_a_new_epoch_above_everything_published_goes_on() -> None:
    assert plan(Head(2, 2000), {ZERO: holding(1, 400)}, {ZERO: Progress(400, 400, 1)}).after == 400


def test_a_log_that_ends_where_its_publication_does_goes_on() -> None:
    assert plan(Head(1, 400), {ZERO: holding(1, 400)}, {ZERO: Progress(400, 400, 1)}).after == 400


def test_a_partition_that_begins_inside_its_chain_is_refused() -> None:
    with pytest.raises(TopicIncomplete, match=r"partition 0 of oa\.workers begins after position 44"):
        plan(Head(1, 500), {ZERO: holding(45, 90, first_previous=44)}, {})


def test_a_partition_whose_beginning_retention_deleted_is_fine() -> None:
    assert plan(Head(1, 500), {ZERO: holding(45, 90, first_previous=44, trimmed=True)}, {}).after == 90


# --- what a partition holds ---------------------------------------------------------------------------------------


class Partition:
    """A consumer of one partition: records at some offsets, nothing at others, as fences leave it; small answers."""

    def __init__(self, begin: int, end: int, positions: dict[int, int]) -> None:
        self.begin, self.end = begin, end
        self._records = {offset: self._record(offset, position) for offset, position in positions.items()}
        self._offset = -1
        self.reads = 0
        self.assigned: list[TopicPartition] = []

    def _record(self, offset: int, position: int) -> Any:
        headers = kafka_records.headers(recorded(position), previous=position - 1, epoch=1)
        return SimpleNamespace(offset=offset, headers=headers)

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = partitions

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert self.assigned == [partition]
        assert self.begin <= offset <= self.end
        self._offset = offset

    async def position(self, partition: TopicPartition) -> int:
        assert partition == ZERO
        return self._offset

    async def getmany(self, partition: TopicPartition, *, timeout_ms: int, max_records: int | None) -> Any:
        assert 0 < timeout_ms < 1000
        self.reads += 1
        offsets = [offset for offset in sorted(self._records) if offset >= self._offset][: max_records or 3]
        self._offset = offsets[-1] + 1 if offsets else max(self.end, self._offset)
        return {partition: [self._records[offset] for offset in offsets]} if offsets else {}

    async def contents(self) -> Contents | None:
        return await _contents(self, ZERO, self.begin, self.end)


def ends(contents: Contents | None) -> tuple[int, int, bool] | None:
    return contents and (contents.first.position, contents.last.position, contents.trimmed)


async def test_a_partition_without_records_holds_nothing() -> None:
    assert await Partition(0, 0, {}).contents() is None
    assert await Partition(0, 90, {}).contents() is None
    assert await Partition(5, 5, {}).contents() is None


async def test_the_first_and_the_last_record_are_found_behind_any_number_of_fences() -> None:
    for fences in (0, 1, 7, 8, 9, 63, 64, 65, 600):
        held = Partition(0, 5 + fences, {2: 11, 3: 12, 4: 13})
        assert ends(await held.contents()) == (11, 13, False)
        assert held.reads < 20


async def test_a_single_record_is_the_first_and_the_last() -> None:
    assert ends(await Partition(0, 1, {0: 7}).contents()) == (7, 7, False)
    assert ends(await Partition(40, 60, {40: 7}).contents()) == (7, 7, True)


async def test_what_comes_after_the_look_is_not_seen() -> None:
    assert ends(await Partition(0, 3, {1: 5, 2: 6, 3: 7, 4: 8}).contents()) == (5, 6, False)


async def test_many_records_are_not_read_for_the_first_and_the_last() -> None:
    held = Partition(0, 10_000, {offset: offset + 1 for offset in range(10_000)})
    assert ends(await held.contents()) == (1, 10_000, False)
    assert held.reads < 8


# --- what goes where ----------------------------------------------------------------------------------------------


def chain(start: Start, partitions: int = 1) -> Chain:
    return Chain(start, History([Epoch(1, 0, 0), Epoch(3, 2, 4)]), {"worker": "oa.workers"}, {"oa.workers": partitions})


@pytest.mark.invariant("I4")
def test_each_record_names_the_one_before_it_in_its_partition() -> None:
    start = Start(dict.fromkeys((ZERO, ONE), 0), dict.fromkeys((ZERO, ONE), 0))
    records = list(chain(start, 2).records(recorded(position, f"w{position % 5}") for position in range(1, 21)))
    assert {record.partition for record in records} == {ZERO, ONE}
    for partition in (ZERO, ONE):
        places = [kafka_records.place(record.headers) for record in records if record.partition == partition]
        positions = [place.position for place in places]
        assert positions == sorted(positions)
        assert [place.previous for place in places] == [0, *positions[:-1]]


def test_a_chain_goes_on_where_its_partition_ended() -> None:
    [record] = chain(Start({ZERO: 7}, {ZERO: 5})).records([recorded(8)])
    assert kafka_records.place(record.headers) == Place(position=8, previous=5, seq=8, epoch=3)


@pytest.mark.invariant("I4")
def test_what_a_partition_has_is_left_out() -> None:
    records = chain(Start({ZERO: 7}, {ZERO: 7})).records(recorded(position) for position in range(5, 10))
    assert [kafka_records.place(record.headers).position for record in records] == [8, 9]


def test_kinds_without_a_topic_are_left_out() -> None:
    assert not list(chain(Start({ZERO: 0}, {ZERO: 0})).records([recorded(1, kind="security")]))


def test_key_headers_and_time_of_a_record() -> None:
    [record] = chain(Start({ZERO: 0}, {ZERO: 0})).records([recorded(9, traceparent="00-ab-cd-01")])
    assert record.key == b"user:41/w"
    assert record.timestamp_ms == int(NOON.timestamp() * 1000)
    assert record.headers == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"3-9"),
        ("ce_source", b"/oa/log"),
        ("ce_type", b"worker.heartbeat"),
        ("ce_subject", b"worker/user:41/w"),
        ("ce_time", b"2026-02-20T12:00:00.103104Z"),
        ("content-type", b"application/avro"),
        ("oa_position", b"9"),
        ("oa_prev", b"0"),
        ("oa_seq", b"9"),
        ("oa_epoch", b"3"),
        ("traceparent", b"00-ab-cd-01"),
    ]
    assert kafka_records.event(record.value, record.headers) == recorded(9, traceparent="00-ab-cd-01")


@pytest.mark.parametrize("headers", [[], [("oa_position", b"x")]])
def test_a_record_of_somebody_else_is_told_apart(headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(NotARelayRecord):
        kafka_records.place(headers)


def test_relays_of_other_topics_do_not_fence_each_other() -> None:
    mine, other = RelaySettings("", ""), RelaySettings("", "", topic_prefix="t1.")
    assert mine.fencing_id == "oa-relay-oa"
    assert other.fencing_id != mine.fencing_id


# --- readiness means progress -------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pulse(clock: Clock) -> Pulse:
    return Pulse(10.0, clock, lambda: NOON + timedelta(seconds=clock.seconds))


def test_a_relay_that_has_just_started_is_not_ready(pulse: Pulse) -> None:
    assert not pulse.health().ready


def test_a_standby_is_ready(pulse: Pulse) -> None:
    pulse.standby()
    pulse.saw_log(500, None)
    assert pulse.health() == (True, 0, 0.0, "somebody else leads")


def test_a_leader_without_events_is_ready_however_long(pulse: Pulse, clock: Clock) -> None:
    pulse.publishing(500)
    for clock.seconds in range(0, 100, 5):
        pulse.saw_log(500, None)
    assert pulse.health().ready


def test_lag_is_counted_from_the_oldest_event_that_is_not_acknowledged(pulse: Pulse, clock: Clock) -> None:
    pulse.publishing(500)
    clock.seconds = 4
    pulse.saw_log(503, Oldest(501, NOON + timedelta(seconds=1)))
    assert pulse.health() == (True, 3, 3.0, "publishing")
    pulse.moved(503, NOON)
    assert pulse.health() == (True, 0, 0.0, "publishing")


@pytest.mark.invariant("I9")
def test_a_leader_whose_lag_does_not_move_is_not_ready(pulse: Pulse, clock: Clock) -> None:
    pulse.publishing(500)
    for clock.seconds in range(1, 13):
        pulse.saw_log(503, Oldest(501, NOON))
    health = pulse.health()
    assert not health.ready
    assert health.reason == "nothing acknowledged for 10 s (publishing)"
    pulse.moved(502, NOON)
    assert pulse.health().ready


def test_a_lag_that_moves_slowly_is_ready(pulse: Pulse, clock: Clock) -> None:
    pulse.publishing(0)
    for clock.seconds in range(1, 60):
        pulse.saw_log(1000, Oldest(int(clock.seconds), NOON))
        pulse.moved(int(clock.seconds), NOON)
    assert pulse.health().ready


@pytest.mark.invariant("I9")
def test_a_session_that_ended_is_forgiven_until_it_lasts(pulse: Pulse, clock: Clock) -> None:
    pulse.publishing(500)
    pulse.ended("broker gone")
    pulse.saw_log(500, None)
    assert pulse.health().ready
    clock.seconds = 11
    pulse.saw_log(500, None)
    assert pulse.health() == (False, 0, 0.0, "nothing acknowledged for 10 s (broker gone)")


def test_a_refusal_is_told_at_once_and_ends_when_the_relay_publishes_again(pulse: Pulse) -> None:
    pulse.standby()
    pulse.ended("the log is behind", refused=True)
    assert pulse.health() == (False, 0, 0.0, "the log is behind")
    pulse.publishing(1)
    assert pulse.health().ready


@pytest.mark.invariant("I9")
def test_a_relay_that_cannot_see_the_log_is_not_ready(pulse: Pulse, clock: Clock) -> None:
    pulse.standby()
    clock.seconds = 11
    assert pulse.health().reason == "the log has not answered for 10 s"


# --- parts that go on together ------------------------------------------------------------------------------------


async def for_ever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("cancelled")


async def fail() -> None:
    raise ValueError("failed")


async def test_the_first_to_return_ends_the_others() -> None:
    ended: list[str] = []
    await first_to_end(asyncio.sleep(0), for_ever(ended), for_ever(ended))
    assert ended == ["cancelled", "cancelled"]


async def test_the_first_to_fail_fails_all() -> None:
    ended: list[str] = []
    with pytest.raises(ValueError, match="failed"):
        await first_to_end(for_ever(ended), fail())
    assert ended == ["cancelled"]


async def test_being_cancelled_ends_all() -> None:
    ended: list[str] = []
    racing = asyncio.create_task(first_to_end(for_ever(ended), for_ever(ended)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert ended == ["cancelled", "cancelled"]


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_is_not_lost_when_the_signal_comes_with_it(turns: int) -> None:
    signal = asyncio.Event()
    waiting = asyncio.create_task(signal_or_timeout(signal, 10.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    signal.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    took_it = waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled() == took_it
