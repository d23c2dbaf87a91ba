"""One follower of the journal a process: hands each committed row of its topics out once, in order (DESIGN §4)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby

from readmodels.journal import JournalReader, JournalRow

Receive = Callable[[str, Sequence[JournalRow]], None]

PAGE = 1000
POLL_S = 1.0
"""How long a missed notify can go unnoticed."""


class JournalTail:
    """Woken by notifies, which are hints; order and content come from the table.

    `topics` says where to start: after which watermark, usually the topic's head of just now.
    """

    def __init__(self, reader: JournalReader, wakeup: asyncio.Event, topics: Mapping[str, int]) -> None:
        self._reader = reader
        self._wakeup = wakeup
        self._positions = dict(topics)
        self._receivers: dict[object, Receive] = {}

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self._positions)

    def position(self, topic: str) -> int:
        """Everything of the topic up to here has been handed out."""
        return self._positions[topic]

    def subscribe(self, receive: Receive) -> Callable[[], None]:
        """Call `receive(topic, rows)` for what comes from now on, in the event loop; returns what ends it."""
        token = object()
        self._receivers[token] = receive
        return lambda: self._receivers.pop(token, None) and None

    async def run(self) -> None:
        while True:
            self._wakeup.clear()
            await self._read_on()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wakeup.wait()

    async def _read_on(self) -> None:
        more = True
        while more:
            rows = await self._reader.read_on(self._positions, PAGE)
            self._hand_out(rows)
            more = len(rows) >= PAGE

    def _hand_out(self, rows: Sequence[JournalRow]) -> None:
        for topic, of_topic in groupby(rows, lambda row: row.topic):
            together = list(of_topic)
            self._positions[topic] = together[-1].watermark
            for receive in tuple(self._receivers.values()):
                receive(topic, together)
