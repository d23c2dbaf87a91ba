"""Live delivery of one node: each update encoded once, one prepared frame to all who may see it (DESIGN §8)."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from edge.sync.framing import Address
from edge.sync.shared_pages import SharedPages
from edge.sync.topics import TopicSource
from edge.sync.updates import Update, live_batches
from edge.sync.websocket import Outlet, text_frame
from schemas.tracing import Attributes, Span, Spans, begin, end_all

HELD_ROWS: Final = 1000
"""What is kept for a socket while it replays; with more than that it reads on from the database."""


class Follower:
    """One socket's part in one topic: held while it replays, live afterwards.

    `after` is the watermark through which it was served when it was last held; rows up to it are never sent again.
    While held, `held` has every update of the owner above `held_from` that came meanwhile.
    """

    __slots__ = ("address", "after", "feed", "held", "held_from", "outlet", "owner")

    def __init__(self, feed: "Feed", owner: str, outlet: Outlet) -> None:
        self.feed = feed
        self.owner = owner
        self.outlet = outlet

    def hold(self, address: Address, after: int) -> None:
        self.address = address
        self.after = after
        self.held: list[Update] | None = []
        self.held_from = self.feed.received

    @property
    def behind(self) -> bool:
        """There may be rows between what was sent and what is held."""
        return self.after < self.held_from

    @property
    def served(self) -> int:
        """The position through which this socket was served (SD-4)."""
        return self.after if self.held is not None else max(self.after, self.feed.position)

    def keep(self, updates: Sequence[Update], through: int) -> None:
        assert self.held is not None
        self.held.extend(updates)
        if len(self.held) > HELD_ROWS:
            self.held.clear()
            self.held_from = through


class Feed:
    """A topic's live rows on their way to its followers, by owner.

    `received` is what the tail has handed over, `position` what live followers were served through: behind it by what
    waits for the next flush.
    """

    def __init__(
        self, source: TopicSource, batch_rows: int, has_news: Callable[["Feed"], None], spans: Spans | None
    ) -> None:
        self.source = source
        self._spans = spans
        self._begun: list[Span] = []
        self.pages = SharedPages(source)
        self.position = self.received = source.position
        self._batch_rows = batch_rows
        self._has_news = has_news
        self._followers: dict[str, set[Follower]] = {}
        self._news: dict[str, list[Update]] = {}
        self.stop = source.follow(self._followers.__contains__, self._receive)

    def add(self, follower: Follower) -> None:
        self._followers.setdefault(follower.owner, set()).add(follower)

    def remove(self, follower: Follower) -> None:
        others = self._followers.get(follower.owner, set())
        others.discard(follower)
        if not others:
            self._followers.pop(follower.owner, None)

    def _receive(self, rows: list[tuple[str, Update]], through: int) -> None:
        self.received = through
        for owner, update in rows:
            self._news.setdefault(owner, []).append(update)
        if self._spans:
            self._begun += filter(None, (self._span(update) for _, update in rows))
        if self._news:
            self._has_news(self)
        else:
            self.position = through

    def flush(self) -> None:
        news, self._news = self._news, {}
        for owner, updates in news.items():
            self._deliver(self._followers.get(owner, ()), updates)
        self.position = self.received
        begun, self._begun = self._begun, []
        end_all(begun)

    def _span(self, update: Update) -> Span | None:
        """From the tail to the sockets' buffers."""
        attributes: Attributes = {"oa.topic": self.source.topic, "oa.watermark": update.watermark}
        return begin(self._spans, "sync.frame", update.headers, attributes)

    def release(self, follower: Follower) -> None:
        """Go live: send what was held and is new to this socket; the caller has just read up to `held_from`."""
        held, follower.held = follower.held or [], None
        if missed := [update for update in held if update.watermark > follower.after]:
            follower.outlet.write(self._frames(follower.address, missed, self.position))

    def _deliver(self, followers: Iterable[Follower], updates: list[Update]) -> None:
        prepared: dict[Address, bytes] = {}
        bodies = live_batches(self.source.topic, updates, self._batch_rows, through=self.received)
        first = updates[0].watermark
        for follower in followers:
            if follower.held is not None:
                follower.keep(updates, self.received)
            elif follower.after < first:
                if (frames := prepared.get(follower.address)) is None:
                    frames = prepared[follower.address] = _framed(follower.address, bodies)
                follower.outlet.write(frames)
            elif new := [update for update in updates if update.watermark > follower.after]:
                follower.outlet.write(self._frames(follower.address, new, self.received))

    def _frames(self, address: Address, updates: list[Update], through: int) -> bytes:
        return _framed(address, live_batches(self.source.topic, updates, self._batch_rows, through=through))


class Hub:
    """The feeds of a node, flushed at once when idle and joined over a few milliseconds when busy (STACK §6)."""

    def __init__(
        self, sources: Iterable[TopicSource], batch_rows: int, flush_gap_s: float, spans: Spans | None = None
    ) -> None:
        self._flush_gap_s = flush_gap_s
        self._due: dict[Feed, None] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self.feeds: Mapping[str, Feed] = {
            source.topic: Feed(source, batch_rows, self._has_news, spans) for source in sources
        }

    def close(self) -> None:
        """Follow the tails no longer."""
        for feed in self.feeds.values():
            feed.stop()
        if self._flush is not None:
            self._flush.cancel()

    def _has_news(self, feed: Feed) -> None:
        self._due[feed] = None
        if self._flush is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._not_before:
            self._flush_due()
        else:
            self._flush = loop.call_at(self._not_before, self._flush_due)

    def _flush_due(self) -> None:
        """The next one waits at least as long as this one takes, so that fan-out gets half of the loop at most."""
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        self._flush = None
        due, self._due = self._due, {}
        for feed in due:
            feed.flush()
        took_s = loop.time() - started_at
        self._not_before = started_at + took_s + max(self._flush_gap_s, took_s)


def _framed(address: Address, bodies: Sequence[bytes]) -> bytes:
    return b"".join([text_frame(address.update_batch(body)) for body in bodies])
