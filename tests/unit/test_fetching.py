"""No partition waits for another one, and no record for the loop's next turn: Faust's consumer as we set it."""

import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from processors.app import ProcessorSettings, make_app
from processors.fetching import AT_ONCE, MAX_WAIT_MS

INBOX = TP("oa.inbox", 0)


async def _never(_message: Any) -> None:
    raise AssertionError("nothing is consumed here")


async def test_the_broker_holds_an_empty_fetch_for_a_short_time() -> None:
    app = make_app(ProcessorSettings())
    thread = app.transport.create_consumer(_never, on_partitions_revoked=_never, on_partitions_assigned=_never)._thread
    consumer = thread._create_worker_consumer(app.transport)
    await consumer.stop()
    thread.thread_loop.close()
    assert consumer._fetch_max_wait_ms == MAX_WAIT_MS == 50


async def test_records_that_follow_each_other_are_handed_on_at_once_and_in_order() -> None:
    fetched = Fetched([*range(3, 8)], read=2)
    left = [message.offset async for _, message in fetched.consumer.getmany(1.0)]
    assert (fetched.handed_on, left) == ([3, 4, 5, 6, 7], [])
    assert fetched.consumer._read_offset[INBOX] == 7


async def test_everybody_else_has_a_turn_now_and_then() -> None:
    fetched = Fetched([*range(1, 2 * AT_ONCE)], read=0)
    fetched.at_turns()
    [_ async for _ in fetched.consumer.getmany(1.0)]
    assert fetched.turns == [AT_ONCE]


async def test_what_a_gap_is_before_is_left_to_the_library() -> None:
    """Which notes gaps: over those of transactions' markers it would never commit else."""
    fetched = Fetched([3, 5], read=2)
    assert [message.offset async for _, message in fetched.consumer.getmany(1.0)] == [5]


async def test_the_first_record_of_a_partition_is_left_to_the_library() -> None:
    fetched = Fetched([0], read=None)
    assert [message.offset async for _, message in fetched.consumer.getmany(1.0)] == [0]


async def test_what_finds_no_room_is_left_to_the_library() -> None:
    fetched = Fetched([3, 4], read=2)
    fetched.channel.queue = asyncio.Queue(1)
    fetched.channel.queue.put_nowait("full")
    assert [message.offset async for _, message in fetched.consumer.getmany(1.0)] == [3, 4]


async def test_while_partitions_move_nothing_is_handed_on() -> None:
    fetched = Fetched([3], read=2)
    fetched.consumer.app.flow_control.suspend()
    assert [message.offset async for _, message in fetched.consumer.getmany(1.0)] == [3]


class Fetched:
    """A consumer of ours that has got records with these offsets; `read` is the last offset before."""

    def __init__(self, offsets: list[int], read: int | None) -> None:
        app = make_app(ProcessorSettings())
        self.handed_on: list[int] = []
        self.turns: list[int] = []
        self.channel = SimpleNamespace(queue=asyncio.Queue[str]())
        self.consumer = app.transport.create_consumer(
            self._take, on_partitions_revoked=_never, on_partitions_assigned=_never
        )
        app.flow_control.resume()
        app.topics._tp_index[INBOX].add(_Hashable(self))
        self.consumer._thread.thread_loop.close()
        self.consumer._read_offset[INBOX] = read
        self.consumer._wait_next_records = self._records(offsets)
        self.consumer._to_message = lambda _, record: record
        self.consumer.highwater = lambda _: 0
        self.consumer.resume_flow()

    def at_turns(self) -> None:
        asyncio.get_running_loop().call_soon(lambda: self.turns.append(len(self.handed_on)))

    async def _take(self, message: Any) -> None:
        self.handed_on.append(message.offset)

    def _records(self, offsets: list[int]) -> Any:
        async def fetched(_timeout: float) -> Any:
            return {INBOX: [SimpleNamespace(offset=offset) for offset in offsets]}, {INBOX}

        return fetched


class _Hashable:
    """The channel of the partition's topic, whatever its queue is by then."""

    def __init__(self, fetched: Fetched) -> None:
        self._fetched = fetched

    @property
    def queue(self) -> Any:
        return self._fetched.channel.queue
