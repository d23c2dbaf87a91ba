"""The client against an edge in memory: sign-in, commands, and streams that survive the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from oa_client import Client, NewEvent, WorkerEvent
from oa_client.errors import Conflict, InvalidInput, NotFound, Unauthorized, Unreachable
from oa_client.workers import Worker, preferred

from tests.fake_edge import CODE, TOKEN, FakeEdge, serving
from tests.services import free_port

WORKER = "desktopw:shared"


@asynccontextmanager
async def signed_in(edge: FakeEdge) -> AsyncIterator[Client]:
    async with serving(edge, free_port()) as url, Client(url, TOKEN) as client:
        await client.create_worker(WORKER, adapter="desktop_bridge", metadata={"source": "test"})
        yield client


async def take(client: Client, count: int, cursor: int | None = None, tail_ms: int = 30_000) -> list[WorkerEvent]:
    taken: list[WorkerEvent] = []
    async with aclosing(client.stream(WORKER, cursor, tail_ms=tail_ms)) as events:
        async for event in events:
            taken.append(event)
            if len(taken) == count:
                break
    return taken


async def test_the_code_from_the_mail_gives_a_client_that_is_signed_in() -> None:
    async with serving(FakeEdge(), free_port()) as url, Client(url) as client:
        await client.request_code("ada@lane.test")
        assert (await client.verify(CODE)).token == TOKEN
        assert await client.list_workers() == []


async def test_a_wrong_code_is_refused_with_the_servers_words() -> None:
    async with serving(FakeEdge(), free_port()) as url, Client(url) as client:
        await client.request_code("ada@lane.test")
        with pytest.raises(InvalidInput, match="Wrong code"):
            await client.verify("000000")


async def test_a_client_without_a_token_is_not_served() -> None:
    async with serving(FakeEdge(), free_port()) as url, Client(url) as client:
        with pytest.raises(Unauthorized):
            await client.list_workers()


async def test_nobody_listening_is_unreachable() -> None:
    async with Client(f"http://127.0.0.1:{free_port()}", TOKEN) as client:
        with pytest.raises(Unreachable):
            await client.list_workers()


async def test_a_worker_is_created_listed_shown_and_stopped() -> None:
    async with signed_in(FakeEdge()) as client:
        [listed] = await client.list_workers()
        assert listed == await client.worker(WORKER)
        assert (listed.worker_id, listed.status, listed.latest_seq) == (WORKER, "running", 1)
        assert (await client.create_worker(WORKER, adapter="desktop_bridge")).idempotent_replay
        assert not (await client.stop_worker(WORKER, "enough")).idempotent_replay
        assert (await client.stop_worker(WORKER, "enough")).idempotent_replay
        with pytest.raises(Conflict):
            await client.post_event(WORKER, "worker.event", {})


async def test_an_unknown_worker_is_not_found() -> None:
    async with signed_in(FakeEdge()) as client:
        with pytest.raises(NotFound):
            await client.worker("desktopw:other")


async def test_a_batch_posted_again_is_recorded_once() -> None:
    edge = FakeEdge()
    async with signed_in(edge) as client:
        batch = [NewEvent(f"s:{n}", "worker.event", {"n": n}) for n in range(3)]
        first, again = [await client.post_events(WORKER, batch) for _ in range(2)]
        assert [event.seq for event in first.events] == [event.seq for event in again.events] == [2, 3, 4]
        assert [event.idempotent_replay for event in again.events] == [True] * 3
        assert len(edge.events) == 4


async def test_a_stream_crosses_its_windows_without_gap_or_repeat() -> None:
    edge = FakeEdge()
    async with signed_in(edge) as client:
        for n in range(5):
            await edge.append("worker.event", {"text": f"{n}\u2028"})
        assert [event.seq for event in await take(client, 4, cursor=2, tail_ms=1)] == [3, 4, 5, 6]


async def test_a_stream_without_a_cursor_begins_after_what_is_there() -> None:
    edge = FakeEdge()
    async with signed_in(edge) as client:
        await edge.append("worker.event", {"n": 1})
        following = asyncio.create_task(take(client, 1))
        await edge.streaming.wait()
        await edge.append("worker.event", {"n": 2})
        assert [event.payload for event in await following] == [{"n": 2}]


async def test_a_stream_goes_on_where_it_was_after_the_server_was_away(caplog: pytest.LogCaptureFixture) -> None:
    edge, port = FakeEdge(), free_port()
    async with Client(f"http://127.0.0.1:{port}", TOKEN) as client:
        async with serving(edge, port):
            await client.create_worker(WORKER, adapter="desktop_bridge")
            events = client.stream(WORKER, 0)
            assert (await anext(events)).seq == 1
        await edge.append("worker.event", {"while": "away"})
        async with serving(edge, port), aclosing(events):
            assert (await anext(events)).payload == {"while": "away"}
    assert "next attempt in 0.2 s" in caplog.text


def a_worker(worker_id: str, status: str = "running", heartbeat: str = "fresh", adapter: str = "in_memory") -> Worker:
    return Worker(worker_id, status, 1, adapter, heartbeat_state=heartbeat)


@pytest.mark.parametrize(
    ("workers", "chosen"),
    [
        ([a_worker("desktopw:a", "stopped"), a_worker("codexw_b")], "codexw_b"),
        ([a_worker("codexw_b"), a_worker("z", adapter="desktop_bridge")], "z"),
        ([a_worker("desktopw:a"), a_worker("desktopw:shared", heartbeat="stale")], "desktopw:shared"),
        ([a_worker("desktopw:a", heartbeat="stale"), a_worker("desktopw:b", heartbeat="missing")], "desktopw:a"),
        ([a_worker("desktopw:a"), a_worker("desktopw:b")], "desktopw:b"),
    ],
)
def test_the_worker_that_a_phone_would_pick(workers: list[Worker], chosen: str) -> None:
    picked = preferred(workers)
    assert picked is not None
    assert picked.worker_id == chosen
