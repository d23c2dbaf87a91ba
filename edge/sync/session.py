"""One open socket: drives the protocol machine and performs its effects in order."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from edge.sync import metrics
from edge.sync.framing import Framing
from edge.sync.hub import Follower, Hub
from edge.sync.protocol import TIMED_OUT, Close, Connection, Effect, Ping, Send, Subscribe, Unfollow
from edge.sync.replay import replay
from edge.sync.settings import SyncSettings
from edge.sync.subscriptions import StaleTopic, Subscription, allowed_topics
from edge.sync.topics import Start, start
from edge.sync.websocket import Outlet, text_frame

Receive = Callable[[], Awaitable[str | None]]


class Session:
    """A socket of one owner; `run` ends with it."""

    def __init__(
        self,
        outlet: Outlet,
        owner: str,
        scopes: Sequence[str],
        framing: Framing,
        hub: Hub,
        subscription_numbers: Iterator[int],
        settings: SyncSettings,
    ) -> None:
        self.owner = owner
        self.outlet = outlet
        self._hub = hub
        self._settings = settings
        self._followers: dict[str, Follower] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        allowed, now = allowed_topics(scopes), self._loop.time()
        self._connection = Connection(framing, allowed, self._served, subscription_numbers, settings, now)

    async def run(self, receive: Receive) -> None:
        """Take one frame after the other until there are no more; a frame waits while a replay runs (SD-6)."""
        try:
            self._arm()
            while (text := await receive()) is not None:
                await self._perform(self._connection.receive(text, self._loop.time()))
                self._arm()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._unfollow(tuple(self._followers))

    def pong(self) -> None:
        self._connection.pong(self._loop.time())

    def _served(self, topic: str) -> int:
        return self._followers[topic].served

    def _arm(self) -> None:
        """Have one timer, at the machine's deadline."""
        deadline = self._connection.deadline
        if self._timer is not None and self._timer.when() == deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self._connection.closed else self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        for effect in self._connection.tick(self._loop.time()):
            self._perform_now(effect)
        self._arm()

    async def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Subscribe):
                await self._subscribe(effect)
            else:
                self._perform_now(effect)

    def _perform_now(self, effect: Effect) -> None:
        match effect:
            case Send(text):
                self.outlet.write(text_frame(text))
            case Unfollow(topics):
                self._unfollow(topics)
            case Ping():
                metrics.HEARTBEATS.labels("sent").inc()
                self.outlet.ping()
            case Close(code):
                if code == TIMED_OUT:
                    metrics.TIMEOUTS.labels("closed").inc()
                self.outlet.close(code)

    def _unfollow(self, topics: Sequence[str]) -> None:
        for topic in topics:
            follower = self._followers.pop(topic)
            follower.feed.remove(follower)

    async def _subscribe(self, request: Subscribe) -> None:
        """Everything is replayed before the reply (SD-6); from there on without awaiting: reply, go live."""
        subscription, started_at = request.subscription, self._loop.time()
        starts = await self._starts(subscription)
        if stale := [found for found in starts if isinstance(found, StaleTopic)]:
            await self._perform(self._connection.stale(stale))
            return
        positions = [found.after for found in starts if isinstance(found, Start)]
        held = [self._hold(topic, request, after) for topic, after in zip(subscription.topics, positions, strict=True)]
        await self._replay(held, self._batch_rows(subscription))
        for effect in self._connection.subscribed(self._loop.time()):
            self._perform_now(effect)
        for follower in held:
            follower.feed.release(follower)
        metrics.CATCHUP.labels("ok").observe((self._loop.time() - started_at) * 1000)

    async def _starts(self, subscription: Subscription) -> list[Start | StaleTopic]:
        starts = [await self._start(topic, subscription.cursors.get(topic)) for topic in subscription.topics]
        for topic, found in zip(subscription.topics, starts, strict=True):
            if topic in subscription.cursors:
                metrics.RECONNECTS.labels(_status(found)).inc()
        return starts

    async def _start(self, topic: str, cursor: int | None) -> Start | StaleTopic:
        if cursor is None and topic in self._followers:
            return Start(self._served(topic))
        feed = self._hub.feeds[topic]
        floor = await feed.pages.floor(self.owner)
        return await start(feed.source, floor, cursor, zero_is_no_cursor=self._settings.zero_is_no_cursor)

    def _hold(self, topic: str, request: Subscribe, after: int) -> Follower:
        feed = self._hub.feeds[topic]
        follower = self._followers.setdefault(topic, Follower(feed, self.owner, self.outlet))
        follower.hold(request.address, after)
        feed.add(follower)
        return follower

    def _batch_rows(self, subscription: Subscription) -> int:
        wanted = subscription.batch_rows or self._settings.replay_batch_rows
        return min(wanted, self._settings.replay_batch_limit_rows)

    async def _replay(self, followers: Sequence[Follower], batch_rows: int) -> None:
        """Also what came while others replayed and was too much to hold."""
        remaining = followers
        while remaining and not self.outlet.closed:
            for follower in remaining:
                rows = await replay(follower, batch_rows, self._settings)
                metrics.REPLAY_LAG.labels(follower.feed.source.topic, "ok").observe(rows)
            remaining = [follower for follower in followers if follower.behind]


def _status(found: Start | StaleTopic) -> str:
    if isinstance(found, StaleTopic):
        return "stale"
    return "beyond_head" if found.beyond_head else "resumed"
