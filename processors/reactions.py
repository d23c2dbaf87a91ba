"""Reacting to a topic: each wanted event at least once, a key's in order, whatever does not arrive (ADR 14)."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, Protocol

import structlog

from processors import metrics
from processors.arrivals import Arrival
from processors.consumers import Begin, Feed, Host
from processors.lag import Health, Watch
from processors.lanes import FIRST_PAUSE_S, LONGEST_PAUSE_S, OUTAGES, Lanes, Passenger
from producers.eventlog.reader import LogReader
from readmodels.engine import LogBehind
from schemas import kafka_records, names, sql_files
from schemas.cancellation import raise_if_cancelled
from schemas.events import Recorded

LOGGER = structlog.get_logger()
SQL = sql_files.load(__file__)

SAVE_S: Final = 1.0
PAGE: Final = 100
FIRST_REST_S: Final = 2.0
LONGEST_REST_S: Final = 300.0


@dataclass
class Progress:
    """How far a partition was taken, and what of that is not handled yet; positions ascend."""

    taken: int
    open: dict[int, None] = field(default_factory=dict)

    @property
    def through(self) -> int:
        """Everything up to here is handled."""
        return next(iter(self.open)) - 1 if self.open else self.taken


@dataclass
class Parked:
    """A key that waits from `position` on; `skipped` is the newest event that was left to its retry."""

    position: int
    skipped: int = 0
    rest_s: float = FIRST_REST_S
    again_at: float = 0.0
    asked_at: datetime | None = None


class Failed(NamedTuple):
    """An event that could not be handled; it counts as open until its key is parked."""

    event: Recorded
    error: Exception
    close: Callable[[], None]


@dataclass(frozen=True)
class Name:
    """What metrics and the watch call a consumer."""

    name: str


class Reacting(Protocol):
    """Somebody who does something about events of some topics, in lanes that the process runs."""

    lanes: Lanes

    def consumers(self) -> Sequence[tuple[str, Begin]]:
        """Which topics, and who takes their records."""


class Reactor:
    """A `Consumer` that hands the wanted types' events to lanes; several may share these.

    What it did is remembered by partition and now and then: after a restart the last of it is done again.
    """

    leisure_s = 0.0

    def __init__(self, name: str, types: Collection[str], lanes: Lanes, host: Host, feed: Feed) -> None:
        self.view = Name(name)
        self.source = feed.source
        self._types = frozenset(types)
        self._lanes = lanes
        self._host = host
        self._feed = feed
        self._reader = LogReader(host.pool)
        self._taking = asyncio.Lock()
        self._progress: dict[int, Progress] = {}
        self._saved: dict[int, int] = {}
        self._parked: dict[str, Parked] = {}
        self._failed: list[Failed] = []
        self._watch = Watch(
            host.pool,
            self,
            partitions=feed.partitions,
            topic=feed.topic,
            clock=host.clock,
            monotonic=host.monotonic,
        )

    async def begin(self) -> "Reactor":
        """Look before the first record comes."""
        await self._load_parked()
        await self._watch.refresh()
        return self

    async def take(self, arrivals: Sequence[Arrival]) -> None:
        """What is unreadable counts as not delivered: the log fills it in."""
        async with self._taking:
            for arrival in arrivals:
                await _patiently(partial(self._take, arrival))
        await self._lanes.room()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch.run())
            tasks.create_task(_patiently(self._go_on))
            tasks.create_task(self._keep_books())
            tasks.create_task(self._retry_for_ever())

    def health(self) -> Health:
        return self._watch.health()

    # --- what the watch asks of a follower --------------------------------------------------------------------------

    async def follow(self) -> bool:
        return False

    async def checkpoints(self) -> dict[int, int]:
        rows = await self._host.pool.fetch(SQL["checkpoints"], self.view.name, self._feed.generation)
        return {row["partition"]: row["position"] for row in rows}

    async def parked(self) -> int:
        return len(self._parked)

    async def advance(self, _: Name, partitions: list[int], position: int) -> None:
        await self._save(dict.fromkeys(partitions, position))

    async def catch_up(self, partition: int, up_to: int) -> None:
        LOGGER.warning("catching up from the log", consumer=self.view.name, partition=partition, up_to=up_to)
        async with self._taking:
            await self._fill(partition, await self._known(partition), up_to)

    async def _go_on(self) -> None:
        """What was told to a process that ended before it was handled does not come again by itself."""
        for row in await self._host.pool.fetch(SQL["published"], self._feed.topic):
            async with self._taking:
                await self._fill(row["partition"], await self._known(row["partition"]), row["position"])

    # --- taking -----------------------------------------------------------------------------------------------------

    async def _take(self, arrival: Arrival) -> None:
        record = arrival.record
        try:
            place, event_type = kafka_records.place(record.headers), kafka_records.type_of(record.headers)
        except kafka_records.NotARelayRecord as error:
            metrics.RECORDS_SKIPPED.labels(self._feed.topic).inc()
            LOGGER.warning("unreadable record", topic=self._feed.topic, error=repr(error))
            return
        progress = await self._known(record.partition)
        if place.position <= progress.taken:
            return
        if place.previous > progress.taken:
            progress = await self._known(record.partition, anew=True)
            await self._fill(record.partition, progress, place.previous)
            if progress.taken < place.previous:
                raise LogBehind(f"{self._feed.topic} has position {place.previous}, which the log lacks")
        if event_type not in self._types:
            progress.taken = max(progress.taken, place.position)
        elif (delivery := arrival.delivery) is None:
            await self._fill(record.partition, progress, place.position)
        else:
            self._accept(progress, delivery.event)

    async def _known(self, partition: int, *, anew: bool = False) -> Progress:
        """Another process may have had the partition meanwhile, so a hole is looked at anew."""
        progress = self._progress.get(partition)
        if progress is None or anew:
            saved = (await self.checkpoints()).get(partition, 0)
            progress = progress or self._progress.setdefault(partition, Progress(saved))
            progress.taken = max(progress.taken, saved)
        return progress

    async def _fill(self, partition: int, progress: Progress, up_to: int) -> None:
        while progress.taken < up_to and (events := await self.source.fill(partition, progress.taken, up_to)):
            for event in events:
                self._accept(progress, event)
            await self._lanes.room()

    def _accept(self, progress: Progress, event: Recorded) -> None:
        if event.position <= progress.taken:
            return
        progress.taken = event.position
        key = names.name_of(event.stream)
        if event.type not in self._types:
            return
        if parked := self._parked.get(key):
            parked.skipped = event.position
            return
        progress.open[event.position] = None
        self._lanes.put(key, self._passenger(progress, event))

    def _passenger(self, progress: Progress, event: Recorded) -> Passenger:
        def done() -> None:
            progress.open.pop(event.position, None)

        def failed(error: Exception) -> None:
            self._park(names.name_of(event.stream), event.position)
            self._failed.append(Failed(event, error, done))
            metrics.REACTIONS_FAILED.labels(self.view.name).inc()

        return Passenger(event, done, failed)

    def _park(self, key: str, position: int) -> None:
        """What comes later for the key is left to its retry."""
        parked = self._parked.setdefault(key, Parked(position, again_at=self._host.monotonic() + FIRST_REST_S))
        parked.position = min(parked.position, position)
        parked.skipped = max(parked.skipped, position)

    # --- remembering ------------------------------------------------------------------------------------------------

    async def _keep_books(self) -> None:
        while True:
            await _patiently(self._write_down)
            await asyncio.sleep(SAVE_S)

    async def _write_down(self) -> None:
        """First what is parked: only then is it behind us."""
        for one in list(self._failed):
            key = names.name_of(one.event.stream)
            parked = (self.view.name, key, one.event.position, repr(one.error), self._host.clock())
            await self._host.pool.execute(SQL["park"], *parked)
            self._failed.remove(one)
            one.close()
        await self._load_parked()
        await self._save({partition: progress.through for partition, progress in self._progress.items()})

    async def _save(self, positions: Mapping[int, int]) -> None:
        moved = {partition: at for partition, at in positions.items() if at > self._saved.get(partition, 0)}
        if moved:
            scope = (self.view.name, self._feed.topic, self._feed.generation)
            await self._host.pool.execute(SQL["save"], *scope, list(moved), list(moved.values()))
            self._saved |= moved

    async def _load_parked(self) -> None:
        """Also what another process has parked; what it has released, or an operator asks for, is tried at once."""
        rows = {row["key"]: row for row in await self._host.pool.fetch(SQL["parked"], self.view.name)}
        for key, row in rows.items():
            parked = self._parked.setdefault(key, Parked(row["position"], asked_at=row["asked_at"]))
            if parked.asked_at != row["asked_at"]:
                parked.asked_at, parked.again_at = row["asked_at"], 0.0
        for key in self._parked.keys() - rows.keys():
            self._parked[key].again_at = 0.0

    # --- parked keys ------------------------------------------------------------------------------------------------

    async def _retry_for_ever(self) -> None:
        while True:
            for key, parked in list(self._parked.items()):
                if self._host.monotonic() >= parked.again_at:
                    await _patiently(partial(self._retry, key, parked))
            await asyncio.sleep(SAVE_S)

    async def _retry(self, key: str, parked: Parked) -> None:
        """Everything from where it waits, but what an operator has dropped; released when nothing is left."""
        attempt = await self._host.pool.fetchrow(SQL["attempt"], self.view.name)
        assert attempt is not None, "it is one row"
        after = parked.position - 1
        while events := await self._waiting(key, after):
            for event in events:
                dropped = event.position in attempt["dropped"]
                if error := None if dropped else await self._handled(key, event):
                    parked.position = event.position
                    await self._stays_parked(key, parked, error, attempt["begun_at"])
                    return
                after = event.position
        if parked.skipped <= after:
            self._parked.pop(key, None)  # first: what is skipped from now on would be lost
            await self._host.pool.execute(SQL["release"], self.view.name, key)

    async def _stays_parked(self, key: str, parked: Parked, error: Exception, tried_at: datetime) -> None:
        """What came before the event that fails now is done."""
        parked.rest_s = min(2 * parked.rest_s, LONGEST_REST_S)
        parked.again_at = self._host.monotonic() + parked.rest_s
        LOGGER.error("stays parked", consumer=self.view.name, key=key, error=repr(error))
        told = (self.view.name, key, parked.position, repr(error), tried_at)
        await self._host.pool.execute(SQL["stays_parked"], *told)

    async def _waiting(self, key: str, after: int) -> list[Recorded]:
        streams = [f"{kind}/{key}" for kind in self.source.kinds]
        rows = await self._host.pool.fetch(SQL["waiting"], streams, after, list(self._types), PAGE)
        return await self._reader.read_these([row["position"] for row in rows])

    async def _handled(self, key: str, event: Recorded) -> Exception | None:
        """What prevented it, if something did."""
        ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._lanes.put(key, Passenger(event, partial(ended.set_result, None), ended.set_result))
        return await ended


async def _patiently(work: Callable[[], Awaitable[None]]) -> None:
    """Tried again while the log is away."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await work()
        except OUTAGES as error:
            LOGGER.warning("waiting for the log", error=repr(error), pause_s=pause_s)
        raise_if_cancelled()
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
