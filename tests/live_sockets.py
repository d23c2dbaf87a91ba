"""A topic and a socket in memory: second implementations of `TopicSource` and `Outlet` for tests of the live socket."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from edge.sync.framing import Framing
from edge.sync.hub import Hub
from edge.sync.session import Session
from edge.sync.settings import SyncSettings
from edge.sync.topics import Follows, Page, Receive
from edge.sync.updates import Update
from schemas import names
from schemas.history import History

EVENTS, SUMMARIES = names.WORKER_EVENTS, names.WORKER_SUMMARIES
ME, SOMEBODY_ELSE = "user:41", "user:42"
DEADLINE_S = 10.0


class Row(NamedTuple):
    watermark: int
    owner: str
    is_old: bool


class MemoryTopic:
    """Rows are committed by `commit` and handed to followers by `hand_out`, as a tail does a little later."""

    def __init__(self, topic: str = EVENTS, *, first: int = 1) -> None:
        self.topic = topic
        self.position = first - 1
        self.history = History([])
        self._first = first
        self._rows: list[Row] = []
        self._followers: list[tuple[Follows, Receive]] = []
        self.reads = 0

    def commit(self, owner: str = ME, count: int = 1, *, is_old: bool = False) -> int:
        for _ in range(count):
            self._rows.append(Row(self._head + 1, owner, is_old))
        return self._head

    def hand_out(self, limit: int = 1000) -> None:
        rows = [row for row in self._rows if row.watermark > self.position][:limit]
        if rows:
            self.position = rows[-1].watermark
            for follows, receive in self._followers:
                receive([(row.owner, self._update(row)) for row in rows if follows(row.owner)], self.position)

    def publish(self, owner: str = ME, count: int = 1) -> int:
        """Commit and hand out."""
        head = self.commit(owner, count)
        self.hand_out()
        return head

    def watermarks(self, owner: str, after: int = 0) -> list[int]:
        return [row.watermark for row in self._rows if row.owner == owner and row.watermark > after]

    async def read(self, owner: str, after: int, limit: int) -> Page:
        self.reads += 1
        await asyncio.sleep(0)
        rows = [row for row in self._rows if row.owner == owner and row.watermark > after][:limit]
        page = Page(list(map(self._update, rows)), rows[-1].watermark if len(rows) == limit else self._head)
        await asyncio.sleep(0)
        return page

    async def read_around(self, owner: str, cursor: int, rows: int) -> tuple[int, Page]:
        below = [row.watermark for row in self._rows if row.owner == owner and row.watermark <= cursor]
        start = below[-rows] - 1 if len(below) >= rows else 0
        return start, await self.read(owner, start, 2 * rows)

    async def head(self) -> int:
        return self._head

    async def floor(self, owner: str) -> int:
        return max((row.watermark for row in self._rows if row.owner == owner and row.is_old), default=0)

    def follow(self, follows: Follows, receive: Receive) -> Callable[[], None]:
        follower = (follows, receive)
        self._followers.append(follower)
        return lambda: self._followers.remove(follower)

    @property
    def _head(self) -> int:
        return self._rows[-1].watermark if self._rows else self._first - 1

    def _update(self, row: Row) -> Update:
        update = {"topic": self.topic, "watermark": row.watermark, "payload": {"owner": row.owner}}
        return Update(row.watermark, msgspec.json.encode(update))


class MemoryOutlet:
    """Keeps what was sent; `room` False is a peer that takes nothing."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.pings = 0
        self.close_code: int | None = None
        self.room = asyncio.Event()
        self.room.set()
        self.ended = asyncio.Event()

    @property
    def closed(self) -> bool:
        return self.close_code is not None

    def write(self, frames: bytes) -> None:
        if not self.closed:
            self.messages.extend(map(json.loads, texts(frames)))

    def ping(self) -> None:
        self.pings += 1

    def close(self, code: int) -> None:
        if not self.closed:
            self.close_code = code
            self.ended.set()

    async def drained(self, timeout_s: float) -> None:
        await asyncio.sleep(0)
        await self.room.wait()


def texts(frames: bytes) -> Iterator[bytes]:
    """Payloads of unmasked, unfragmented text frames."""
    while frames:
        assert frames[0] == 0x81
        size, start = frames[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(frames[2:start], "big")
        yield frames[start : start + size]
        frames = frames[start + size :]


class Peer:
    """A client of one session: what it sends, and what it has got."""

    def __init__(self, outlet: MemoryOutlet, inbox: "asyncio.Queue[str | None]") -> None:
        self.outlet = outlet
        self._inbox = inbox
        self._refs = itertools.count(1)

    @property
    def messages(self) -> list[Any]:
        return self.outlet.messages

    def send(self, *frame: Any) -> None:
        self.send_value(frame)

    def send_value(self, frame: Any) -> None:
        self._inbox.put_nowait(json.dumps(frame))

    def request(self, event: str, payload: Any = None, join_ref: str | None = "1") -> str:
        ref = str(next(self._refs))
        self.send(None if event == "phx_join" else join_ref, ref, "sync:v1", event, payload or {})
        return ref

    def subscribe(self, *topics: str, cursors: dict[str, int] | None = None, **more: Any) -> str:
        resume_after = {} if cursors is None else {"resume_after": cursors}
        return self.request("sync:subscribe", {"topics": topics or (EVENTS,), **resume_after, **more})

    async def reply(self, ref: str) -> Any:
        """The payload of the reply to `ref`."""

        def replies() -> list[Any]:
            return [frame[4] for frame in self.messages if frame[1] == ref and frame[3] == "phx_reply"]

        await until(replies)
        return replies()[0]

    async def join(self) -> Any:
        return await self.reply(self.request("phx_join"))

    def batches(self) -> list[Any]:
        return [frame[4] for frame in self.messages if frame[3] == "sync:update_batch"]

    def watermarks(self, topic: str = EVENTS) -> list[int]:
        updates = [update for batch in self.batches() for update in batch["updates"]]
        return [update["watermark"] for update in updates if update["topic"] == topic]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - any condition, not only what sets an event
            await asyncio.sleep(0)


def hub_of(*topics: MemoryTopic, settings: SyncSettings | None = None) -> Hub:
    settings = settings or SyncSettings()
    known = {topic: MemoryTopic(topic) for topic in names.SYNC_TOPICS} | {topic.topic: topic for topic in topics}
    return Hub(known.values(), settings.replay_batch_rows, settings.flush_gap_s)


@asynccontextmanager
async def connected(
    hub: Hub,
    owner: str = ME,
    *,
    scopes: tuple[str, ...] = names.SYNC_TOPICS,
    framing: Framing = Framing.V2,
    settings: SyncSettings | None = None,
    numbers: Iterator[int] | None = None,
) -> AsyncIterator[Peer]:
    """A peer of a running session; on leaving, its socket is gone."""
    outlet, inbox = MemoryOutlet(), asyncio.Queue[str | None]()
    session = Session(outlet, owner, scopes, framing, hub, numbers or itertools.count(9), settings or SyncSettings())

    async def receive() -> str | None:
        frame, ended = asyncio.ensure_future(inbox.get()), asyncio.ensure_future(outlet.ended.wait())
        try:
            await asyncio.wait((frame, ended), return_when=asyncio.FIRST_COMPLETED)
            return frame.result() if frame.done() else None
        finally:
            frame.cancel()
            ended.cancel()

    running = asyncio.ensure_future(session.run(receive))
    try:
        yield Peer(outlet, inbox)
    finally:
        outlet.close(1001)
        outlet.room.set()
        await asyncio.wait_for(running, DEADLINE_S)
