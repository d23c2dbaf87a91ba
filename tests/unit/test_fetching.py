"""A partition with news does not wait for the ones that have none: Faust's consumer as we set it."""

from typing import Any

from processors.app import ProcessorSettings, make_app
from processors.fetching import MAX_WAIT_MS


async def _never(_message: Any) -> None:
    raise AssertionError("nothing is consumed here")


async def test_the_broker_holds_an_empty_fetch_for_a_short_time() -> None:
    app = make_app(ProcessorSettings())
    thread = app.transport.create_consumer(_never, on_partitions_revoked=_never, on_partitions_assigned=_never)._thread
    consumer = thread._create_worker_consumer(app.transport)
    await consumer.stop()
    thread.thread_loop.close()
    assert consumer._fetch_max_wait_ms == MAX_WAIT_MS == 50
