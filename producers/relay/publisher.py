"""One session's work: one task encodes and enqueues in log order, acknowledgements come in behind it (DESIGN §4)."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition

from producers.eventlog.reader import LogReader
from producers.relay import metrics
from producers.relay.chain import Chain, OutgoingRecord
from producers.relay.progress import Acknowledged
from producers.relay.racing import first_to_end, within
from producers.relay.settings import RelaySettings
from schemas.events import Recorded
from schemas.tracing import Span, Spans, begin_each, end_all

_PAGES_IN_FLIGHT: Final = 4
_GATHER_S: Final = 0.01
_POLL_FIRST_S: Final = 0.05
_POLL_LAST_S: Final = 1.0


class _Page(NamedTuple):
    """What was enqueued together: acknowledged when all of `deliveries` are."""

    through: int
    deliveries: list["asyncio.Future[Any]"]
    last: dict[TopicPartition, int]
    records: int
    recorded_at: datetime
    spans: list[Span]


class _Pages:
    """The log page by page; while a full page is encoded, Postgres is at work on the next."""

    def __init__(self, reader: LogReader, wakeup: asyncio.Event, after: int, page_size: int) -> None:
        self._reader = reader
        self._wakeup = wakeup
        self._after = after
        self._page_size = page_size
        self._ahead: asyncio.Task[list[Recorded]] | None = None

    def __enter__(self) -> "_Pages":
        return self

    def __exit__(self, *_: object) -> None:
        if self._ahead:
            self._ahead.cancel()

    async def next(self) -> list[Recorded]:
        """Empty when there is nothing more; a wake-up from then on is kept."""
        events = await (self._ahead or self._read())
        self._ahead = None
        if events:
            self._after = events[-1].position
        if len(events) == self._page_size:
            self._ahead = asyncio.create_task(self._read())
            self._ahead.add_done_callback(_mark_retrieved)
            await asyncio.sleep(0)  # its query leaves before anybody encodes
        return events

    async def _read(self) -> list[Recorded]:
        self._wakeup.clear()
        return await self._reader.read_all(self._after, self._page_size)


class _Batches:
    """Fills one batch a partition at a time and hands full ones to the producer; never two out of order."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._open: dict[TopicPartition, Any] = {}
        self.deliveries: list[asyncio.Future[Any]] = []
        self.records = 0

    async def add(self, record: OutgoingRecord) -> None:
        batch = self._open.get(record.partition)
        if batch is None or not _append(batch, record):
            if batch is not None:
                await self._send(record.partition, batch)
            batch = self._open[record.partition] = self._producer.create_batch()
            _append(batch, record)
        self.records += 1

    async def send_all(self) -> None:
        for partition, batch in self._open.items():
            await self._send(partition, batch)

    async def _send(self, partition: TopicPartition, batch: Any) -> None:
        delivery = await self._producer.send_batch(batch, partition.topic, partition=partition.partition)
        delivery.add_done_callback(_mark_retrieved)
        self.deliveries.append(delivery)


class Publisher:
    """Feeds the partitions from the log until `until`, or until a delivery fails: then it raises."""

    def __init__(
        self,
        settings: RelaySettings,
        reader: LogReader,
        wakeup: asyncio.Event,
        producer: Any,
        chain: Chain,
        acknowledged: Acknowledged,
        moved: Callable[[int, datetime], None],
        spans: Spans | None = None,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._wakeup = wakeup
        self._producer = producer
        self._chain = chain
        self._acknowledged = acknowledged
        self._moved = moved
        self._spans = spans
        self._in_flight: asyncio.Queue[_Page] = asyncio.Queue(_PAGES_IN_FLIGHT)

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Returns, with everything acknowledged, some time after `is_over()`."""
        await first_to_end(self._enqueue(is_over), self._acknowledge())

    async def _enqueue(self, is_over: Callable[[], bool]) -> None:
        pause_s = _POLL_FIRST_S
        with _Pages(self._reader, self._wakeup, self._acknowledged.position, self._settings.page_size) as pages:
            while not is_over():
                if events := await pages.next():
                    await self._in_flight.put(await self._send(events))
                    await self._gather(len(events))
                    pause_s = _POLL_FIRST_S
                else:
                    await signal_or_timeout(self._wakeup, pause_s * random.uniform(1, 1.25))
                    pause_s = min(pause_s * 2, _POLL_LAST_S)
        await self._in_flight.join()

    async def _gather(self, events: int) -> None:
        """A lone event has gone at once; after several the next page waits, for everybody pays for each page.

        Kafka, its consumers and the sockets behind them do so much a page that at 500 events/s two cores were full.
        """
        if 1 < events < self._settings.page_size:
            await asyncio.sleep(_GATHER_S)

    async def _send(self, events: list[Recorded]) -> _Page:
        spans = begin_each(self._spans, "relay.publish", events)
        batches = _Batches(self._producer)
        for record in self._chain.records(events):
            await batches.add(record)
        await batches.send_all()
        last, written_at = events[-1].position, events[0].recorded_at
        return _Page(last, batches.deliveries, self._chain.last, batches.records, written_at, spans)

    async def _acknowledge(self) -> None:
        while True:
            page = await self._in_flight.get()
            async with within(self._settings.delivery_timeout_s, "an acknowledgement"):
                await asyncio.gather(*page.deliveries)
            self._acknowledged.advance(page.through, page.last)
            self._moved(page.through, page.recorded_at)
            metrics.RECORDS.inc(page.records)
            end_all(page.spans)
            self._in_flight.task_done()


def _append(batch: Any, record: OutgoingRecord) -> bool:
    """False when the batch is full; an empty batch takes a record of any size."""
    appended = batch.append(timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=record.headers)
    return appended is not None


def _mark_retrieved(delivery: "asyncio.Future[Any]") -> None:
    """A session that fails on one delivery says nothing about its others."""
    if not delivery.cancelled():
        delivery.exception()


async def signal_or_timeout(signal: asyncio.Event, timeout_s: float) -> None:
    """Not `wait_for`: it loses a cancellation that comes together with the signal (Python 3.11)."""
    try:
        async with asyncio.timeout(timeout_s):
            await signal.wait()
    except TimeoutError:
        return
