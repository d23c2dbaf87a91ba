"""Goes through a range of the log page by page: each page one look at Postgres, then at the topics, then judged."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any

import msgspec

from processors.audit import differences, records
from processors.audit.differences import PartitionChain
from processors.audit.evidence import DocumentRow, Journal, Noun, Reach, Snapshot, StreamRow, snapshot
from processors.audit.histories import Told
from processors.audit.records import Records, Seen
from readmodels import engine
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
    """What differences were found in: the log, a kind's topic, a view's documents, a topic's journal."""

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


@dataclass
class Page:
    """Settled events of `(after, up_to]`, and what one snapshot says about their streams and documents."""

    after: int
    up_to: int
    is_last: bool
    events: list[Recorded]
    streams: list[StreamRow] = field(default_factory=list)
    documents: dict[str, tuple[Noun, DocumentRow]] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
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

    def __init__(self, pool: "asyncpg.Pool[Any]", brokers: str, nouns: Mapping[str, Noun], leisure: float = 0) -> None:
        self._pool = pool
        self._leisure = leisure
        self._brokers = brokers
        self._nouns = nouns

    async def recent(self, positions: int) -> Report:
        async with snapshot(self._pool) as seen:
            head = await seen.head()
        return await self.run(head - positions, FOLDS)

    async def run(self, after: int, folds: int | None = None) -> Report:
        """What lies above a position, as far as it was settled when this began; every stream of it, without `folds`."""
        self._nouns = {kind: await self._live(noun) for kind, noun in self._nouns.items()}
        async with snapshot(self._pool) as seen:
            after = max(after, await seen.before_oldest())
            tally = Tally(after, after, await seen.head(), folds)
        async with AsyncExitStack() as stack:
            topics = {kind: await self._topic(stack, noun) for kind, noun in self._nouns.items()}
            clock, is_last = asyncio.get_running_loop().time, False
            while not is_last:
                started = clock()
                page = await self._look(tally)
                await self._judge(page, topics, tally)
                is_last = page.is_last
                await asyncio.sleep(self._leisure * (clock() - started))
        return tally.report()

    async def _live(self, noun: Noun) -> Noun:
        return replace(noun, view=await engine.live(self._pool, noun.view) or noun.view)

    async def _topic(self, stack: AsyncExitStack, noun: Noun) -> "_Topic":
        read = await stack.enter_async_context(records.reading(self._brokers, noun.topic, noun.partitions))
        return _Topic(noun, read)

    async def _look(self, tally: Tally) -> Page:
        async with snapshot(self._pool) as seen:
            page = await self._settled(seen, tally)
            page.epochs = await seen.epochs()
            page.streams = await seen.streams(page.touched)
            end = page.up_to if page.is_last else tally.head
            judged = [row for row in page.streams if row.next_position is None or row.next_position > end]
            for kind, noun in self._nouns.items():
                await self._tell(seen, noun, [row for row in judged if row.kind == kind], page, tally)
            if page.is_last:
                page.journal = await self._journal(seen, tally.after)
        return page

    async def _settled(self, seen: Snapshot, tally: Tally) -> Page:
        """As far as relay and projector were, of the next page of the log."""
        reaches = {kind: await seen.reach(noun) for kind, noun in self._nouns.items()}
        events = await seen.events(tally.up_to, tally.head, PAGE)
        settled = list(takewhile(lambda event: self._is_settled(event, reaches), events))
        if len(settled) < len(events):
            return Page(tally.up_to, events[len(settled)].position - 1, True, settled)
        if len(events) == PAGE:
            return Page(tally.up_to, events[-1].position, events[-1].position == tally.head, events)
        return Page(tally.up_to, tally.head, True, events)

    def _is_settled(self, event: Recorded, reaches: Mapping[str, Reach]) -> bool:
        noun = self._nouns.get(event.kind)
        return noun is None or reaches[event.kind].covers(noun.partition(event.stream), event.position)

    async def _tell(self, seen: Snapshot, noun: Noun, rows: Sequence[StreamRow], page: Page, tally: Tally) -> None:
        """Read the documents of some streams, and fold those streams that are not too long."""
        keys = {noun.view.key(page.touched[row.stream][-1]): row.stream for row in rows}
        found = await seen.documents(noun.view, list(keys))
        page.documents |= {stream: (noun, found[key]) for key, stream in keys.items()}
        projected = (await seen.reach(noun)).projected
        skipped = await seen.skipped(noun.view)
        for row in rows:
            if tally.affords(row.last_seq):
                up_to = projected[noun.partition(row.stream)]
                broken_from = page.documents[row.stream][1].broken_from
                page.told[row.stream] = Told(noun, min(up_to, (broken_from or up_to + 1) - 1), skipped)
        async for event in seen.histories([row.stream for row in rows if row.stream in page.told]):
            page.told[event.stream].take(event)

    async def _journal(self, seen: Snapshot, after: int) -> dict[str, Journal]:
        topics = [noun.view.feeds for noun in self._nouns.values() if noun.view.feeds]
        return {topic: await seen.journal(topic, after) for topic in topics}

    async def _judge(self, page: Page, topics: Mapping[str, "_Topic"], tally: Tally) -> None:
        tally.add("log", "", differences.log_differences(page.after, page.up_to, page.events, page.epochs))
        tally.add("log", "", self._stream_differences(page))
        for noun in self._nouns.values():
            tally.add("documents", noun.view.name, self._document_differences(page, noun))
        for topic, journal in page.journal.items():
            tally.add("journal", topic, differences.journal_differences(topic, journal))
        for kind, topic_records in topics.items():
            read = await topic_records.through(page)
            tally.records += sum(map(len, read.values()))
            differing = topic_records.differences(read, [event for event in page.events if event.kind == kind])
            tally.add("topic", kind, differing)
        tally.events += len(page.events)
        tally.documents += len(page.documents)
        tally.up_to = page.up_to

    def _stream_differences(self, page: Page) -> Iterator[str]:
        for row in page.streams:
            yield from differences.stream_differences(row, page.touched[row.stream])
            noun = self._nouns.get(row.kind or "")
            if noun and row.stream in page.told:
                yield from differences.state_differences(noun, row, page.told[row.stream])

    def _document_differences(self, page: Page, noun: Noun) -> Iterator[str]:
        for stream, row in [(stream, row) for stream, (of, row) in page.documents.items() if of is noun]:
            if stream in page.told:
                yield from differences.document_differences(noun.view, row, page.told[stream])
            else:
                yield from differences.reach_differences(noun.view, row, page.touched[stream][-1])


class _Topic:
    """One topic, read on from page to page."""

    def __init__(self, noun: Noun, read: Records) -> None:
        self._noun = noun
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
            of_partition.setdefault(self._noun.partition(event.stream), []).append(event)
        return chain.from_iterable(
            self._chains[partition].differences(some, of_partition.get(partition, ()))
            for partition, some in read.items()
        )
