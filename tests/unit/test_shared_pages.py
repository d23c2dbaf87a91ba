"""Sockets that come back together: pages are read once, and everybody gets what the source would have answered."""

import asyncio
import random
from collections.abc import Callable

import pytest

from edge.sync.shared_pages import KEPT_BYTES, SharedPages
from edge.sync.topics import Page
from edge.sync.updates import Update
from schemas.history import History

OWNER = "user:1"


class Source:
    """A topic in memory; every second position is somebody else's."""

    topic = "runtime.codex_worker_events"
    history = History([])

    def __init__(self, rows: int, row_bytes: int = 8) -> None:
        self.rows: list[Update] = []
        self.row_bytes = row_bytes
        self.asked: list[int] = []
        self.limits: list[int] = []
        self.grow(rows)

    def grow(self, rows: int) -> None:
        newest = self.position
        self.rows += [Update(newest + 2 * number, b"x" * self.row_bytes) for number in range(1, rows + 1)]

    @property
    def position(self) -> int:
        return self.rows[-1].watermark if self.rows else 0

    async def read(self, _owner: str, after: int, limit: int) -> Page:
        self.asked.append(after)
        self.limits.append(limit)
        await asyncio.sleep(0)
        above = [row for row in self.rows if row.watermark > after]
        return Page(above[:limit], self.position if len(above) <= limit else above[limit - 1].watermark)

    async def read_around(self, owner: str, cursor: int, rows: int) -> tuple[int, Page]:
        below = [row.watermark for row in self.rows if row.watermark <= cursor]
        start = below[-rows] - 1 if len(below) >= rows else 0
        return start, await self.read(owner, start, 2 * rows)

    async def head(self) -> int:
        return self.position

    async def floor(self, _owner: str) -> int:
        self.asked.append(-1)
        await asyncio.sleep(0)
        return 7

    def follow(self, _follows: object, _receive: object) -> Callable[[], None]:
        return lambda: None


async def replayed(pages: SharedPages, after: int, least: int, limit: int) -> list[int]:
    """What one socket gets, page after page, as its replay asks for them."""
    got: list[int] = []
    while after < least:
        page = await pages.read(OWNER, after, limit, least)
        assert len(page.updates) <= limit
        assert page.through > after
        got += [update.watermark for update in page.updates]
        after = page.through
    return got


@pytest.mark.parametrize("seed", range(40))
async def test_everybody_gets_every_row_above_his_cursor_once_and_in_order(seed: int) -> None:
    entropy = random.Random(seed)
    source = Source(entropy.randint(1, 120))
    pages = SharedPages(source, more_rows=entropy.choice((1, 20, 600)))

    async def come_back() -> None:
        after, least = entropy.randint(0, source.position), source.position
        got = await replayed(pages, after, least, limit=entropy.choice((1, 7, 30)))
        expected = [row.watermark for row in source.rows if after < row.watermark]
        assert got == expected[: len(got)]
        assert [watermark for watermark in expected if watermark <= least] == got[: sum(w <= least for w in expected)]

    async def grow() -> None:
        source.grow(entropy.randint(0, 5))

    for _ in range(10):
        await asyncio.gather(*(entropy.choice((come_back, come_back, grow))() for _ in range(6)))


async def test_who_comes_back_together_is_read_for_once() -> None:
    source = Source(50)
    pages = SharedPages(source)
    await asyncio.gather(*(replayed(pages, 10, source.position, limit=100) for _ in range(30)))
    assert source.asked == [10]


async def test_who_is_further_behind_adds_what_lies_before() -> None:
    source = Source(50)
    pages = SharedPages(source)
    for after in (60, 20, 40, 80, 2):
        await replayed(pages, after, source.position, limit=100)
    assert source.asked == [60, 0]


async def test_for_who_is_further_behind_the_rows_before_his_are_read_too() -> None:
    source = Source(50)
    pages = SharedPages(source, more_rows=5)
    for after in (90, 80, 78, 72):
        page = await pages.read(OWNER, after, 5, source.position)
        assert [update.watermark for update in page.updates] == list(range(after + 2, after + 12, 2))
    assert source.asked == [90, 71]


async def test_rows_that_came_since_are_read_behind_what_is_kept() -> None:
    source = Source(50)
    pages = SharedPages(source)
    await replayed(pages, 60, source.position, limit=100)
    source.grow(3)
    assert await replayed(pages, 90, source.position, limit=100) == [92, 94, 96, 98, 100, 102, 104, 106]
    assert source.asked == [60, 100]


async def test_a_floor_is_asked_for_once() -> None:
    source = Source(1)
    pages = SharedPages(source)
    assert set(await asyncio.gather(*(pages.floor(OWNER) for _ in range(5)))) == {7}
    assert source.asked == [-1]


async def test_large_rows_are_not_kept() -> None:
    source = Source(3, row_bytes=KEPT_BYTES // 2)
    pages = SharedPages(source)
    for _ in range(2):
        assert await replayed(pages, 0, source.position, limit=10) == [2, 4, 6]
    assert source.asked == [0, 0]


async def test_of_large_rows_no_more_than_a_page_is_read_at_once() -> None:
    source = Source(40, row_bytes=KEPT_BYTES // 8)
    await replayed(SharedPages(source, more_rows=20), 0, source.position, limit=10)
    assert source.limits == [20, 10, 10, 10]


async def test_where_a_page_was_cut_off_the_next_one_is_read_even_when_enough_is_there() -> None:
    pages = SharedPages(Source(50), more_rows=10)
    first = await pages.read(OWNER, 0, 10, least=6)
    second = await pages.read(OWNER, first.through, 10, least=6)
    assert [update.watermark for update in second.updates] == list(range(22, 42, 2))


async def test_more_is_read_than_the_first_socket_asked_for() -> None:
    source = Source(50)
    pages = SharedPages(source)
    assert len(await replayed(pages, 0, source.position, limit=10)) == 50
    assert source.asked == [0]
