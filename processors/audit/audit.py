"""Goes through a range of the log page by page: each page one look at Postgres, then at the topics, then judged."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from processors.audit import differences, records
from processors.audit.differences import PartitionChain
from processors.audit.evidence import DocumentRow, Journal, Reach, Snapshot, StreamRow, Topic, snapshot
from processors.audit.histories import DocumentTold, StateTold
from processors.audit.ledgers import ledger_differences
from processors.audit.records import Records, Seen
from readmodels import engine
from readmodels.engine import View
from schemas import names
from schemas.events import Recorded
from schemas.history import Epoch

if TYPE_CHECKING:
    import asyncpg

PAGE = 200
"""Events; what is done at a stretch with a page keeps nobody waiting for long."""
SHOWN = 20
FOLDS = 50_000
"""How many events of whole streams an audit of recent positions reads at most; longer streams are looked at lightly."""


class Part(msgspec.Struct, frozen=True):
    """What differences were found in: the log, its ledger, a kind's topic, a view's documents, a topic's journal."""

    component: str
    name: str
    differences: int


class Report(msgspec.Struct, frozen=True):
    """What was found in `(after, up_to]`; `behind` positions are not on Kafka or not projected yet, and no difference.

    `unfolded` documents and states were not made anew for comparison: their streams are too long for this audit.
    """

    after: int
    up_to: int
    behind: int
    events: int
    records: int
    documents: int
    unfolded: int
    differences: int
    first: list[str]
    parts: list[Part] = []


@dataclass
class Tally:
    """The report while it grows; only the first differences are kept."""

    after: int
    up_to: int
    head: int
    folds_left: int | None
    events: int = 0
    records: int = 0
    documents: int = 0
    unfolded: int = 0
    differences: int = 0
    first: list[str] = field(default_factory=list)
    parts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, component: str, name: str, found: Iterable[str]) -> None:
        for difference in found:
            self.differences += 1
            self.parts[component, name] += 1
            if len(self.first) < SHOWN:
                self.first.append(difference)

    def affords(self, events: int) -> bool:
        """Whether a stream of so many events may still be read as a whole."""
        if self.folds_left is None:
            return True
        if events > self.folds_left:
            self.unfolded += 1
            return False
        self.folds_left -= events
        return True

    def report(self) -> Report:
        return Report(
            self.after,
            self.up_to,
            self.head - self.up_to,
            self.events,
            self.records,
            self.documents,
            self.unfolded,
            self.differences,
            self.first,
            [Part(*of, count) for of, count in self.parts.items()],
        )


class Document(NamedTuple):
    """A document that events of a page are of, the last of them, and what its history says unless it is too long."""

    view: View[Any]
    row: DocumentRow
    last: Recorded
    told: DocumentTold | None


@dataclass
class Page:
    """Settled events of `(after, up_to]`, and what one snapshot says about their streams and documents."""

    after: int
    up_to: int
    is_last: bool
    events: list[Recorded]
    streams: list[StreamRow] = field(default_factory=list)
    states: dict[str, StateTold] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)
    journal: dict[str, Journal] = field(default_factory=dict)
    epochs: list[Epoch] = field(default_factory=list)

    @cached_property
    def touched(self) -> dict[str, list[Recorded]]:
        """The events by stream."""
        touched: dict[str, list[Recorded]] = {}
        for event in self.events:
            touched.setdefault(event.stream, []).append(event)
        return touched


class Audit:
    """One at a time; holds one connection at most, and none while it reads Kafka.

    `leisure` is how much longer than a page took it rests after it, for processes that have something better to do.
    """

    def __init__(self, pool: "asyncpg.Pool[Any]", brokers: str, topics: Sequence[Topic], leisure: float = 0) -> None:
        self._pool = pool
        self._leisure = leisure
        self._brokers = brokers
        self._topics = topics

    async def recent(self, positions: int) -> Report:
        async with snapshot(self._pool) as seen:
            head = await seen.head()
        return await self.run(head - positions, FOLDS)

    async def run(self, after: int, folds: int | None = None) -> Report:
        """What lies above a position, as far as it was settled when this began; every stream of it, without `folds`."""
        self._topics = [await self._live(topic) for topic in self._topics]
        async with snapshot(self._pool) as seen:
            after = max(after, await seen.before_oldest())
            tally = Tally(after, after, await seen.head(), folds)
        async with records.reading(self._brokers, {topic.name: topic.partitions for topic in self._topics}) as read:
            readings = [_Reading(topic, read[topic.name]) for topic in self._topics]
            clock, is_last = asyncio.get_running_loop().time, False
            while not is_last:
                started = clock()
                page = await self._look(tally)
                await self._judge(page, readings, tally)
                is_last = page.is_last
                await asyncio.sleep(self._leisure * (clock() - started))
        money = await ledger_differences(self._pool, tally.after, tally.affords)
        tally.add("log", "ledger", money)
        return tally.report()

    async def _live(self, topic: Topic) -> Topic:
        return replace(topic, views=[await engine.live(self._pool, view) or view for view in topic.views])

    async def _look(self, tally: Tally) -> Page:
        async with snapshot(self._pool) as seen:
            reaches = {topic.name: await seen.reach(topic) for topic in self._topics}
            page = await self._settled(seen, reaches, tally)
            page.epochs = await seen.epochs()
            page.streams = await seen.streams(page.touched)
            end = page.up_to if page.is_last else tally.head
            judged = [row for row in page.streams if row.next_position is None or row.next_position > end]
            for topic in self._topics:
                streams = [row.stream for row in judged if row.kind in topic.deciders]
                telling = _Telling(seen, topic, reaches[topic.name], page, tally)
                await telling.of(streams)
                await telling.of_single_events()
            if page.is_last:
                page.journal = await self._journal(seen, tally.after)
        return page

    async def _settled(self, seen: Snapshot, reaches: Mapping[str, Reach], tally: Tally) -> Page:
        """As far as relay and projectors were, of the next page of the log."""
        events = await seen.events(tally.up_to, tally.head, PAGE)
        settled = list(takewhile(lambda event: self._is_settled(event, reaches), events))
        if len(settled) < len(events):
            return Page(tally.up_to, events[len(settled)].position - 1, True, settled)
        if len(events) == PAGE:
            return Page(tally.up_to, events[-1].position, events[-1].position == tally.head, events)
        return Page(tally.up_to, tally.head, True, events)

    def _is_settled(self, event: Recorded, reaches: Mapping[str, Reach]) -> bool:
        topics = (topic for topic in self._topics if event.kind in topic.deciders)
        return all(reaches[topic.name].covers(topic.partition(event.stream), event.position) for topic in topics)

    async def _journal(self, seen: Snapshot, after: int) -> dict[str, Journal]:
        views = [view for topic in self._topics for view in topic.views]
        return {view.feeds: await seen.journal(view.feeds, after, view.kinds[0]) for view in views if view.feeds}

    async def _judge(self, page: Page, readings: Sequence["_Reading"], tally: Tally) -> None:
        tally.add("log", "", differences.log_differences(page.after, page.up_to, page.events, page.epochs))
        tally.add("log", "", _stream_differences(page))
        for document in page.documents:
            tally.add("documents", document.view.name, _document_differences(document))
        for topic, journal in page.journal.items():
            tally.add("journal", topic, differences.journal_differences(topic, journal))
        for reading in readings:
            read = await reading.through(page)
            tally.records += sum(map(len, read.values()))
            tally.add("topic", reading.topic.name, reading.differences(read, page.events))
        tally.events += len(page.events)
        tally.documents += len(page.documents)
        tally.up_to = page.up_to


def _stream_differences(page: Page) -> Iterator[str]:
    for row in page.streams:
        yield from differences.stream_differences(row, page.touched[row.stream])
        if row.stream in page.states:
            yield from differences.state_differences(row, page.states[row.stream])


def _document_differences(document: Document) -> Iterator[str]:
    view, row, last, told = document
    if told:
        return differences.document_differences(view, row, told)
    return differences.reach_differences(view, row, last)


class _Telling:
    """What the histories of some streams of a topic say, and the documents they are in, put into a page.

    Histories are read whole, so those that are too long are left out. A document of several streams is told when one
    of them is.
    """

    def __init__(self, seen: Snapshot, topic: Topic, reach: Reach, page: Page, tally: Tally) -> None:
        self._seen = seen
        self._topic = topic
        self._reach = reach
        self._page = page
        self._tally = tally
        self._documents: dict[str, list[DocumentTold]] = {}

    async def of(self, streams: Sequence[str]) -> None:
        told = await self._affordable(streams)
        deciders = self._topic.deciders
        for stream in set(streams) & told.keys():
            if decider := deciders[names.kind_of(stream)]:
                self._page.states[stream] = StateTold(decider)
        for view in (view for view in self._topic.views if not view.per_event):
            events = [event for stream in streams for event in self._page.touched[stream] if view.folds(event)]
            await self._tell(view, events, set(told.values()))
        if told:
            async for event in self._seen.histories(told):
                self._take(event)

    async def of_single_events(self) -> None:
        """The documents that are of one event need no history."""
        for view in (view for view in self._topic.views if view.per_event):
            events = [event for event in self._page.events if view.folds(event)]
            for document in await self._tell(view, events, {names.name_of(event.stream) for event in events}):
                if document.told:
                    document.told.take(document.last)

    async def _affordable(self, streams: Sequence[str]) -> dict[str, str]:
        """The streams with their names, and what others their documents are of."""
        views = [view for view in self._topic.views if not view.per_event]
        kinds = dict.fromkeys(chain.from_iterable(view.kinds for view in views))
        by_name: dict[str, set[str]] = {}
        for stream in streams:
            name = names.name_of(stream)
            by_name.setdefault(name, {f"{kind}/{name}" for kind in kinds}).add(stream)
        lengths = await self._seen.lengths(list(chain.from_iterable(by_name.values())))
        return {
            stream: name
            for name, its_streams in by_name.items()
            if self._tally.affords(sum(lengths.get(stream, 0) for stream in its_streams))
            for stream in its_streams
        }

    async def _tell(self, view: View[Any], events: Sequence[Recorded], told: Collection[str]) -> list[Document]:
        """The documents of the events; those with a name that is told are to be folded."""
        documents: list[Document] = []
        last = {view.key(event): event for event in events}
        skipped = await self._seen.skipped(view)
        for key, row in (await self._seen.documents(view, list(last))).items():
            name = names.name_of(last[key].stream)
            projected = self._reach.projected[view.name][self._topic.partition(last[key].stream)]
            up_to = min(projected, (row.broken_from or projected + 1) - 1)
            document = DocumentTold(view, key, up_to, skipped) if name in told else None
            documents.append(Document(view, row, last[key], document))
            if document:
                self._documents.setdefault(name, []).append(document)
        self._page.documents += documents
        return documents

    def _take(self, event: Recorded) -> None:
        if state := self._page.states.get(event.stream):
            state.take(event)
        for document in self._documents.get(names.name_of(event.stream), ()):
            document.take(event)


class _Reading:
    """One topic, read on from page to page."""

    def __init__(self, topic: Topic, read: Records) -> None:
        self.topic = topic
        self._read = read
        self._chains: dict[int, PartitionChain] = {}

    async def through(self, page: Page) -> dict[int, list[Seen]]:
        if not page.events:
            return {}
        if not self._chains:
            since = min(event.recorded_at for event in page.events)
            before = await self._read.begin(page.after, since)
            self._chains = {partition: PartitionChain(partition, last) for partition, last in before.items()}
        return await self._read.through(page.up_to)

    def differences(self, read: Mapping[int, list[Seen]], events: Sequence[Recorded]) -> Iterator[str]:
        of_partition: dict[int, list[Recorded]] = {}
        for event in events:
            if event.kind in self.topic.deciders:
                of_partition.setdefault(self.topic.partition(event.stream), []).append(event)
        return chain.from_iterable(
            self._chains[partition].differences(some, of_partition.get(partition, ()))
            for partition, some in read.items()
        )
