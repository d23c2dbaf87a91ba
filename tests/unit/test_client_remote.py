"""A worker in the hands of a script: what it sends and asks, and events that survive any connection."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Literal

import pytest
from oa_client import Client, RemoteWorker
from oa_client.errors import BadAnswer, Conflict, RequestFailed, StaleCursor
from oa_client.workers import Busy, Limits, Usage
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from tests.daemons_edge import DaemonsEdge
from tests.fake_edge import TOKEN, FakeEdge, serving
from tests.flaky_proxy import FlakyProxy, cutting
from tests.services import free_port

WORKER = "desktopw:shared"
CUTS = 100

Over = Literal["sse", "socket"]


@asynccontextmanager
async def at_hand(edge: FakeEdge) -> AsyncIterator[RemoteWorker]:
    async with serving(edge, free_port()) as url, Client(url, TOKEN, pauses=hardly_ever) as client:
        await client.create_worker(WORKER, adapter="desktop_bridge")
        yield client.workers[WORKER]


async def test_a_snapshot_tells_what_its_daemon_is_at() -> None:
    told = {
        "daemon_seen_at": "2026-11-22T21:00:00.000000Z",
        "daemon_state": "working",
        "busy": {"thread_id": "t1", "turn_id": "u1", "what": "turn", "since": "2026-11-22T20:59:00.000000Z"},
        "accepts_requests": True,
        "consumed_seq": 7,
        "usage": {"day": "2026-11-22", "day_tokens": 900, "total_tokens": 4200, "turns": 3},
        "limits": {"turn_tokens": None, "day_tokens": 5000},
        "open_approvals": ["a1"],
        "something_newer": 1,
    }
    async with at_hand(DaemonsEdge(**told)) as worker:
        snapshot = await worker.snapshot()
    assert (snapshot.daemon_state, snapshot.accepts_requests, snapshot.consumed_seq) == ("working", True, 7)
    assert snapshot.busy == Busy("t1", "u1", "turn", "2026-11-22T20:59:00.000000Z")
    assert snapshot.usage == Usage("2026-11-22", 900, 4200, 3)
    assert (snapshot.limits, snapshot.open_approvals) == (Limits(None, 5000), ("a1",))


async def test_a_worker_that_never_had_a_daemon_has_a_snapshot_too() -> None:
    async with at_hand(DaemonsEdge(daemon_state=None, busy=None, usage=None, consumed_seq=None)) as worker:
        snapshot = await worker.snapshot()
    assert (snapshot.daemon_state, snapshot.busy, snapshot.open_approvals) == (None, None, ())


async def test_a_message_carries_what_was_chosen_and_is_recorded_once_when_the_answer_was_lost() -> None:
    edge = FakeEdge()
    edge.failures = [Response(status_code=502), Response(status_code=502)]
    until = datetime(2026, 11, 22, 22, 0, tzinfo=timezone(timedelta(hours=1)))
    async with at_hand(edge) as worker:
        sent = await worker.send("weiter\u2028so", mode="steer", thread_id="t1", expires_at=until)
    assert [event["payload"] for event in edge.events[1:]] == [
        {
            "source": "oa-client",
            "method": "ios/user_message",
            "message_id": sent.message_id,
            "params": {
                "message_id": sent.message_id,
                "text": "weiter\u2028so",
                "sent_from": "oa-client",
                "mode": "steer",
                "thread_id": "t1",
                "expires_at": "2026-11-22T21:00:00.000000Z",
            },
        }
    ]
    assert sent.seq == 2
    assert edge.batch_sizes == [1, 1, 1]


async def test_a_message_id_of_ones_own_makes_the_same_message_of_it_and_never_another() -> None:
    edge = FakeEdge()
    async with at_hand(edge) as worker:
        first = await worker.send("hello", message_id="m1")
        assert await worker.send("hello", message_id="m1") == first
        with pytest.raises(Conflict):
            await worker.send("goodbye", message_id="m1")
        assert (await worker.send("hello")).message_id != (await worker.send("hello")).message_id
    assert [event["payload"]["params"]["text"] for event in edge.events[1:]] == ["hello"] * 3


async def test_a_request_gives_the_result_and_is_repeated_with_the_same_id() -> None:
    edge = DaemonsEdge()
    edge.answer = {"result": {"threads": []}}
    edge.failures = [Response(status_code=502)]
    async with at_hand(edge) as worker:
        assert await worker.request("thread/list", {"limit": 3}) == {"threads": []}
    first, again = edge.asked
    assert first == again
    assert (first["method"], first["params"]) == ("thread/list", {"limit": 3})


async def test_a_request_that_the_worker_refuses_says_why() -> None:
    edge = DaemonsEdge()
    edge.answer = {"error": {"code": -32601, "message": "fs/read is not allowed"}}
    async with at_hand(edge) as worker:
        with pytest.raises(RequestFailed, match="fs/read is not allowed") as failed:
            await worker.request("fs/read")
        assert failed.value.code == -32601
        edge.answer = {}
        with pytest.raises(BadAnswer):
            await worker.request("fs/read")


async def test_an_interrupt_names_the_turn_that_runs() -> None:
    edge = DaemonsEdge(busy={"thread_id": "t1", "turn_id": "u1", "what": "turn", "since": None})
    async with at_hand(edge) as worker:
        assert await worker.interrupt()
        edge.told = {"busy": None}
        assert not await worker.interrupt()
    [asked] = edge.asked
    assert (asked["method"], asked["params"]) == ("turn/interrupt", {"threadId": "t1", "turnId": "u1"})


ASKED = {
    "approval_id": "a2",
    "kind": "command",
    "thread_id": "t1",
    "turn_id": "u1",
    "item_id": "i1",
    "choices": ["accept", "accept_for_thread", "deny"],
    "expires_at": "2026-11-22T22:00:00.000000Z",
    "command": "rm -r build",
    "cwd": "/desk",
}


async def test_open_approvals_come_with_what_is_asked_and_of_old_ones_only_the_id() -> None:
    edge = DaemonsEdge(open_approvals=["a1", "a2"])
    async with at_hand(edge) as worker:
        for approval_id in ("a0", "a2"):
            await edge.append("worker.approval.requested", ASKED | {"approval_id": approval_id})
        old, asked = await worker.approvals()
        assert (old.approval_id, old.command) == ("a1", None)
        assert (asked.approval_id, asked.command, asked.cwd) == ("a2", "rm -r build", "/desk")
        edge.told = {"open_approvals": []}
        assert await worker.approvals() == []


async def test_an_approval_is_answered_and_limits_are_set_by_requests() -> None:
    edge = DaemonsEdge()
    async with at_hand(edge) as worker:
        await worker.approve("a1", "accept_for_thread")
        await worker.limit(day_tokens=5000)
        assert (await worker.stop("enough")).status == "stopped"
    assert [(asked["method"], asked["params"]) for asked in edge.asked] == [
        ("approval/answer", {"approval_id": "a1", "decision": "accept_for_thread"}),
        ("limits/set", {"turn_tokens": None, "day_tokens": 5000}),
    ]
    assert edge.events[-1]["payload"] == {"reason": "enough"}


@pytest.mark.parametrize("over", ["sse", "socket"])
async def test_without_a_cursor_events_begin_with_the_next_one(over: Over) -> None:
    edge = FakeEdge()
    async with at_hand(edge) as worker, aclosing(worker.events(over=over)) as events:
        following = asyncio.ensure_future(anext(events))
        await (edge.streaming.wait() if over == "sse" else edge.sent_by_client("sync:subscribe", 1))
        await edge.append("worker.event", {"n": 2})
        assert (await following).payload == {"n": 2}


class ForgetfulEdge(FakeEdge):
    """Its socket replays nothing, and its stream begins above `floor`."""

    floor = 0

    async def _push(self, websocket: WebSocket, seq: int) -> int:
        return await super()._push(websocket, seq) if self.live else len(self.events)

    async def _push_live(self, websocket: WebSocket, seq: int) -> None:
        self.live = True
        await super()._push_live(websocket, seq)

    live = False

    async def _stream(self, request: Request) -> Response:
        if int(request.query_params["cursor"]) < self.floor:
            return JSONResponse({"error": {"code": "stale_cursor", "message": "too old"}}, 410)
        return await super()._stream(request)


async def test_what_the_socket_has_no_more_is_read_from_the_stream() -> None:
    edge = ForgetfulEdge()
    async with at_hand(edge) as worker:
        for n in range(4):
            await edge.append("worker.event", {"n": n})
        async with asyncio.timeout(10), aclosing(worker.events(1, over="socket")) as events:
            assert [(await anext(events)).seq for _ in range(4)] == [2, 3, 4, 5]
            following = asyncio.ensure_future(anext(events))
            await edge.sent_by_client("sync:subscribe", 1)
            await edge.append("worker.event", {})
            assert (await following).seq == 6


@pytest.mark.parametrize("over", ["sse", "socket"])
async def test_a_cursor_that_the_log_no_longer_reaches_is_told(over: Over) -> None:
    edge = ForgetfulEdge()
    edge.floor = 3
    async with at_hand(edge) as worker:
        for n in range(4):
            await edge.append("worker.event", {"n": n})
        with pytest.raises(StaleCursor, match="too old"):
            await anext(worker.events(1, over=over))


def hardly_ever() -> Iterator[float]:
    """Delays for a test that is cut a hundred times."""
    return itertools.repeat(0.002)


@pytest.mark.parametrize("over", ["sse", "socket"])
async def test_a_hundred_disconnects_leave_no_gap_and_no_repetition(over: Over) -> None:
    edge, port = FakeEdge(), free_port()
    proxy = FlakyProxy(port, CUTS, seed=9)
    async with serving(edge, port) as direct, cutting(proxy) as url:
        async with Client(direct, TOKEN) as client:
            await client.create_worker(WORKER, adapter="desktop_bridge")
        async with Client(url, TOKEN, pauses=hardly_ever) as client:
            seqs: list[int] = []
            async with asyncio.timeout(60), aclosing(client.workers[WORKER].events(0, over=over)) as events:
                async for event in events:
                    seqs.append(event.seq)
                    if event.seq < len(edge.events):
                        continue
                    if proxy.done >= CUTS:
                        break
                    for length in range(5):
                        await edge.append("worker.event", {"text": "ü" * 40 * length})
    assert seqs == list(range(1, len(edge.events) + 1))
    assert proxy.done >= CUTS
