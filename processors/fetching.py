"""How Faust's consumer fetches and hands on: no partition waits for another one, no record for the loop's next turn."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import faust
from faust.transport.drivers import aiokafka

MAX_WAIT_MS: Final = 50
"""How long the broker holds a fetch that finds nothing.

A fetch leaves out partitions whose last records are still being handed out, and there is one at a time: what comes for
these meanwhile waits for its end. The library's own figure is 1.5 s.
"""
AT_ONCE: Final = 100
"""So many records are handed on before everybody else in the process has a turn."""


class _Thread(aiokafka.AIOKafkaConsumerThread):  # type: ignore[misc]
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = MAX_WAIT_MS
        return consumer


class _Consumer(aiokafka.Consumer):  # type: ignore[misc]
    """Hands records on by itself; what may have to wait is left to the library, which makes four tasks for each."""

    _handed_on = 0

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:
        async for partition, message in super().getmany(timeout):
            if self._follows(partition, message.offset) and self._has_room(partition):
                await self.callback(message)
                self._read_offset[partition] = message.offset
                self._handed_on += 1
                if not self._handed_on % AT_ONCE:
                    await asyncio.sleep(0)
            else:
                yield partition, message

    def _follows(self, partition: Any, offset: int) -> bool:
        """The library has to know of gaps, or it never commits beyond them."""
        before = self._read_offset[partition]
        return before is not None and offset == before + 1

    def _has_room(self, partition: Any) -> bool:
        """Else whoever hands on waits, and a rebalance has to end that."""
        channels = self.app.topics._tp_index[partition]
        return self.app.flow_control.is_active() and not any(channel.queue.full() for channel in channels)


class Transport(aiokafka.Transport):  # type: ignore[misc]
    """Faust's own, with that consumer."""

    Consumer = _Consumer


def transport(app: faust.App) -> Transport:
    return Transport(app.conf.broker_consumer, app)
