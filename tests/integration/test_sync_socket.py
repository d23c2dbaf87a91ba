"""The live socket on a real uvicorn and a real database; also the feature test of uvicorn's private surface."""

import asyncio
import itertools
import json
import math
import socket
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.uri import parse_uri

from edge.auth.sync_claims import InvalidToken, SyncClaims
from edge.sync.live import LiveSync, sources
from edge.sync.settings import SyncSettings
from edge.sync.topics import DocumentTopic, LogTopic, Page, TopicSource
from edge.sync.websocket import UVICORN
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail
from producers.eventlog.wakeups import Wakeups
from producers.workers import DECIDER, AppendEvent, CreateWorker
from readmodels import journal
from readmodels.journal import JournalReader, News
from readmodels.journal_tail import JournalTail
from schemas import names
from tests.live_sockets import DEADLINE_S, EVENTS, ME, SOMEBODY_ELSE, SUMMARIES, MemoryTopic, until

PATH = "/sync/socket/websocket"
SCOPES = ",".join(names.SYNC_TOPICS)


def verify(token: str) -> SyncClaims:
    """A token that says what it grants, and may say when it was minted: `<owner>|<scope>,…|<unix seconds>`."""
    owner, separator, granted = token.partition("|")
    if not separator:
        raise InvalidToken("no scopes")
    scopes, _, minted_at = granted.partition("|")
    return SyncClaims(owner, owner, owner or None, tuple(scopes.split(",")), int(minted_at or 0))


@dataclass
class Server:
    address: str
    running: uvicorn.Server
    live: LiveSync
    revoked: dict[str, float] = field(default_factory=dict)

    def url(self, query: str, path: str = PATH) -> str:
        return f"ws://{self.address}{path}?{query}"

    def socket(self, owner: str = ME, minted_at: int = 0, **more: Any) -> connect:
        return connect(self.url(f"token={owner}|{SCOPES}|{minted_at}&vsn=2.0.0"), **more)


@asynccontextmanager
async def served(topics: Collection[TopicSource], settings: SyncSettings | None = None) -> AsyncIterator[Server]:
    revoked: dict[str, float] = {}

    async def those_revoked(_owners: Collection[str]) -> Mapping[str, float]:
        return revoked

    live = LiveSync(topics, verify, those_revoked, settings or SyncSettings())
    config = uvicorn.Config(Starlette(routes=live.routes), log_config=None, lifespan="off", **UVICORN)
    server, listener = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 15)
    host, port = listener.getsockname()
    running = [asyncio.create_task(server.serve(sockets=[listener])), asyncio.create_task(live.run())]
    try:
        await until(lambda: server.started)
        yield Server(f"{host}:{port}", server, live, revoked)
    finally:
        server.should_exit = True
        await asyncio.wait_for(running[0], DEADLINE_S)
        running[1].cancel()
        await asyncio.gather(running[1], return_exceptions=True)
        live.close()
        listener.close()


def topics_with(*special: MemoryTopic) -> list[TopicSource]:
    known = {topic: MemoryTopic(topic) for topic in names.SYNC_TOPICS} | {topic.topic: topic for topic in special}
    return list(known.values())


class Client:
    """A socket as a script: sends requests, collects what comes."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self._refs = itertools.count(1)

    async def request(self, event: str, payload: Any = None) -> str:
        ref = str(next(self._refs))
        frame = [None if event == "phx_join" else "1", ref, "sync:v1", event, payload or {}]
        await self.websocket.send(json.dumps(frame))
        return ref

    async def next(self) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            return json.loads(await self.websocket.recv())

    async def through_reply(self, ref: str) -> list[Any]:
        """Everything up to and including the reply to `ref`."""
        frames = [await self.next()]
        while frames[-1][1] != ref:
            frames.append(await self.next())
        return frames

    async def subscribe(self, *topics: str, cursors: dict[str, int] | None = None, **more: Any) -> list[Any]:
        await self.through_reply(await self.request("phx_join"))
        wanted = {"topics": topics or [EVENTS], "resume_after": cursors or {}, **more}
        return await self.through_reply(await self.request("sync:subscribe", wanted))

    async def updates(self, count: int) -> list[Any]:
        found: list[Any] = []
        while len(found) < count:
            frame = await self.next()
            found += frame[4]["updates"] if frame[3] == "sync:update_batch" else []
        return found

    async def close_code(self) -> int | None:
        """How the server ended the socket; reads what comes before."""
        async with asyncio.timeout(DEADLINE_S):
            with suppress(ConnectionClosedError):
                async for _ in self.websocket:
                    pass
        return self.websocket.close_code


def updates_of(frames: list[Any]) -> list[Any]:
    return [update for frame in frames if frame[3] == "sync:update_batch" for update in frame[4]["updates"]]


# §4.3 handshake


GOOD = f"token={ME}|{SCOPES}"


@pytest.mark.parametrize("path", ["/sync/socket/websocket", "/socket/websocket"])
async def test_both_addresses_are_served(path: str) -> None:
    async with served(topics_with()) as server, connect(server.url(f"{GOOD}&vsn=2.0.0", path)) as websocket:
        frames = await Client(websocket).subscribe()
        assert frames[-1][4]["status"] == "ok"


@pytest.mark.parametrize(
    "query",
    ["", "vsn=2.0.0", "token=forged&vsn=2.0.0", f"{GOOD}&{GOOD}&vsn=2.0.0", f"{GOOD}&vsn=3.0.0", f"{GOOD}&vsn="],
)
async def test_refusals_are_403_without_a_body(query: str) -> None:
    async with served(topics_with()) as server:
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.url(query))
        assert (refused.value.response.status_code, refused.value.response.body) == (403, b"")
        answer = await plain(server, "GET", query)
        assert (answer.status_code, answer.content) == (403, b"")


async def plain(server: Server, method: str, query: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.request(method, f"http://{server.address}{PATH}?{query}")


async def test_a_get_without_an_upgrade_is_a_400_with_a_short_text() -> None:
    async with served(topics_with()) as server:
        answer = await plain(server, "GET", f"{GOOD}&vsn=2.0.0")
        assert (answer.status_code, bool(answer.text)) == (400, True)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
async def test_other_methods_are_a_400_without_a_body(method: str) -> None:
    async with served(topics_with()) as server:
        answer = await plain(server, method, f"{GOOD}&vsn=2.0.0")
        assert (answer.status_code, answer.content) == (400, b"")


@pytest.mark.parametrize("origin", [None, "https://api.example.test", "https://API.example.test:443"])
async def test_allowed_origins(origin: Any) -> None:
    settings = SyncSettings(public_host="api.example.test")
    async with served(topics_with(), settings) as server, server.socket(origin=origin) as websocket:
        assert (await Client(websocket).subscribe())[-1][4]["status"] == "ok"


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "https://api.example.test.evil.test", "https://["])
async def test_other_origins_are_refused(origin: Any) -> None:
    async with served(topics_with(), SyncSettings(public_host="api.example.test")) as server:
        with pytest.raises(InvalidStatus) as refused:
            await server.socket(origin=origin)
        assert refused.value.response.status_code == 403


async def test_a_token_that_names_nobody_we_know_sees_nothing() -> None:
    topic = MemoryTopic()
    topic.publish()
    async with served(topics_with(topic)) as server, server.socket("") as websocket:
        assert updates_of(await Client(websocket).subscribe()) == []


async def test_compression_is_not_negotiated() -> None:
    async with served(topics_with()) as server, server.socket(compression="deflate") as websocket:
        assert websocket.protocol.extensions == []


# frames


async def test_frames_are_answered_in_order() -> None:
    topic = MemoryTopic()
    topic.publish(count=1000)
    async with served(topics_with(topic)) as server, server.socket() as websocket:
        client = Client(websocket)
        await client.request("phx_join")
        wanted = {"topics": [EVENTS], "replay_batch_size": 10}
        refs = [
            await client.request("sync:subscribe", wanted),
            *[await client.request("sync:heartbeat") for _ in "abc"],
        ]
        frames = await client.through_reply(refs[-1])
        assert [frame[1] for frame in frames if frame[3] == "phx_reply"] == ["1", *refs]
        assert [update["watermark"] for update in updates_of(frames)] == list(range(1, 1001))
        assert all(frame[3] != "sync:update_batch" for frame in frames[-6:])


@pytest.mark.parametrize(("frame", "code"), [("junk", 1011), (b"[]", 1011), ("x" * 70_000, 1009)])
async def test_junk_closes_the_socket(frame: str | bytes, code: int) -> None:
    async with served(topics_with()) as server, server.socket() as websocket:
        await websocket.send(frame)
        assert await Client(websocket).close_code() == code


@pytest.mark.parametrize("rows", [1, 1000])
async def test_prepared_frames_arrive(rows: int) -> None:
    topic = MemoryTopic()
    async with served(topics_with(topic)) as server, server.socket() as websocket:
        client = Client(websocket)
        await client.subscribe()
        topic.publish(count=rows)
        assert [update["watermark"] for update in await client.updates(rows)] == list(range(1, rows + 1))


class BrokenTopic(MemoryTopic):
    """The database is gone."""

    async def read(self, owner: str, after: int, limit: int) -> Page:
        raise OSError("gone")


async def test_a_failure_ends_one_socket_with_1011() -> None:
    topic = MemoryTopic()
    async with served(topics_with(topic, BrokenTopic(SUMMARIES))) as server, AsyncExitStack() as stack:
        healthy = Client(await stack.enter_async_context(server.socket()))
        failing = Client(await stack.enter_async_context(server.socket()))
        await healthy.subscribe()
        await failing.request("phx_join")
        await failing.request("sync:subscribe", {"topics": [SUMMARIES]})
        assert await failing.close_code() == 1011
        topic.publish()
        assert len(await healthy.updates(1)) == 1


# §10 and SD-7, SD-12: closes


async def test_a_pong_keeps_a_silent_client() -> None:
    settings = SyncSettings(heartbeat_interval_s=0.05, heartbeat_timeout_s=0.12)
    async with served(topics_with(), settings) as server, server.socket(ping_interval=None) as websocket:
        client = Client(websocket)
        await client.subscribe()
        beats = [await client.next() for _ in range(8)]
        assert {frame[3] for frame in beats} == {"sync:heartbeat"}


async def test_a_client_that_answers_no_ping_is_told_phx_close_and_closed_with_1002() -> None:
    settings = SyncSettings(heartbeat_interval_s=0.05, heartbeat_timeout_s=0.12)
    async with served(topics_with(), settings) as server:
        frames = await asyncio.to_thread(mute_session, server)
        assert json.loads(frames[-2].data)[3] == "phx_close"
        assert frames[-1].data[:2] == (1002).to_bytes(2, "big")


def mute_session(server: Server) -> list[Any]:
    """Join, then say nothing: no pong either."""
    protocol = ClientProtocol(parse_uri(server.url(f"{GOOD}&vsn=2.0.0")))
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as connection:
        protocol.send_request(protocol.connect())
        connection.sendall(b"".join(protocol.data_to_send()))
        events: list[Any] = []
        while not events:
            protocol.receive_data(connection.recv(1 << 16))
            events = protocol.events_received()
        protocol.send_text(b'[null,"1","sync:v1","phx_join",{}]')
        connection.sendall(b"".join(protocol.data_to_send()))
        frames: list[Any] = []
        while received := connection.recv(1 << 16):
            protocol.receive_data(received)
            frames += protocol.events_received()
        return frames


async def test_an_idle_socket_without_a_channel_is_closed_with_1002() -> None:
    async with served(topics_with(), SyncSettings(idle_timeout_s=0.05)) as server, server.socket() as websocket:
        assert await Client(websocket).close_code() == 1002


async def test_a_draining_server_closes_with_1012() -> None:
    async with served(topics_with()) as server, server.socket() as websocket:
        client = Client(websocket)
        await client.subscribe()
        server.running.should_exit = True
        assert await client.close_code() == 1012


async def test_sockets_of_a_revoked_principal_are_closed_with_1008() -> None:
    topic, settings = MemoryTopic(), SyncSettings(recheck_interval_s=0.02)
    async with served(topics_with(topic), settings) as server, AsyncExitStack() as stack:
        mine = Client(await stack.enter_async_context(server.socket(ME)))
        other = Client(await stack.enter_async_context(server.socket(SOMEBODY_ELSE)))
        await other.subscribe()
        server.revoked[ME] = math.inf
        assert await mine.close_code() == 1008
        topic.publish(SOMEBODY_ELSE)
        assert len(await other.updates(1)) == 1


async def test_sockets_of_tokens_from_before_a_sign_out_everywhere_are_closed_with_1008() -> None:
    topic, settings = MemoryTopic(), SyncSettings(recheck_interval_s=0.02)
    async with served(topics_with(topic), settings) as server, AsyncExitStack() as stack:
        before = Client(await stack.enter_async_context(server.socket(ME, minted_at=999)))
        after = Client(await stack.enter_async_context(server.socket(ME, minted_at=1000)))
        await after.subscribe()
        server.revoked[ME] = 1000
        assert await before.close_code() == 1008
        topic.publish(ME)
        assert len(await after.updates(1)) == 1


async def test_a_slow_consumer_is_closed_with_1013_and_others_are_served() -> None:
    topic, settings = MemoryTopic(), SyncSettings(buffer_bytes=1 << 16, flush_gap_s=0)
    async with served(topics_with(topic), settings) as server, AsyncExitStack() as stack:
        slow = await stack.enter_async_context(server.socket(max_queue=1))
        quick = Client(await stack.enter_async_context(server.socket()))
        await Client(slow).subscribe()
        await quick.subscribe()
        sent = 0
        while len(server.live._sessions) == 2:
            topic.publish(count=1000)
            sent += 1000
            assert [update["watermark"] for update in await quick.updates(1000)][-1] == sent
        assert await Client(slow).close_code() == 1013


async def test_a_replay_does_not_wait_for_ever_for_a_slow_consumer() -> None:
    topic, settings = MemoryTopic(), SyncSettings(drain_timeout_s=0.05)
    topic.publish(count=30_000)
    async with served(topics_with(topic), settings) as server, server.socket(max_queue=1) as websocket:
        client = Client(websocket)
        await client.request("phx_join")
        await client.request("sync:subscribe", {"topics": [EVENTS], "replay_batch_size": 1000})
        await until(lambda: server.live._sessions)
        await until(lambda: not server.live._sessions)
        assert await client.close_code() == 1013


# a real database


@dataclass
class Database:
    """Log and journal with running tails."""

    pool: "asyncpg.Pool[Any]"
    log: EventLog
    log_reader: LogReader
    log_tail: LogTail
    journal_reader: JournalReader
    journal_tail: JournalTail
    workers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def topics(self, now: datetime | None = None) -> list[TopicSource]:
        parts = (self.log_reader, self.log_tail, self.journal_reader, self.journal_tail)
        return sources(*parts, SyncSettings(), {}, lambda: now or datetime.now(UTC))

    async def worker(self, owner: str) -> str:
        """A new worker's stream, with its first event."""
        name = f"w:{owner}:{next(self.workers)}"
        stream = names.worker_stream(owner, name)
        await self.log.execute(DECIDER, stream, owner, [Item(CreateWorker(worker_id=name))])
        return stream

    async def append(self, owner: str, stream: str, count: int = 1) -> list[int]:
        items = [Item(AppendEvent("worker.event", {"n": n})) for n in range(count)]
        outcomes = await self.log.execute(DECIDER, stream, owner, items)
        return [event.position for outcome in outcomes for event in outcome.events]

    async def summarise(self, owner: str, version: int, topic: str = SUMMARIES) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await journal.append(connection, topic, [News(owner, "doc", version, 1, f'{{"v":{version}}}')])


@pytest.fixture
async def db(pool: "asyncpg.Pool[Any]") -> AsyncIterator[Database]:
    wakeups, log_reader, journal_reader = Wakeups(pool), LogReader(pool), JournalReader(pool)
    documents = [topic for topic in names.SYNC_TOPICS if topic != EVENTS]
    heads = {topic: await journal_reader.head(topic) for topic in documents}
    log_tail = LogTail(log_reader, wakeups.event(names.NOTIFY_LOG), start=(await log_reader.head()).position)
    journal_tail = JournalTail(journal_reader, wakeups.event(names.NOTIFY_JOURNAL), heads)
    running = [asyncio.create_task(part.run()) for part in (wakeups, log_tail, journal_tail)]
    log = EventLog(pool)
    yield Database(pool, log, log_reader, log_tail, journal_reader, journal_tail)
    await log.close()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
def owner() -> Iterator[str]:
    """Nobody else's in this module's database."""
    return (f"user:{number}" for number in itertools.count(next(_OWNERS)))


_OWNERS = itertools.count(1000, 100)


async def test_worker_events_are_replayed_and_followed(db: Database, owner: Iterator[str]) -> None:
    mine, other = next(owner), next(owner)
    stream, foreign = await db.worker(mine), await db.worker(other)
    before = await db.append(mine, stream, 3)
    await db.append(other, foreign, 2)
    async with served(db.topics()) as server, server.socket(mine) as websocket:
        client = Client(websocket)
        frames = await client.subscribe(replay_batch_size=2)
        replayed = updates_of(frames)
        assert [update["doc_version"] for update in replayed] == [1, 2, 3, 4]
        assert [update["watermark"] for update in replayed][1:] == before
        (head,) = frames[-1][4]["response"]["current_watermarks"]
        assert head["watermark"] == (await db.log_reader.head()).position > before[-1]
        await db.append(other, foreign, 2)
        after = await db.append(mine, stream, 2)
        live = await client.updates(2)
        assert [update["watermark"] for update in live] == after
        assert live[0]["payload"]["workerId"] == names.worker_id_of(stream)
        assert live[0]["payload"]["payload"] == {"n": 0}


@pytest.mark.parametrize("topic", [SUMMARIES, names.RUN_SUMMARIES, names.NOTIFICATIONS])
async def test_documents_are_replayed_and_followed(db: Database, owner: Iterator[str], topic: str) -> None:
    """runtime §10.4, sync §6."""
    mine, other = next(owner), next(owner)
    await db.summarise(mine, 1, topic)
    await db.summarise(other, 1, topic)
    async with served(db.topics()) as server, server.socket(mine) as websocket:
        client = Client(websocket)
        frames = await client.subscribe(topic)
        assert [update["payload"] for update in updates_of(frames)] == [{"v": 1}]
        await db.summarise(other, 2, topic)
        await db.summarise(mine, 2, topic)
        assert [update["payload"] for update in await client.updates(1)] == [{"v": 2}]


async def test_a_cursor_of_another_log_starts_over(db: Database, owner: Iterator[str]) -> None:
    mine = next(owner)
    await db.worker(mine)
    async with served(db.topics()) as server, server.socket(mine) as websocket:
        frames = await Client(websocket).subscribe(EVENTS, SUMMARIES, cursors={EVENTS: 10**12, SUMMARIES: 10**12})
        assert [update["doc_version"] for update in updates_of(frames)] == [1]


async def test_a_cursor_beyond_the_horizon_is_stale(db: Database, owner: Iterator[str]) -> None:
    mine = next(owner)
    stream = await db.worker(mine)
    position = (await db.append(mine, stream))[-1]
    tomorrow = datetime.now(UTC) + timedelta(days=2)
    async with served(db.topics(tomorrow)) as server, server.socket(mine) as websocket:
        frames = await Client(websocket).subscribe(cursors={EVENTS: position - 1})
        stale = {"topic": EVENTS, "resume_after": position - 1, "retention_floor": position}
        assert frames[-1][4]["response"]["stale_topics"] == [stale]
        assert frames[-2][3] == "sync:error"


@pytest.mark.invariant("I8")
async def test_many_sockets_while_rows_are_committed(db: Database, owner: Iterator[str]) -> None:
    """S5 on real parts: sockets come while two owners write; each has every row of its own once, ascending."""
    owners = [next(owner), next(owner)]
    streams = {one: await db.worker(one) for one in owners}
    async with served(db.topics()) as server:
        writers = [asyncio.create_task(write(db, one, streams[one])) for one in owners]
        readers = [asyncio.create_task(read_all(server, one, delay)) for one in owners for delay in range(10)]
        await asyncio.gather(*writers)
        for seqs in await asyncio.gather(*readers):
            assert seqs == list(range(1, 202))


async def write(db: Database, owner: str, stream: str) -> None:
    for _ in range(50):
        await db.append(owner, stream, 4)


async def read_all(server: Server, owner: str, delay: int) -> list[int]:
    for _ in range(delay * 20):
        await asyncio.sleep(0)
    async with server.socket(owner) as websocket:
        client = Client(websocket)
        seqs = [update["doc_version"] for update in updates_of(await client.subscribe(replay_batch_size=7))]
        while len(seqs) < 201:
            seqs += [update["doc_version"] for update in await client.updates(1)]
        return seqs


# one contract for every source


@pytest.fixture(params=["log", "documents"])
def real_topic(request: pytest.FixtureRequest, db: Database) -> LogTopic | DocumentTopic:
    wanted = EVENTS if request.param == "log" else SUMMARIES
    return next(topic for topic in db.topics() if topic.topic == wanted)  # type: ignore[return-value]


async def add(db: Database, topic: TopicSource, owner: str, count: int) -> None:
    if topic.topic == SUMMARIES:
        for version in range(count):
            await db.summarise(owner, version + 1)
    else:
        stream = await db.worker(owner)
        if count > 1:
            await db.append(owner, stream, count - 1)


@pytest.mark.invariant("I8")
async def test_pages_of_one_owner(db: Database, real_topic: TopicSource, owner: Iterator[str]) -> None:
    mine, other = next(owner), next(owner)
    start = await real_topic.head()
    await add(db, real_topic, mine, 3)
    await add(db, real_topic, other, 2)
    full = await real_topic.read(mine, start, 3)
    assert [update.watermark for update in full.updates] == [start + 1, start + 2, start + 3]
    assert full.through == start + 3
    rest = await real_topic.read(mine, start + 1, 3)
    assert [update.watermark for update in rest.updates] == [start + 2, start + 3]
    assert rest.through == await real_topic.head() == start + 5


async def test_what_is_handed_out(db: Database, real_topic: TopicSource, owner: Iterator[str]) -> None:
    mine, other = next(owner), next(owner)
    start, handed = await real_topic.head(), []

    def receive(rows: list[tuple[str, Any]], through: int) -> None:
        handed.extend([(one, update.watermark) for one, update in rows])
        assert through == real_topic.position

    stop = real_topic.follow(lambda one: one == mine, receive)
    await add(db, real_topic, other, 2)
    await add(db, real_topic, mine, 2)
    await until(lambda: len(handed) == 2)
    assert handed == [(mine, start + 3), (mine, start + 4)]
    stop()
    await add(db, real_topic, mine, 1)
    await until(lambda: real_topic.position == start + 5)
    assert len(handed) == 2


async def test_nobodys_floor_is_0(real_topic: TopicSource, owner: Iterator[str]) -> None:
    assert await real_topic.floor(next(owner)) == 0
