"""Any frames at any time, and any interleaving of commits, tails, replays and closes (docs/sync-protocol.md)."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.sync.framing import Framing
from edge.sync.protocol import Close, Connection, Effect, Ping, Send, Subscribe, Unfollow
from edge.sync.settings import SyncSettings
from edge.sync.subscriptions import StaleTopic
from schemas import names
from tests.live_sockets import EVENTS, ME, SOMEBODY_ELSE, SUMMARIES, MemoryTopic, Peer, connected, hub_of, until

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=5,
)
refs = st.sampled_from([None, "1", "2", "a"])
events = st.sampled_from(
    ["phx_join", "phx_leave", "sync:subscribe", "sync:unsubscribe", "sync:heartbeat", "heartbeat", "nonsense"]
)
topic_lists = st.lists(st.sampled_from([EVENTS, SUMMARIES, names.NOTIFICATIONS, "unknown"]), max_size=3)
payloads = json_values | st.fixed_dictionaries(
    {"topics": topic_lists},
    optional={"resume_after": json_values | st.dictionaries(topic_lists.map(str), st.integers())},
)
frames = st.tuples(refs, st.uuids().map(str), st.sampled_from(["sync:v1", "phoenix", "other"]), events, payloads)
inputs = st.lists(
    st.tuples(st.just("frame"), frames | json_values)
    | st.tuples(st.just("wait"), st.floats(min_value=0, max_value=90))
    | st.tuples(st.just("pong"), st.none())
    | st.tuples(st.just("answer"), st.booleans()),
    max_size=30,
)


class Driver:
    """Performs effects as the session does, and keeps what was said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.outstanding: Subscribe | None = None
        self.followed: set[str] = set()
        self.connection = Connection(
            Framing.V2, (EVENTS, SUMMARIES), self._served, itertools.count(1), SyncSettings(), self.now
        )
        self.said: list[Any] = []
        self.close_code: int | None = None

    def _served(self, topic: str) -> int:
        assert topic in self.followed
        return 7

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            assert self.close_code is None, "S1: nothing after a close"
            match effect:
                case Send(text):
                    self.said.append(json.loads(text))
                case Subscribe():
                    self.outstanding = effect
                case Unfollow(topics):
                    self.followed -= set(topics)
                case Close(code):
                    self.close_code = code
                case Ping():
                    pass

    def step(self, kind: str, value: Any) -> None:
        if kind == "frame" and self.outstanding is None:
            self.perform(self.connection.receive(json.dumps(value), self.now))
        elif kind == "wait":
            self.now += value
            self.perform(self.connection.tick(self.now))
        elif kind == "pong":
            self.connection.pong(self.now)
        elif kind == "answer" and self.outstanding is not None:
            self.answer(stale=value)

    def answer(self, *, stale: bool) -> None:
        assert self.outstanding is not None
        topics = self.outstanding.subscription.topics
        self.outstanding = None
        if stale:
            self.perform(self.connection.stale([StaleTopic(topic, 1, 2) for topic in topics]))
        else:
            self.followed |= set(topics)
            self.perform(self.connection.subscribed(self.now))


@given(inputs)
def test_a_closed_machine_says_nothing(steps: list[tuple[str, Any]]) -> None:
    """Also: nothing a client sends raises, and no close is a 1000."""
    driver = Driver()
    for kind, value in steps:
        driver.step(kind, value)
    assert driver.close_code != 1000


@given(st.lists(st.tuples(frames, st.booleans()), max_size=20))
def test_every_request_has_one_reply_with_its_ref(requests: list[tuple[tuple[Any, ...], bool]]) -> None:
    """Without ticks: a request is dropped because of its join_ref, crashes the channel, or is answered once."""
    driver = Driver()
    for frame, is_stale in requests:
        said = len(driver.said)
        driver.step("frame", frame)
        driver.step("answer", is_stale)
        if driver.close_code is not None:
            assert driver.said[said:][-1][3] == "phx_error"
            return
        answers = [message for message in driver.said[said:] if message[3] == "phx_reply"]
        assert [message[1] for message in answers] == [frame[1]] or driver.said[said:] == []


steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.sampled_from([ME, SOMEBODY_ELSE]), st.integers(1, 4)),
        st.tuples(st.just("hand_out"), st.none(), st.integers(1, 5)),
        st.tuples(st.just("subscribe"), st.integers(0, 3), st.integers(0, 12)),
        st.tuples(st.just("resume"), st.integers(0, 3), st.none()),
        st.tuples(st.just("run"), st.none(), st.integers(1, 6)),
        st.tuples(st.just("pause"), st.integers(0, 3), st.none()),
    ),
    max_size=40,
)


class Story:
    """Four sockets, two owners, one topic; every socket subscribes at most once, from a cursor of its own."""

    def __init__(self, topic: MemoryTopic, peers: list[Peer], batch_rows: int) -> None:
        self.topic = topic
        self.peers = peers
        self.owners = [ME, ME, ME, SOMEBODY_ELSE]
        self.batch_rows = batch_rows
        self.cursors: dict[int, int] = {}
        self.refs: dict[int, str] = {}

    async def step(self, action: str, who: Any, number: Any) -> None:
        actions: dict[str, Callable[[], Awaitable[None] | None]] = {
            "commit": lambda: self.commit(who, number),
            "hand_out": lambda: self.topic.hand_out(number),
            "subscribe": lambda: self.subscribe(who, number),
            "resume": lambda: self.peers[who].outlet.room.set(),
            "pause": lambda: self.peers[who].outlet.room.clear(),
            "run": lambda: turns(number),
        }
        if (waiting := actions[action]()) is not None:
            await waiting

    def commit(self, owner: str, count: int) -> None:
        self.topic.commit(owner, count)

    def subscribe(self, who: int, cursor: int) -> None:
        if who not in self.cursors:
            self.cursors[who] = min(cursor, self.topic.commit(count=0))
            cursors = {EVENTS: self.cursors[who]}
            self.refs[who] = self.peers[who].subscribe(cursors=cursors, replay_batch_size=self.batch_rows)

    async def end(self) -> None:
        """Everything committed is handed out, and everybody who subscribed was answered."""
        for peer in self.peers:
            peer.outlet.room.set()
        self.topic.hand_out()
        for who, ref in self.refs.items():
            await self.peers[who].reply(ref)

    def expected(self, who: int) -> list[int]:
        return self.topic.watermarks(self.owners[who], after=self.cursors[who])


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def told_positions(peer: Peer) -> list[tuple[int, int]]:
    """Each watermark the client was told, with how many updates it had by then."""
    told, had = [], 0
    for *_, payload in peer.messages:
        had += len(payload.get("updates", ()))
        for heads in (payload.get("head_watermarks"), payload.get("response", {}).get("current_watermarks")):
            told += [(head["watermark"], had) for head in heads or ()]
    return told


@pytest.mark.invariant("I8")
@settings(deadline=None)
@given(steps, st.integers(1, 3), st.booleans())
def test_every_row_above_the_cursor_once_and_ascending(
    story_steps: list[tuple[str, Any, Any]], batch_rows: int, joins_flushes: bool
) -> None:
    """S5, S6, S7: whatever sockets, commits and the tail do in which order."""
    asyncio.run(play(story_steps, batch_rows, 0.001 if joins_flushes else 0))


async def play(story_steps: list[tuple[str, Any, Any]], batch_rows: int, flush_gap_s: float) -> None:
    topic, sync_settings = MemoryTopic(), SyncSettings(flush_gap_s=flush_gap_s)
    hub = hub_of(topic, settings=sync_settings)
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(connected(hub, owner)) for owner in (ME, ME, ME, SOMEBODY_ELSE)]
        for peer in peers:
            await peer.join()
        story = Story(topic, peers, batch_rows)
        for step in story_steps:
            await story.step(*step)
        await story.end()
        for who in story.cursors:
            await until(lambda who=who: len(peers[who].watermarks()) >= len(story.expected(who)))  # type: ignore[misc]
            assert peers[who].watermarks() == story.expected(who)
        await turns(3)
        check_told_watermarks(story)


def check_told_watermarks(story: Story) -> None:
    """S7: when a position was told, everything of the owner up to it had been sent before."""
    for who in story.cursors:
        for position, had in told_positions(story.peers[who]):
            assert len([row for row in story.expected(who) if row <= position]) <= had


@settings(deadline=None)
@given(st.lists(st.sampled_from([ME, SOMEBODY_ELSE]), max_size=12), st.integers(0, 12))
def test_told_watermarks_are_served_positions(owners: list[str], handed_out: int) -> None:
    """S7 for heartbeats: with the tail behind, a socket is told what it was served through, and no more."""
    asyncio.run(beat(owners, handed_out))


async def beat(owners: list[str], handed_out: int) -> None:
    topic = MemoryTopic()
    async with connected(hub_of(topic, settings=SyncSettings(flush_gap_s=0))) as peer:
        await peer.join()
        await peer.reply(peer.subscribe())
        for owner in owners:
            topic.commit(owner)
        if handed_out:
            topic.hand_out(handed_out)
        reply = await peer.reply(peer.request("sync:heartbeat"))
        (head,) = reply["response"]["watermarks"]
        assert head["watermark"] == min(handed_out, len(owners))
        assert peer.watermarks() == [row for row in topic.watermarks(ME) if row <= handed_out]
