"""The process that keeps read models current, in a Faust app inside our own loop, and wakes what is due (DESIGN §6)."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import faust
import structlog

from processors import fetching
from processors.arrivals import Arrival, follow, take_arrivals
from processors.audit import minutely
from processors.audit.audit import Audit
from processors.audit.topics import audited
from processors.budgets import SpendFrames
from processors.charging import Charges
from processors.consumers import Begin, Consumer, Feed, Host
from processors.executor import Executor
from processors.inbox import Inbox
from processors.lag import Health, worst
from processors.log_source import LogSource
from processors.notifications import Lookout, Notifier
from processors.outlets import Outlets, OutletSettings
from processors.projections import Projection
from processors.reactions import Reacting
from processors.recovery import Recovery
from processors.topics import wait_for_topics
from producers.eventlog import epochs
from producers.eventlog.commands import Decider
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.standing import Standing
from producers.eventlog.timers import Timers
from producers.nouns import DECIDERS
from producers.presence import State
from readmodels.catalogue import VIEWS
from readmodels.engine import LogBehind
from schemas import names
from schemas.cancellation import raise_if_cancelled
from schemas.lost_connections import LOST_CONNECTION
from schemas.tracing import Spans

if TYPE_CHECKING:
    from asyncpg import Pool

LOGGER = structlog.get_logger()

SUSPENDED_POLL_S = 1.0
AUDIT_LEISURE = 4.0
TOPICS = "Postgres and the topics"
METADATA_MS = 3000
"""How long a topic that was made anew can go unnoticed; the library's own pause is five minutes."""

CONSUMERS: Final[tuple[tuple[str, Begin], ...]] = tuple(
    (view.topic, partial(Projection.begin, view)) for view in VIEWS.values()
)
"""Which view takes which topic's records."""


@dataclass(frozen=True)
class ProcessorSettings:
    """`generation` counts the times the topics were made anew with another number of partitions (DESIGN §5).

    `executor` is the process's name as an owner of leases: no other process has it, nor had it before.
    """

    brokers: str = "127.0.0.1:8751"
    group: str = "oa-processors"
    topic_prefix: str = ""
    generation: int = 1
    executor: str = "processors"
    outlets: OutletSettings = field(default_factory=OutletSettings)


class Processors:
    """Run once; `health` may be asked at any time."""

    def __init__(
        self,
        settings: ProcessorSettings,
        pool: "Pool[Any]",
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        deciders: Sequence[Decider[Any, Any]] = DECIDERS,
        spans: Spans | None = None,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._clock = clock
        self._monotonic = monotonic
        self._deciders = deciders
        self._spans = spans
        self._waiting_for = TOPICS
        self._consumers: list[tuple[str, Consumer]] = []
        self._timers: Timers | None = None

    def health(self) -> Health:
        """The worst of all consumers', and the timers'."""
        if not self._consumers:
            return Health(False, 0, 0.0, f"waiting for {self._waiting_for}")
        health = worst(consumer.health() for _, consumer in self._consumers)
        if health.ready and self._timers and (reason := self._timers.stuck()):
            return health._replace(ready=False, reason=reason)
        return health

    async def state(self) -> State:
        return State(*self.health())

    async def run(self) -> None:
        """Until cancelled; raises when the log is behind (DESIGN I2) or Faust gives up."""
        await self._until_resumed()
        try:
            await self._run()
        except ExceptionGroup as error:
            if behind := _first_of(error):
                await epochs.suspend(self._pool, str(behind))
                raise behind from None
            raise

    async def _until_resumed(self) -> None:
        """While the log is suspended nothing is projected (ADR 11); the health says why."""
        reader = LogReader(self._pool)
        while reason := (await reader.head()).suspended:
            self._waiting_for = reason
            await asyncio.sleep(SUSPENDED_POLL_S)
        self._waiting_for = TOPICS

    async def _stand(self) -> None:
        """What deciders remember is of one epoch: in another one this process ends. Raises EpochEnded."""
        reader = LogReader(self._pool)
        standing: Standing | None = None
        while True:
            try:
                standing = standing or Standing(reader, await reader.head(), lambda: None)
                await standing.run()
            except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
                LOGGER.warning("nobody looks at the log's epoch", error=repr(error))
            raise_if_cancelled()
            await asyncio.sleep(SUSPENDED_POLL_S)

    async def _run(self) -> None:
        """Timers and outlets need Postgres alone: they do not wait for Kafka."""
        log = EventLog(self._pool, clock=self._clock, spans=self._spans)
        executor = Executor(self._pool, log, self._settings.executor, self._spans)
        notifier = Notifier(self._pool, log)
        reacting: list[Reacting] = [executor, SpendFrames(self._pool, log), Charges(self._pool, log), notifier]
        recovery = Recovery(executor.name, executor.take_over)
        outlets = Outlets(self._pool, log, self._settings.outlets, executor.name, self._clock, random.SystemRandom())
        self._timers = Timers(self._pool, self._deciders, self._clock, self._monotonic, {names.LEASE: recovery})
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._stand())
                tasks.create_task(self._timers.run())
                tasks.create_task(Lookout(notifier, self._clock).run())
                tasks.create_task(outlets.run())
                for one in reacting:
                    tasks.create_task(one.lanes.run())
                tasks.create_task(self._follow_topics(reacting))
        finally:
            await log.close()

    async def _follow_topics(self, reacting: Sequence[Reacting]) -> None:
        prefix = self._settings.topic_prefix
        counts = await wait_for_topics(self._settings.brokers, [prefix + topic for topic in names.TOPICS])
        partitions = {topic: counts[prefix + topic] for topic in names.TOPICS}
        audits = Audit(
            self._pool,
            self._settings.brokers,
            audited(prefix, self._settings.generation, partitions),
            leisure=AUDIT_LEISURE,
        )
        consumers = (*CONSUMERS, *(consumer for one in reacting for consumer in one.consumers()))
        self._consumers = [(topic, await self._begun(topic, partitions[topic], begin)) for topic, begin in consumers]
        app = make_app(self._settings)
        async with asyncio.TaskGroup() as tasks:
            for topic in dict.fromkeys(topic for topic, _ in self._consumers):
                self._follow(app, topic, tasks)
            tasks.create_task(minutely.run(self._pool, audits))
            tasks.create_task(run_app(app))

    async def _begun(self, topic: str, partitions: int, begin: Begin) -> Consumer:
        source = LogSource(LogReader(self._pool), topic, partitions)
        feed = Feed(self._settings.topic_prefix + topic, partitions, self._settings.generation, source)
        return await begin(Host(self._pool, self._clock, self._monotonic, self._spans), feed)

    def _follow(self, app: faust.App, topic: str, tasks: asyncio.TaskGroup) -> None:
        """One agent a topic, however many take its records."""
        inboxes = []
        for consumer in (consumer for its_topic, consumer in self._consumers if its_topic == topic):
            inboxes.append(Inbox[Arrival](leisure_s=consumer.leisure_s))
            tasks.create_task(take_arrivals(inboxes[-1], consumer.take))
            tasks.create_task(consumer.run())
        follow(app, self._settings.topic_prefix + topic, inboxes)


def _first_of(error: Exception) -> LogBehind | None:
    """The LogBehind that it is, or that ended a task group."""
    if isinstance(error, LogBehind):
        return error
    found = (_first_of(inner) for inner in getattr(error, "exceptions", ()))
    return next(filter(None, found), None)


class QuietApp(faust.App):  # type: ignore[misc]
    """Keeps no files: without tables there is nothing to keep."""

    def _create_directories(self) -> None:
        pass

    def _new_transport(self) -> fetching.Transport:
        return fetching.transport(self)


def make_app(settings: ProcessorSettings) -> faust.App:
    """An app that only consumes; a killed worker's partitions move on within the session timeout (STACK §5)."""
    return QuietApp(
        settings.group,
        broker=[f"kafka://{broker}" for broker in settings.brokers.split(",")],
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=METADATA_MS,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        datadir=Path("/nonexistent"),
        cython_optimizations=True,
    )


async def run_app(app: faust.App) -> None:
    """Faust without its own worker: no signal handlers, no logging setup, no other loop."""
    try:
        await app.start()
        await app.wait_first()
    finally:
        await app.stop()
    raise app.crash_reason or RuntimeError("Faust stopped by itself")
