"""The one tail a process keeps of the log: what is committed, in order, to everybody in this process who follows."""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import asyncpg
import structlog

from producers.eventlog.reader import LogReader
from schemas.cancellation import raise_if_cancelled
from schemas.events import Recorded
from schemas.lost_connections import LOST_CONNECTION

Receive = Callable[[Sequence[Recorded]], None]
Coming = asyncio.Queue[Recorded | None]
"""Later events of one stream; None: this process follows no longer."""

_PAGE = 1000
_POLL_FIRST_S = 0.05
_POLL_LAST_S = 1.0
_LOGGER = structlog.get_logger()


class LogTail:
    """Reads on at each wake-up, and now and then without one; `position` is what everybody has been handed."""

    def __init__(self, reader: LogReader, wakeup: asyncio.Event, *, start: int) -> None:
        self._reader = reader
        self._wakeup = wakeup
        self._receivers: dict[object, Receive] = {}
        self._followers: dict[str, set[Coming]] = {}
        self._has_ended = False
        self.position = start

    def subscribe(self, receive: Receive) -> Callable[[], None]:
        """Hand every later batch to `receive`, synchronously and in order; returns what ends it."""
        token = object()
        self._receivers[token] = receive
        return lambda: self._receivers.pop(token, None) and None

    @contextmanager
    def follow(self, stream: str) -> Iterator[Coming]:
        """One stream's later events, for as long as the context lasts."""
        queue: Coming = asyncio.Queue()
        if self._has_ended:
            queue.put_nowait(None)
        followers = self._followers.setdefault(stream, set())
        followers.add(queue)
        try:
            yield queue
        finally:
            followers.discard(queue)
            if not followers:
                self._followers.pop(stream, None)

    def end_followers(self) -> None:
        """Tell everybody who follows a stream, and whoever will, that nothing more comes from here."""
        self._has_ended = True
        for queue in itertools.chain.from_iterable(self._followers.values()):
            queue.put_nowait(None)

    async def run(self) -> None:
        """Follow until cancelled; a lost database only delays."""
        pause_s = _POLL_FIRST_S
        while True:
            self._wakeup.clear()
            try:
                moved = await self._read_on()
            except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
                _LOGGER.warning("tail lost the log", error=repr(error), position=self.position)
                moved = False
                raise_if_cancelled()
            pause_s = _POLL_FIRST_S if moved else min(pause_s * 2, _POLL_LAST_S)
            await self._wait(pause_s * random.uniform(1, 1.25))

    async def _read_on(self) -> bool:
        start = self.position
        while events := await self._reader.read_all(self.position, _PAGE):
            self.position = events[-1].position
            self._hand_out(events)
            if len(events) < _PAGE:
                break
        return self.position > start

    def _hand_out(self, events: Sequence[Recorded]) -> None:
        for receive in tuple(self._receivers.values()):
            receive(events)
        if self._followers:
            for event in events:
                for queue in self._followers.get(event.stream, ()):
                    queue.put_nowait(event)

    async def _wait(self, timeout_s: float) -> None:
        """`wait_for` would lose a cancellation that comes together with the wake-up (Python 3.11)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wakeup.wait()
