"""Whether a process may go on from the log: not while it is suspended, nor into another epoch (DESIGN I2, ADR 11)."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from producers.eventlog.reader import Head, LogReader
from schemas.cancellation import raise_if_cancelled

_LOOK_S: Final = 1.0
_LOGGER = structlog.get_logger()


class EpochEnded(Exception):
    """The log goes on in another epoch: this process ends, so that its successor reads everything anew."""


class Standing:
    """Looks at the log's head once a second; `shut` is called when the log is suspended."""

    def __init__(self, reader: LogReader, head: Head, shut: Callable[[], None]) -> None:
        self._reader = reader
        self._epoch = head.epoch
        self._shut = shut
        self.suspended = head.suspended

    async def run(self) -> None:
        """Until cancelled; raises EpochEnded."""
        while True:
            self._take(await self._reader.head())
            raise_if_cancelled()
            await asyncio.sleep(_LOOK_S)

    def _take(self, head: Head) -> None:
        if head.epoch != self._epoch:
            raise EpochEnded(f"epoch {head.epoch} has begun")
        if head.suspended and not self.suspended:
            _LOGGER.error("the log is suspended", reason=head.suspended)
            self._shut()
        self.suspended = head.suspended
