"""Log, relay and processors of one test in one process, to be stopped, started and deceived one by one."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from processors.app import Processors, ProcessorSettings
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.relay.service import Relay
from producers.relay.settings import RelaySettings
from producers.workers import DECIDER, AppendEvent, Command, CreateWorker
from readmodels.journal import JournalReader
from schemas import canonical_json, names
from schemas.names import worker_stream
from tests.faults import agreement
from tests.faults.agreement import Document
from tests.relayed import topic_contents

Pool = asyncpg.Pool
OWNER = "user:41"
WORKERS = [f"w:{number}" for number in range(20)]
_EVERYTHING = 1_000_000
_AGREED_WITHIN_S = 60.0


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Pipeline:
    """`prefix` keeps its topics and its consumer group apart from others'."""

    pool: "Pool[Any]"
    bootstrap: str
    database: str
    prefix: str

    @property
    def topic(self) -> str:
        return self.prefix + names.KAFKA_TOPICS[names.WORKER]

    @property
    def consuming(self) -> ProcessorSettings:
        return ProcessorSettings(self.bootstrap, f"{self.prefix}processors", self.prefix)

    async def write(self, each: int) -> None:
        """So many events of each worker."""
        log = EventLog(self.pool)
        for worker in WORKERS:
            commands: list[Command] = [CreateWorker(worker), *(AppendEvent("worker.event", {}) for _ in range(each))]
            await log.execute(DECIDER, worker_stream(OWNER, worker), OWNER, [Item(command) for command in commands])
        await log.close()

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[Relay]:
        settings = RelaySettings(self.database, self.bootstrap, topic_prefix=self.prefix, heartbeat_s=0.1)
        relay = Relay(settings, self.pool)
        async with together(relay.run()):
            yield relay

    @asynccontextmanager
    async def projecting(self) -> AsyncIterator[Processors]:
        async with asyncpg.create_pool(self.database, min_size=1, max_size=2) as pool:
            processors = Processors(self.consuming, pool, now)
            async with together(processors.run()):
                yield processors

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[Any]:
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    async def until_relayed(self) -> None:
        await self._until(self._partitions)

    async def until_consumed(self) -> None:
        """The processors themselves, not only what they do instead, have read the topic to its end."""
        await self._until(self._unread)

    async def until_agreed(self) -> None:
        """Documents and journal are those of the log."""
        await self._until(self._documents)

    async def _until(self, look: Any) -> None:
        deadline = time.monotonic() + _AGREED_WITHIN_S
        while differences := await look():
            assert time.monotonic() < deadline, "\n".join(differences[:5])
            await asyncio.sleep(0.1)

    async def _partitions(self) -> list[str]:
        try:
            async with asyncio.timeout(5):
                contents = await topic_contents(self.bootstrap, self.topic)
        except (TimeoutError, KafkaError) as error:
            return [repr(error)]
        events = await LogReader(self.pool).read_all(0, _EVERYTHING)
        return [*agreement.partition_differences(events, contents)] if contents else ["no topic"]

    async def _unread(self) -> list[str]:
        async with self.admin() as admin:
            read = await admin.list_consumer_group_offsets(self.consuming.group)
        contents = await topic_contents(self.bootstrap, self.topic)
        offsets = {partition.partition: at.offset for partition, at in read.items() if partition.topic == self.topic}
        ends = {number: records[-1].offset + 1 for number, records in contents.items() if records}
        return [
            f"partition {number} is read to {offsets.get(number)}"
            for number, end in ends.items()
            if offsets.get(number) != end
        ]

    async def _documents(self) -> list[str]:
        if not await self.pool.fetchval("select to_regclass('worker_summaries')"):
            return ["no view"]
        rows = await self.pool.fetch("select owner, doc_key, doc_version, document from worker_summaries")
        documents = [Document(*row.values())._replace(document=canonical_json.decode(row["document"])) for row in rows]
        journal = await JournalReader(self.pool).read_all(names.WORKER_SUMMARIES, 0, _EVERYTHING)
        events = await LogReader(self.pool).read_all(0, _EVERYTHING)
        return [*_twice(journal), *agreement.summary_differences(events, documents, journal)]


def _twice(journal: Any) -> Iterator[str]:
    if len({(row.owner, row.doc_key, row.doc_version) for row in journal}) < len(journal):
        yield "a version of a document is in the journal twice"


@asynccontextmanager
async def together(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """None of them may end before the context does."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
        ended = [task for task in tasks if task.done()]
        assert not ended, [task.exception() for task in ended]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
