"""Whole sessions over the sync contract: §8–9, §11, §23 with §24 where it differs."""

import asyncio
import itertools

import pytest

from edge.sync.framing import Framing
from edge.sync.hub import HELD_ROWS
from edge.sync.settings import SyncSettings
from schemas import names
from tests.live_sockets import EVENTS, ME, SOMEBODY_ELSE, SUMMARIES, MemoryTopic, Peer, connected, hub_of, until


def at(watermark: int, topic: str = EVENTS) -> list[dict[str, object]]:
    return [{"topic": topic, "watermark": watermark}]


def shape(peer: Peer) -> list[tuple[object, ...]]:
    """Batches as their watermarks and flag, other frames as their event."""
    return [
        ([update["watermark"] for update in frame[4]["updates"]], frame[4]["replay_complete"])
        if frame[3] == "sync:update_batch"
        else (frame[3],)
        for frame in peer.messages
    ]


async def test_the_worked_session() -> None:
    """§23, frame by frame; the head of the first batch is what was served (SD-4)."""
    topic = MemoryTopic()
    topic.commit(count=43)
    topic.hand_out()
    settings = SyncSettings(heartbeat_interval_s=0.05)
    async with connected(hub_of(topic), scopes=(EVENTS,), settings=settings, numbers=itertools.count(9)) as peer:
        peer.send(None, "1", "sync:v1", "phx_join", {})
        wanted = {"topics": [EVENTS], "resume_after": {EVENTS: 40}, "replay_batch_size": 2}
        peer.send("1", "2", "sync:v1", "sync:subscribe", wanted)
        await peer.reply("2")
        topic.publish()
        frames = list(peer.messages)
        beat = ["1", None, "sync:v1", "sync:heartbeat", {"watermarks": at(44)}]
        await until(lambda: peer.messages[len(frames) :])
        pushed_by_timer = peer.messages[len(frames)]
        peer.send("1", "3", "sync:v1", "sync:heartbeat", {})
        await peer.reply("3")

        join, first, second, reply, live = frames
        allowed = {"subscription_id": "sub_9", "allowed_topics": [EVENTS], "current_watermarks": []}
        assert join == [None, "1", "sync:v1", "phx_reply", {"status": "ok", "response": allowed}]
        assert first[:4] == second[:4] == live[:4] == ["1", None, "sync:v1", "sync:update_batch"]
        assert shape(peer)[1:3] == [([41, 42], False), ([43], True)]
        assert [frame[4]["head_watermarks"] for frame in (first, second, live)] == [at(42), at(43), at(44)]
        subscribed = {"subscription_id": "sub_9", "topics": [EVENTS], "current_watermarks": at(43)}
        assert reply == ["1", "2", "sync:v1", "phx_reply", {"status": "ok", "response": subscribed}]
        assert shape(peer)[4] == ([44], True)
        assert pushed_by_timer == beat
        answer = {"subscription_id": "sub_9", "watermarks": at(44)}
        assert peer.messages[-2:] == [beat, ["1", "3", "sync:v1", "phx_reply", {"status": "ok", "response": answer}]]


async def test_subscribe_pipelined_behind_join() -> None:
    topic = MemoryTopic()
    topic.publish(count=3)
    async with connected(hub_of(topic)) as peer:
        peer.request("phx_join")
        await peer.reply(peer.subscribe())
        assert shape(peer) == [("phx_reply",), ([1, 2, 3], True), ("phx_reply",)]


async def test_a_frame_waits_for_the_replay_before_it() -> None:
    topic = MemoryTopic()
    topic.publish(count=500)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        peer.outlet.room.clear()
        subscribe = peer.subscribe(replay_batch_size=100)
        heartbeat = peer.request("sync:heartbeat")
        await until(peer.batches)
        peer.outlet.room.set()
        await peer.reply(heartbeat)
        replies = [frame[1] for frame in peer.messages if frame[3] == "phx_reply"]
        assert replies[-2:] == [subscribe, heartbeat]
        assert [shown[0] for shown in shape(peer)[-2:]] == ["sync:heartbeat", "phx_reply"]


@pytest.mark.parametrize(
    ("rows", "size", "batches"),
    [(4, 2, [2, 2]), (5, 2, [2, 2, 1]), (200, None, [200]), (401, None, [200, 200, 1]), (400, 150, [150, 150, 100])],
)
async def test_only_the_last_batch_of_a_replay_is_complete(rows: int, size: int | None, batches: list[int]) -> None:
    topic = MemoryTopic()
    topic.publish(count=rows)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        await peer.reply(peer.subscribe(replay_batch_size=size))
        assert [len(batch["updates"]) for batch in peer.batches()] == batches
        assert [batch["replay_complete"] for batch in peer.batches()] == [False] * (len(batches) - 1) + [True]
        assert peer.watermarks() == list(range(1, rows + 1))


async def test_a_requested_batch_is_capped_at_1000_rows() -> None:
    topic = MemoryTopic()
    topic.publish(count=1500)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        await peer.reply(peer.subscribe(replay_batch_size=10_000))
        assert [len(batch["updates"]) for batch in peer.batches()] == [1000, 500]


async def test_nothing_to_replay_sends_no_batch() -> None:
    topic = MemoryTopic()
    topic.publish(count=3)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        reply = await peer.reply(peer.subscribe(cursors={EVENTS: 3}))
        assert reply["response"]["current_watermarks"] == at(3)
        assert peer.batches() == []


async def test_known_topics_without_rows_are_silent() -> None:
    async with connected(hub_of()) as peer:
        await peer.join()
        silent = (names.RUN_SUMMARIES, names.NOTIFICATIONS)
        reply = await peer.reply(peer.subscribe(*silent))
        assert reply["response"]["current_watermarks"] == [*at(0, silent[0]), *at(0, silent[1])]
        assert peer.batches() == []


async def test_topics_are_replayed_in_request_order_and_never_mixed() -> None:
    events, summaries = MemoryTopic(EVENTS), MemoryTopic(SUMMARIES)
    events.publish(count=3)
    summaries.publish(count=2)
    async with connected(hub_of(events, summaries)) as peer:
        await peer.join()
        reply = await peer.reply(peer.subscribe(SUMMARIES, EVENTS))
        topics = [{update["topic"] for update in batch["updates"]} for batch in peer.batches()]
        assert topics == [{SUMMARIES}, {EVENTS}]
        assert reply["response"]["current_watermarks"] == [*at(2, SUMMARIES), *at(3)]


@pytest.mark.invariant("I8")
async def test_rows_that_come_while_replaying_are_sent_after_the_reply() -> None:
    topic = MemoryTopic()
    topic.publish(count=3)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        peer.outlet.room.clear()
        ref = peer.subscribe(replay_batch_size=1)
        await until(peer.batches)
        topic.publish(count=2)
        peer.outlet.room.set()
        await peer.reply(ref)
        await until(lambda: len(peer.watermarks()) == 5)
        assert shape(peer)[1:] == [([1], False), ([2], False), ([3], True), ("phx_reply",), ([4, 5], True)]


@pytest.mark.invariant("I8")
async def test_rows_that_the_tail_hands_out_while_they_are_replayed_are_sent_once() -> None:
    topic = MemoryTopic()
    topic.commit(count=3)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        peer.outlet.room.clear()
        ref = peer.subscribe(replay_batch_size=1)
        await until(peer.batches)
        topic.hand_out()
        peer.outlet.room.set()
        await peer.reply(ref)
        topic.publish()
        await until(lambda: 4 in peer.watermarks())
        assert peer.watermarks() == [1, 2, 3, 4]


async def test_a_heartbeat_tells_nothing_that_waits_for_the_next_flush() -> None:
    topic = MemoryTopic()
    async with connected(hub_of(topic, settings=SyncSettings(flush_gap_s=60))) as peer:
        await peer.join()
        await peer.reply(peer.subscribe())
        topic.publish()
        topic.publish()
        reply = await peer.reply(peer.request("sync:heartbeat"))
        assert peer.watermarks() == [1]
        assert reply["response"]["watermarks"] == at(1)


@pytest.mark.invariant("I8")
async def test_more_than_can_be_held_is_replayed() -> None:
    topic = MemoryTopic()
    topic.publish(count=3)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        peer.outlet.room.clear()
        ref = peer.subscribe(replay_batch_size=1)
        await until(peer.batches)
        topic.commit(count=HELD_ROWS + 1)
        topic.hand_out(HELD_ROWS + 1)
        peer.outlet.room.set()
        await peer.reply(ref)
        assert peer.watermarks() == list(range(1, HELD_ROWS + 5))
        assert shape(peer)[-2:] == [([HELD_ROWS + 4], True), ("phx_reply",)]


async def test_subscribing_again_with_a_cursor_rewinds() -> None:
    topic = MemoryTopic()
    topic.publish(count=3)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        await peer.reply(peer.subscribe())
        await peer.reply(peer.subscribe(cursors={EVENTS: 1}))
        assert peer.watermarks() == [1, 2, 3, 2, 3]


async def test_subscribing_again_without_a_cursor_continues() -> None:
    topic = MemoryTopic()
    topic.publish(count=3)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        await peer.reply(peer.subscribe())
        await peer.reply(peer.subscribe())
        topic.publish()
        await until(lambda: 4 in peer.watermarks())
        assert peer.watermarks() == [1, 2, 3, 4]


async def test_an_unsubscribed_topic_is_silent_and_its_position_forgotten() -> None:
    topic = MemoryTopic()
    topic.publish(count=2)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        await peer.reply(peer.subscribe())
        await peer.reply(peer.request("sync:unsubscribe", {"topics": [EVENTS]}))
        topic.publish()
        await peer.reply(peer.subscribe())
        assert peer.watermarks() == [1, 2, 1, 2, 3]


async def test_a_second_join_forgets_the_subscriptions() -> None:
    topic = MemoryTopic()
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        await peer.reply(peer.subscribe())
        await peer.join()
        topic.publish()
        await peer.reply(peer.request("sync:heartbeat"))
        assert peer.batches() == []


async def test_a_burst_becomes_one_batch() -> None:
    topic = MemoryTopic()
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        await peer.reply(peer.subscribe())
        for _ in range(5):
            topic.publish()
        await until(lambda: len(peer.watermarks()) == 5)
        assert peer.watermarks() == [1, 2, 3, 4, 5]
        assert len(peer.batches()) <= 2


async def test_a_quiet_sockets_watermark_follows_the_tail() -> None:
    topic = MemoryTopic()
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        await peer.reply(peer.subscribe())
        topic.publish(SOMEBODY_ELSE, count=7)
        reply = await peer.reply(peer.request("sync:heartbeat"))
        assert reply["response"]["watermarks"] == at(7)
        assert peer.batches() == []


async def test_sockets_with_different_refs_and_framings_get_the_same_rows() -> None:
    topic = MemoryTopic()
    hub = hub_of(topic)
    async with connected(hub) as one, connected(hub) as other, connected(hub, framing=Framing.V1) as old:
        await one.join()
        await other.reply(other.request("sync:heartbeat"))
        await other.join()
        await one.reply(one.subscribe())
        await other.reply(other.subscribe())
        old.send_value({"topic": "sync:v1", "event": "phx_join", "payload": {}, "ref": "1"})
        wanted = {"topics": [EVENTS]}
        old.send_value({"topic": "sync:v1", "event": "sync:subscribe", "payload": wanted, "ref": "2"})
        await until(lambda: len(old.messages) == 2)
        topic.publish()
        assert one.messages[-1][:4] == ["1", None, "sync:v1", "sync:update_batch"]
        assert other.messages[-1][:4] == ["2", None, "sync:v1", "sync:update_batch"]
        assert one.messages[-1][4] == other.messages[-1][4] == old.messages[-1]["payload"]
        assert old.messages[-1]["ref"] is None


@pytest.mark.invariant("I8")
async def test_no_row_of_another_owner() -> None:
    topic = MemoryTopic()
    topic.commit(ME)
    topic.commit(SOMEBODY_ELSE)
    topic.commit(ME)
    topic.hand_out()
    hub = hub_of(topic)
    async with connected(hub, ME) as mine, connected(hub, SOMEBODY_ELSE) as other:
        for peer in (mine, other):
            await peer.join()
            await peer.reply(peer.subscribe())
        topic.publish(SOMEBODY_ELSE)
        topic.publish(ME)
        await until(lambda: 5 in mine.watermarks() and 4 in other.watermarks())
        assert mine.watermarks() == [1, 3, 5]
        assert other.watermarks() == [2, 4]


async def test_after_a_close_nothing_is_read_on() -> None:
    topic = MemoryTopic()
    topic.publish(count=1000)
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        peer.outlet.room.clear()
        peer.subscribe(replay_batch_size=1)
        await until(peer.batches)
        reads = topic.reads
        peer.outlet.close(1013)
        peer.outlet.room.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert topic.reads == reads
