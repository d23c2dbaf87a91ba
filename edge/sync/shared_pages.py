"""What many sockets of one owner ask a topic for when they come back together: read and encoded once (DESIGN §10)."""

import asyncio
from bisect import bisect_right
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from edge.sync.topics import Page, TopicSource
from edge.sync.updates import Update

KEPT_S: Final = 5.0
"""So long floors and pages are kept; an erased text may reach its owner that much longer."""
KEPT_BYTES: Final = 4 << 20
MORE_ROWS: Final = 600
"""Read at once if there are so many, and for whoever is further back as many before: the next socket will want them."""

_WATERMARK = attrgetter("watermark")


@dataclass(frozen=True)
class Window:
    """All updates of one owner above `start`, up to and including `through`; `is_cut` when there were more behind."""

    start: int
    page: Page
    is_cut: bool

    @property
    def through(self) -> int:
        return self.page.through

    @property
    def size(self) -> int:
        return sum(len(update.encoded) for update in self.page.updates)

    def above(self, after: int, limit: int) -> Page:
        """As the source answers; `after` lies inside."""
        updates = self._above(after)
        if len(updates) <= limit:
            return Page(updates, self.through)
        return Page(updates[:limit], updates[limit - 1].watermark)

    def is_enough(self, after: int, limit: int, least: int) -> bool:
        """Whether there is a full page above `after`, or everything there was, through `least`."""
        inside = self.start <= after <= self.through
        return inside and ((self.through >= least and not self.is_cut) or len(self._above(after)) >= limit)

    def grown(self, read: "Window") -> "Window":
        """With what was read: behind this one's end, before its start, or instead of it."""
        if read.start == self.through:
            return Window(self.start, Page(self.page.updates + read.page.updates, read.through), read.is_cut)
        if read.start < self.start <= read.through:
            before = read.page.updates[: bisect_right(read.page.updates, self.start, key=_WATERMARK)]
            return Window(read.start, Page(before + self.page.updates, self.through), self.is_cut)
        return read

    def _above(self, after: int) -> list[Update]:
        return self.page.updates[bisect_right(self.page.updates, after, key=_WATERMARK) :]


@dataclass
class _Shared:
    """One owner's, while it is kept; the lock has one socket ask for all."""

    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    floor: int | None = None
    window: Window | None = None
    has_large_rows: bool = False


class SharedPages:
    """Each miss is the one read that its socket would have made anyway, or a longer one."""

    def __init__(self, source: TopicSource, more_rows: int = MORE_ROWS) -> None:
        self._source = source
        self._more_rows = more_rows
        self._owners: dict[str, _Shared] = {}

    async def floor(self, owner: str) -> int:
        shared = self._of(owner)
        async with shared.asking:
            if shared.floor is None:
                shared.floor = await self._source.floor(owner)
            return shared.floor

    async def read(self, owner: str, after: int, limit: int, least: int) -> Page:
        """The updates above `after`, `limit` at most; `least` is the position that they should reach."""
        shared = self._of(owner)
        async with shared.asking:
            if shared.window is not None and shared.window.is_enough(after, limit, least):
                return shared.window.above(after, limit)
            rows = limit if shared.has_large_rows else max(limit, self._more_rows)
            window = await self._widened(owner, shared.window, after, rows)
            shared.has_large_rows = window.size > KEPT_BYTES
            shared.window = None if shared.has_large_rows else window
            return window.above(after, limit)

    async def _widened(self, owner: str, window: Window | None, after: int, rows: int) -> Window:
        if window is not None and after < window.start:
            start, page = await self._source.read_around(owner, after, rows)
            return window.grown(Window(start, page, is_cut=len(page.updates) >= 2 * rows))
        start = max(after, window.through) if window else after
        page = await self._source.read(owner, start, rows)
        read = Window(start, page, is_cut=len(page.updates) >= rows)
        return window.grown(read) if window else read

    def _of(self, owner: str) -> _Shared:
        if owner not in self._owners:
            self._owners[owner] = _Shared()
            asyncio.get_running_loop().call_later(KEPT_S, self._owners.pop, owner)
        return self._owners[owner]
