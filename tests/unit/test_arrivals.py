"""What has arrived is taken at once, or after a while together (DESIGN §6)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

from processors.arrivals import Arrival, follow, take_arrivals
from processors.inbox import Inbox


async def test_what_is_there_is_taken_at_once_up_to_the_limit() -> None:
    inbox = Inbox[int](limit=2)
    for number in range(3):
        await inbox.put(number)
    assert (await inbox.take(), await inbox.take()) == ([0, 1], [2])


async def test_at_leisure_what_comes_meanwhile_is_taken_too() -> None:
    inbox = Inbox[int](leisure_s=0.05)
    await inbox.put(1)
    taking = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    await inbox.put(2)
    async with asyncio.timeout(5):
        assert await taking == [1, 2]


async def test_a_full_batch_waits_for_nobody() -> None:
    inbox = Inbox[int](limit=2, leisure_s=3600)
    for number in range(3):
        await inbox.put(number)
    async with asyncio.timeout(5):
        assert await inbox.take() == [0, 1]


async def test_what_waits_behind_a_record_goes_with_it_to_every_inbox() -> None:
    """Faust gives one a turn of the loop, and there are as many turns to wait for as there is other work."""
    app, inboxes = App(), [Inbox[Arrival](), Inbox[Arrival]()]
    follow(app, "oa.runs", inboxes)
    await app.agent_of["oa.runs"](Stream([1, 2, 3]))
    taken = [[arrival.record.value for arrival in await inbox.take()] for inbox in inboxes]
    assert taken == [[b"1", b"2", b"3"], [b"1", b"2", b"3"]]


async def test_a_record_is_acknowledged_once_by_the_last_of_its_takers() -> None:
    app, inboxes, stream = App(), [Inbox[Arrival](), Inbox[Arrival]()], Stream([1, 2])
    follow(app, "oa.runs", inboxes)
    await app.agent_of["oa.runs"](stream)
    assert await _acknowledged_after_taking(inboxes[0], stream) == []
    assert await _acknowledged_after_taking(inboxes[1], stream) == [1, 2]


async def _acknowledged_after_taking(inbox: Inbox[Arrival], stream: "Stream") -> list[int]:
    taken = asyncio.Event()

    async def take(_: object) -> None:
        taken.set()

    task = asyncio.create_task(take_arrivals(inbox, take))
    async with asyncio.timeout(5):
        await taken.wait()
    await asyncio.sleep(0)
    task.cancel()
    return stream.acknowledged


class App:
    """Keeps what would be its agents."""

    def __init__(self) -> None:
        self.agent_of: dict[str, Callable[[Any], Any]] = {}

    def topic(self, topic: str, **_: object) -> str:
        return topic

    def agent(self, channel: str, name: str) -> Callable[[Callable[[Any], Any]], None]:
        return lambda hand_out: self.agent_of.update({channel: hand_out})


class Stream:
    """Gives the first of these; the others wait in its channel's queue."""

    def __init__(self, numbers: list[int]) -> None:
        self.acknowledged: list[int] = []
        self.channel = SimpleNamespace(queue=asyncio.Queue[Any]())
        for number in numbers:
            self.channel.queue.put_nowait(self._event(number))

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Any]:
        yield self.channel.queue.get_nowait()

    def _event(self, number: int) -> Any:
        message = SimpleNamespace(partition=0, value=b"%d" % number, headers=[])
        return SimpleNamespace(message=message, ack=lambda: self.acknowledged.append(number))
