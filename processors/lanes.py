"""Lanes: what happened to different keys is handled side by side, to one key in order (ADR 14)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import asyncpg
import structlog

from producers.errors import LogUnavailable
from schemas.cancellation import raise_if_cancelled
from schemas.events import Recorded
from schemas.lost_connections import LOST_CONNECTION

LOGGER = structlog.get_logger()

AT_ONCE: Final = 32
WAITING_AT_MOST: Final = 5000
FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 2.0
OUTAGES: Final = (*LOST_CONNECTION, asyncpg.PostgresError, LogUnavailable)

React = Callable[[Sequence[Recorded]], Awaitable[None]]
"""What is done about events of one key: all that wait, in order. May be done again, whatever it did before."""


class NotYet(Exception):
    """Somebody else has to be done first: the same events come again after a while."""

    def __init__(self, pause_s: float) -> None:
        super().__init__(f"again in {pause_s} s")
        self.pause_s = pause_s


class Passenger(NamedTuple):
    """An event on its way, and whom to tell how that ended."""

    event: Recorded
    done: Callable[[], None]
    failed: Callable[[Exception], None]


class Lanes:
    """`put` and forget; whoever puts in much waits for `room`."""

    def __init__(self, react: React) -> None:
        self._react = react
        self._waiting: dict[str, list[Passenger]] = {}
        self._under_way: set[str] = set()
        self._pauses: dict[str, float] = {}
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._count = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    def put(self, key: str, passenger: Passenger) -> None:
        self._counted(1)
        self._waiting.setdefault(key, []).append(passenger)
        if key not in self._under_way:
            self._under_way.add(key)
            self._ready.put_nowait(key)

    async def room(self) -> None:
        """Returns once not too many wait."""
        await self._has_room.wait()

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._drive())

    async def _drive(self) -> None:
        while True:
            await self._handle(await self._ready.get())

    async def _handle(self, key: str) -> None:
        """What came for the key meanwhile is the next round's; a pause holds nobody else up."""
        passengers = self._waiting.pop(key)
        try:
            await self._react([passenger.event for passenger in passengers])
        except NotYet as later:
            self._again(key, passengers, later.pause_s)
        except OUTAGES as error:
            raise_if_cancelled()
            pause_s = self._pauses[key] = min(2 * self._pauses.get(key, FIRST_PAUSE_S / 2), LONGEST_PAUSE_S)
            LOGGER.warning("waiting for the log", key=key, error=repr(error), pause_s=pause_s)
            self._again(key, passengers, pause_s)
        except Exception as error:
            LOGGER.exception("cannot be handled", key=key, position=passengers[0].event.position)
            for passenger in passengers:
                passenger.failed(error)
            self._ended(key, passengers)
        else:
            for passenger in passengers:
                passenger.done()
            self._ended(key, passengers)

    def _again(self, key: str, passengers: Sequence[Passenger], pause_s: float) -> None:
        self._waiting[key] = [*passengers, *self._waiting.get(key, ())]
        asyncio.get_running_loop().call_later(pause_s, self._ready.put_nowait, key)

    def _ended(self, key: str, passengers: Sequence[Passenger]) -> None:
        self._counted(-len(passengers))
        self._pauses.pop(key, None)
        if key in self._waiting:
            self._ready.put_nowait(key)
        else:
            self._under_way.discard(key)

    def _counted(self, change: int) -> None:
        self._count += change
        if self._count < WAITING_AT_MOST:
            self._has_room.set()
        else:
            self._has_room.clear()
