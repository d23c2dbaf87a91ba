"""One LISTEN connection a process: notifications become asyncio events, and are only hints (DESIGN §4)."""

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from schemas.cancellation import raise_if_cancelled
from schemas.lost_connections import LOST_CONNECTION

_RECONNECT_S = 0.5
_ALIVE_S = 5.0
_LOGGER = structlog.get_logger()


class Wakeups:
    """Sets an `asyncio.Event` a channel at every notification, and all of them after a reconnect."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._events: dict[str, asyncio.Event] = {}

    def event(self, channel: str) -> asyncio.Event:
        return self._events.setdefault(channel, asyncio.Event())

    async def run(self) -> None:
        """Listen until cancelled; call `event` for every channel before."""
        while True:
            try:
                await self._listen()
            except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
                _LOGGER.warning("listening again", error=repr(error))
            raise_if_cancelled()
            self._wake_all()
            await asyncio.sleep(_RECONNECT_S)

    async def _listen(self) -> None:
        async with self._pool.acquire() as connection:
            try:
                for channel in self._events:
                    await connection.add_listener(channel, self._notified)
                self._wake_all()
                while not connection.is_closed():
                    await connection.execute("select 1", timeout=_ALIVE_S)
                    await asyncio.sleep(_ALIVE_S)
            finally:
                with suppress(asyncpg.InterfaceError):  # the pool may have taken it back already
                    connection.terminate()  # nobody else should get one that listens

    def _notified(self, _connection: Any, _pid: int, channel: str, _payload: object) -> None:
        self._events[channel].set()

    def _wake_all(self) -> None:
        for event in self._events.values():
            event.set()
