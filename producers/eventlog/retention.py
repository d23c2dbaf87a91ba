"""What the log forgets: identities of ingested events, after a week (DESIGN §4)."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from schemas import sql_files

_SQL = sql_files.load(__file__)
EVENT_SCOPE: Final = "event:"
KEPT_FOR: Final = timedelta(days=7)
_LOOK_EVERY_S = 600.0
_CHUNK = 5000


class CommandRetention:
    """Deletes in small transactions, so that nobody waits for it."""

    def __init__(self, pool: asyncpg.Pool, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._clock = clock

    async def sweep(self) -> int:
        """How many identities were forgotten; those of money and frames are kept for ever."""
        forgotten = 0
        while deleted := await self._forget_some():
            forgotten += deleted
        return forgotten

    async def run(self) -> None:
        while True:
            await self.sweep()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _forget_some(self) -> int:
        status = await self._pool.execute(_SQL["forget_commands"], self._clock() - KEPT_FOR, _CHUNK)
        return int(status.rsplit(" ", 1)[1])
