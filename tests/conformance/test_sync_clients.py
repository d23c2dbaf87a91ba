"""The existing clients, as they behave (sync §18), against the socket."""

from edge.sync.settings import SyncSettings
from tests.live_sockets import EVENTS, ME, SUMMARIES, MemoryTopic, Peer, connected, hub_of, until


def is_for_ts(frame: object) -> bool:
    """§5.1: TS ignores everything else."""
    match frame:
        case [str() | None, str() | None, str(), str(), _]:
            return len(frame) == 5
    return False


class Ios:
    """§18.2: awaits each reply; its cursor is the highest delivered watermark; on stale it starts from 0."""

    def __init__(self) -> None:
        self.cursor = 0
        self.sessions = 0
        self.seen: list[int] = []

    async def connect(self, peer: Peer) -> bool:
        """Whether the session stands; otherwise the socket is abandoned, not closed."""
        self.sessions += 1
        assert (await peer.join())["status"] == "ok"
        reply = await peer.reply(peer.subscribe(cursors={EVENTS: self.cursor}, replay_batch_size=200))
        self.take(peer)
        if reply["status"] == "ok":
            return True
        self.cursor = 0
        return False

    def take(self, peer: Peer) -> None:
        self.seen = [*self.seen, *peer.watermarks()]
        self.cursor = max([self.cursor, *peer.watermarks()])


class Ts:
    """§18.1: pipelines, stores `current_watermarks`, knows no heartbeat, ignores `phx_close` and `phx_error`."""

    def __init__(self) -> None:
        self.cursors: dict[str, int] = {}

    async def connect(self, peer: Peer) -> None:
        peer.request("phx_join")
        reply = await peer.reply(peer.subscribe(SUMMARIES, cursors=dict(self.cursors)))
        if reply["status"] == "ok":
            for head in reply["response"]["current_watermarks"]:
                self.cursors[head["topic"]] = max(self.cursors.get(head["topic"], 0), head["watermark"])
        for stale in reply["response"].get("stale_topics", ()):
            del self.cursors[stale["topic"]]


async def test_ios_resumes_without_holes_or_repeats() -> None:
    topic, phone = MemoryTopic(), Ios()
    hub = hub_of(topic)
    topic.publish(count=250)
    for _ in range(3):
        async with connected(hub) as peer:
            assert await phone.connect(peer)
        topic.publish(count=7)
    assert phone.seen == list(range(1, 265))


async def test_ios_recovers_from_a_stale_cursor_in_one_round() -> None:
    """§20.1: with the reference's reading of 0 it would try for ever."""
    topic, phone = MemoryTopic(), Ios()
    topic.commit(ME, 5, is_old=True)
    topic.commit(ME, 2)
    topic.hand_out()
    phone.cursor = 3
    hub = hub_of(topic)
    async with connected(hub) as abandoned:
        assert not await phone.connect(abandoned)
        async with connected(hub) as peer:
            assert await phone.connect(peer)
    assert (phone.seen, phone.sessions) == ([6, 7], 2)


async def test_ios_with_a_cursor_that_is_a_workers_seq_gets_everything_above_it() -> None:
    """§20.2: such a cursor is far below the head."""
    topic, phone = MemoryTopic(first=1_000_000), Ios()
    topic.publish(count=3)
    phone.cursor = 12
    async with connected(hub_of(topic)) as peer:
        assert await phone.connect(peer)
    assert phone.seen == [1_000_000, 1_000_001, 1_000_002]


async def test_ios_never_gets_a_sync_error_in_an_ordinary_session() -> None:
    topic, phone = MemoryTopic(), Ios()
    async with connected(hub_of(topic)) as peer:
        await phone.connect(peer)
        for _ in range(3):
            topic.publish()
            await peer.reply(peer.request("sync:heartbeat"))
        assert not [frame for frame in peer.messages if frame[3] in ("sync:error", "phx_error", "phx_close")]


async def test_ts_gets_only_frames_it_understands() -> None:
    topic = MemoryTopic(SUMMARIES)
    topic.publish(count=3)
    settings = SyncSettings(heartbeat_interval_s=0.02, heartbeat_timeout_s=0.05)
    async with connected(hub_of(topic), settings=settings) as peer:
        await Ts().connect(peer)
        topic.publish()
        await peer.outlet.ended.wait()
        assert all(map(is_for_ts, peer.messages))


async def test_ts_does_not_stay_deaf_after_the_liveness_timeout() -> None:
    """§20.5, SD-7: its socket is closed at once, and not with 1000."""
    settings = SyncSettings(heartbeat_interval_s=0.02, heartbeat_timeout_s=0.05)
    async with connected(hub_of(), settings=settings) as peer:
        await Ts().connect(peer)
        await peer.outlet.ended.wait()
        assert peer.messages[-1] == [None, None, "sync:v1", "phx_close", {}]
        assert peer.outlet.close_code == 1002
        assert peer.outlet.pings > 0


async def test_ts_resumes_from_the_watermark_of_the_subscribe_reply() -> None:
    """§8.3: the position may lie above its last row; nothing of its own is skipped by that."""
    topic, app = MemoryTopic(SUMMARIES), Ts()
    hub = hub_of(topic)
    topic.publish(count=2)
    topic.publish("user:42", count=5)
    async with connected(hub) as peer:
        await app.connect(peer)
    assert app.cursors == {SUMMARIES: 7}
    topic.publish()
    async with connected(hub) as peer:
        await app.connect(peer)
        assert peer.watermarks(SUMMARIES) == [8]


async def test_ts_clears_exactly_the_stale_cursors() -> None:
    topic, app = MemoryTopic(SUMMARIES), Ts()
    topic.commit(ME, 5, is_old=True)
    topic.hand_out()
    app.cursors = {SUMMARIES: 2}
    hub = hub_of(topic)
    async with connected(hub) as peer:
        await app.connect(peer)
        assert app.cursors == {}
        await app.connect(peer)
    assert app.cursors == {SUMMARIES: 5}


async def test_rust_may_rewind_with_every_session() -> None:
    """§18.3: its cursor is a worker's seq; repeats are tolerated, holes are not."""
    topic = MemoryTopic()
    hub = hub_of(topic)
    topic.publish(count=20)
    for cursor in (12, 5, 0):
        async with connected(hub) as peer:
            await peer.join()
            await peer.reply(peer.subscribe(cursors={EVENTS: cursor}, replay_batch_size=200))
            await peer.reply(peer.request("sync:heartbeat"))
            assert peer.watermarks() == list(range(cursor + 1, 21))


async def test_several_sockets_of_one_user_live_side_by_side() -> None:
    """§20.6: abandoned sockets stay open for a while and disturb nobody."""
    topic = MemoryTopic()
    hub = hub_of(topic)
    async with connected(hub) as one, connected(hub) as other:
        for peer in (one, other):
            await peer.join()
            await peer.reply(peer.subscribe())
        topic.publish()
        await until(lambda: one.watermarks() and other.watermarks())
        assert one.watermarks() == other.watermarks() == [1]
