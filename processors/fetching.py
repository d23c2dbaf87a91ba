"""How Faust's consumer fetches: a partition with news does not wait for the ones that have none."""

from typing import Any, Final

import faust
from faust.transport.drivers import aiokafka

MAX_WAIT_MS: Final = 50
"""How long the broker holds a fetch that finds nothing.

A fetch leaves out partitions whose last records are still being handed out, and there is one at a time: what comes for
these meanwhile waits for its end. The library's own figure is 1.5 s.
"""


class _Thread(aiokafka.AIOKafkaConsumerThread):  # type: ignore[misc]
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = MAX_WAIT_MS
        return consumer


class _Consumer(aiokafka.Consumer):  # type: ignore[misc]
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class Transport(aiokafka.Transport):  # type: ignore[misc]
    """Faust's own, with that consumer."""

    Consumer = _Consumer


def transport(app: faust.App) -> Transport:
    return Transport(app.conf.broker_consumer, app)
