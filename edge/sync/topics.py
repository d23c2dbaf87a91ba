"""Where a topic's rows come from: the log itself, or the journal of documents (DESIGN §7, SD-3)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from edge.auth.clock import Clock
from edge.sync.subscriptions import StaleTopic
from edge.sync.updates import Update, journal_update, worker_event_update
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail
from readmodels.journal import JournalReader, JournalRow
from readmodels.journal_tail import JournalTail
from schemas import names
from schemas.events import Recorded
from schemas.history import History

Follows = Callable[[str], bool]
Receive = Callable[[list[tuple[str, Update]], int], None]


class Page(NamedTuple):
    """Updates of one owner above a cursor; there is no other one up to and including `through`."""

    updates: list[Update]
    through: int


class TopicSource(Protocol):
    """A topic as sockets need it; all watermarks of a topic are in one space (sync §16)."""

    @property
    def topic(self) -> str: ...

    @property
    def position(self) -> int:
        """Everything up to here has been handed to `follow`'s receiver."""

    async def read(self, owner: str, after: int, limit: int) -> Page: ...

    async def read_around(self, owner: str, cursor: int, rows: int) -> tuple[int, Page]:
        """So many of the owner's rows up to `cursor`, as many above it, and the cursor before all of them."""

    async def head(self) -> int:
        """The newest watermark of the topic, read now (SD-5)."""

    async def floor(self, owner: str) -> int:
        """Watermark of the owner's newest row beyond the retention horizon, 0 if none (SD-2)."""

    @property
    def history(self) -> History:
        """The epochs of the topic's watermarks."""

    def follow(self, follows: Follows, receive: Receive) -> Callable[[], None]:
        """Hand rows of the owners that are followed, with their owner, and the position after them to `receive`."""


class LogTopic:
    """`runtime.codex_worker_events`: watermark = log position, no copy."""

    topic = names.WORKER_EVENTS

    def __init__(self, reader: LogReader, tail: LogTail, now: Clock, horizon: timedelta, history: History) -> None:
        self.history = history
        self._reader = reader
        self._tail = tail
        self._now = now
        self._horizon = horizon

    @property
    def position(self) -> int:
        return self._tail.position

    async def read(self, owner: str, after: int, limit: int) -> Page:
        page = await self._reader.read_owner(owner, names.WORKER, after, limit)
        return Page(list(map(worker_event_update, page.events)), page.through)

    async def read_around(self, owner: str, cursor: int, rows: int) -> tuple[int, Page]:
        start, page = await self._reader.read_around(owner, names.WORKER, cursor, rows)
        return start, Page(list(map(worker_event_update, page.events)), page.through)

    async def head(self) -> int:
        return (await self._reader.head()).position

    async def floor(self, owner: str) -> int:
        return await self._reader.floor(owner, names.WORKER, self._now() - self._horizon)

    def follow(self, follows: Follows, receive: Receive) -> Callable[[], None]:
        def hand_on(events: Sequence[Recorded]) -> None:
            followed = [event for event in events if event.kind == names.WORKER and follows(event.owner)]
            receive([(event.owner, worker_event_update(event)) for event in followed], events[-1].position)

        return self._tail.subscribe(hand_on)


class DocumentTopic:
    """A topic of documents: watermark = the journal's counter."""

    def __init__(
        self, topic: str, reader: JournalReader, tail: JournalTail, now: Clock, horizon: timedelta, history: History
    ) -> None:
        self.history = history
        self.topic = topic
        self._reader = reader
        self._tail = tail
        self._now = now
        self._horizon = horizon

    @property
    def position(self) -> int:
        return self._tail.position(self.topic)

    async def read(self, owner: str, after: int, limit: int) -> Page:
        page = await self._reader.read_owner(self.topic, owner, after, limit)
        return Page(list(map(journal_update, page.rows)), page.through)

    async def read_around(self, owner: str, cursor: int, rows: int) -> tuple[int, Page]:
        start, page = await self._reader.read_around(self.topic, owner, cursor, rows)
        return start, Page(list(map(journal_update, page.rows)), page.through)

    async def head(self) -> int:
        return await self._reader.head(self.topic)

    async def floor(self, owner: str) -> int:
        return await self._reader.floor(self.topic, owner, self._now() - self._horizon)

    def follow(self, follows: Follows, receive: Receive) -> Callable[[], None]:
        def hand_on(topic: str, rows: Sequence[JournalRow]) -> None:
            if topic == self.topic:
                followed = [(row.owner, journal_update(row)) for row in rows if follows(row.owner)]
                receive(followed, rows[-1].watermark)

        return self._tail.subscribe(hand_on)


class Positions:
    """How far this node has read each topic: the cursor of whoever loads the current state from now on (SD-13)."""

    def __init__(self, sources: Iterable[TopicSource]) -> None:
        self._sources = {source.topic: source for source in sources}

    def of(self, topics: Iterable[str]) -> dict[str, int]:
        return {topic: self._sources[topic].position for topic in topics if topic in self._sources}


class Start(NamedTuple):
    """Where a replay begins; `beyond_head` when the cursor was no cursor of this log (SD-5)."""

    after: int
    beyond_head: bool = False


async def start(source: TopicSource, floor: int, cursor: int | None, *, zero_is_no_cursor: bool) -> Start | StaleTopic:
    """What an explicit cursor, or none, means for an owner with this floor (sync §9, §15.3; SD-1, SD-2, SD-5).

    Whoever was served rows that a restore lost is told so, like somebody whose rows are no longer kept (ADR 11).
    """
    if cursor is None or (cursor == 0 and zero_is_no_cursor):
        return Start(floor)
    if (began_after := source.history.began_after_loss_of(cursor)) is not None:
        return StaleTopic(source.topic, cursor, max(floor, began_after))
    if cursor > source.position and cursor > await source.head():
        return Start(floor, beyond_head=True)
    return StaleTopic(source.topic, cursor, floor) if cursor < floor else Start(cursor)
