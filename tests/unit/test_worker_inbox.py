"""What is sent to the worker: read from the right place, acknowledged or claimed once, handed on once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from oa_client import Client, WorkerEvent
from oa_client.errors import CodexError
from oa_client.worker.inbox import (
    Acknowledge,
    Cursor,
    Inbox,
    Request,
    RequestRefused,
    Requests,
    Stop,
    WorkerStopped,
    acknowledgement,
    sent,
)
from oa_client.worker.marks import Marks, Message
from oa_client.worker.outbox import Outbox
from oa_client.worker.store import Store
from starlette.responses import JSONResponse

from tests.fake_edge import TOKEN, FakeEdge, serving
from tests.services import free_port

NOON = "2026-02-25T12:00:00.000000Z"
WORKER = "desktopw:shared"


def event(event_type: str = "worker.event", **payload: object) -> WorkerEvent:
    return WorkerEvent(WORKER, 5, event_type, payload, NOON)


def message(text: object, message_id: str | None = None, **params: object) -> WorkerEvent:
    said = {"text": text, **params}
    return event(source="autopilot-ios", method="ios/user_message", params=said, message_id=message_id)


REQUESTED = {"request_id": "r1", "method": "thread/list", "params": {"n": 1}, "deadline": NOON}


@pytest.mark.parametrize(
    ("incoming", "asked"),
    [
        (event(method="ios/handshake", handshake_id="5b0f "), Acknowledge("5b0f ")),
        (message("  fix it\n", message_id="m1"), Message("m1", 5, "  fix it\n")),
        (message("fix it"), Message("seq:5", 5, "fix it")),
        (message("fix it", message_id="m1"), Message("m1", 5, "fix it")),
        (event(method="ios/user_message", params={"text": "fix it", "message_id": "m2"}), Message("m2", 5, "fix it")),
        (message("fix it", message_id="m\n1"), Message("seq:5", 5, "fix it")),
        (message("fix it", message_id="m" * 256), Message("seq:5", 5, "fix it")),
        (message("fix it", thread_id="t1"), Message("seq:5", 5, "fix it", "t1")),
        (message("fix it", mode="steer"), Message("seq:5", 5, "fix it", steers=True)),
        (message("fix it", mode="queue"), Message("seq:5", 5, "fix it")),
        (
            event("worker.request.received", **REQUESTED, requested_by={"owner": "user:41"}),
            Request("r1", "thread/list", {"n": 1}, NOON, {"owner": "user:41"}),
        ),
        (event("worker.stopped", reason="enough"), Stop("enough")),
        (event("worker.stopped"), Stop("stopped")),
        (event(method="ios/handshake"), None),
        (event(method="ios/handshake", handshake_id=" "), None),
        (message(" "), None),
        (message(7), None),
        (event(method="ios/user_message"), None),
        (event(method="ios/handshake", handshake_id="5b0f", source="autopilot-desktop"), None),
        (event("worker.heartbeat", method="ios/handshake", handshake_id="5b0f"), None),
        (event("worker.request.received", request_id="r1", method="thread/list"), None),
        (event("worker.request.received", **REQUESTED, source="autopilot-desktop"), None),
        (event(method="turn/started"), None),
    ],
)
def test_what_an_event_asks_for(incoming: WorkerEvent, asked: object) -> None:
    assert sent(incoming) == asked


def test_an_acknowledgement_has_every_field_that_a_phone_demands() -> None:
    assert acknowledgement("5b0f ", "s1", NOON) == {
        "source": "autopilot-desktop",
        "method": "desktop/handshake_ack",
        "handshake_id": "5b0f ",
        "desktop_session_id": "s1",
        "occurred_at": NOON,
    }


class Requested:
    """Answers with the parameters; refuses or fails when the method says so."""

    def __init__(self) -> None:
        self.handled: list[Request] = []
        self.seqs: list[int] = []

    def heard(self, event: WorkerEvent) -> None:
        self.seqs.append(event.seq)

    def leaves(self, request: Request) -> bool:
        return request.method == "not/ours"

    async def handle(self, request: Request) -> Any:
        self.handled.append(request)
        match request.method:
            case "refused":
                raise RequestRefused(-32602, "sandbox may not be set")
            case "failed":
                raise CodexError("no such thread")
            case "large":
                return "x" * 600_000
            case "slow":
                await asyncio.Event().wait()
        return {"got": request.params}


class Desk:
    """An edge with a worker, and one daemon's inbox after another."""

    def __init__(self, edge: FakeEdge, client: Client, folder: Path) -> None:
        self.edge = edge
        self.client = client
        self.folder = folder
        self.requested = Requested()
        self.taken: list[str] = []

    @asynccontextmanager
    async def reading(self, session_id: str, requests: Requests | None = None) -> AsyncIterator["Daemon"]:
        daemon = Daemon(self, session_id, requests or self.requested)
        running = asyncio.create_task(daemon.inbox.run(len(self.edge.events)))
        try:
            yield daemon
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            daemon.store.close()

    async def post(self, method: str, **payload: Any) -> int:
        posted = await self.client.post_event(WORKER, "worker.event", {"source": "ios", "method": method, **payload})
        return posted.seq

    async def say(self, text: str, message_id: str | None = None) -> str:
        message_id = message_id or str(uuid.uuid4())
        await self.post("ios/user_message", params={"message_id": message_id, "text": text})
        return message_id

    def lose_the_disk(self) -> None:
        for file in self.folder.iterdir():
            file.unlink()


class Daemon:
    def __init__(self, desk: Desk, session_id: str, requests: Requests) -> None:
        self.store = Store.open(desk.folder / "worker.sqlite")
        self.marks = Marks(self.store)
        self.cursor = Cursor(self.store)
        self.outbox = Outbox(self._post, self.store, lambda: NOON)
        self._client = desk.client
        if self.cursor.seq is None:
            self.cursor.move(0)
        self.inbox = Inbox(
            desk.client,
            WORKER,
            session_id,
            post=self._post,
            cursor=self.cursor,
            marks=self.marks,
            outbox=self.outbox,
            requests=requests,
            taken=lambda: desk.taken.extend(mark.message.text for mark in self.marks.open()[-1:]),
            timestamp=lambda: NOON,
        )

    async def _post(self, events: Any) -> None:
        await self._client.post_events(WORKER, events)

    async def read(self, seq: int) -> None:
        async with asyncio.timeout(10):
            while (self.cursor.seq or 0) < seq:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    edge, folder = FakeEdge(), tmp_path / "state"
    async with serving(edge, free_port()) as url, Client(url, TOKEN) as client:
        await client.create_worker(WORKER, adapter="desktop_bridge")
        yield Desk(edge, client, folder)


async def test_messages_are_claimed_in_the_order_they_were_sent(desk: Desk) -> None:
    async with desk.reading("s1") as daemon:
        message_ids = [await desk.say(f"message {n}") for n in range(3)]
        claims = await desk.edge.recorded("worker.message.claimed", 3)
        await daemon.read(claims[-1]["seq"])
    assert [claim["payload"]["message_id"] for claim in claims] == message_ids
    assert claims[0]["payload"] == {
        "message_id": message_ids[0],
        "seq": 2,
        "claim_id": "s1:claim:2",
        "daemon_id": "s1",
    }
    assert desk.taken == ["message 0", "message 1", "message 2"]


async def test_what_was_sent_while_no_daemon_was_there_is_claimed_by_the_next(desk: Desk) -> None:
    async with desk.reading("s1") as daemon:
        await desk.say("before")
        await daemon.read(3)
    await desk.say("while nobody was there")
    async with desk.reading("s2") as daemon:
        await daemon.read(5)
    assert desk.taken == ["before", "while nobody was there"]


async def test_the_same_message_sent_twice_is_claimed_once(desk: Desk) -> None:
    async with desk.reading("s1") as daemon:
        for _ in range(2):
            await desk.say("once", "m1")
        await daemon.read(4)
    assert desk.taken == ["once"]


async def test_a_daemon_without_its_disk_does_not_take_again_what_was_taken(desk: Desk) -> None:
    async with desk.reading("s1") as daemon:
        await desk.say("taken")
        await daemon.read(3)
    desk.lose_the_disk()
    await desk.say("not taken yet")
    async with desk.reading("s2") as daemon:
        await daemon.read(5)
    assert desk.taken == ["taken", "not taken yet"]


async def test_of_two_daemons_only_one_takes_a_message(desk: Desk) -> None:
    other = Desk(desk.edge, desk.client, desk.folder.with_name("other"))
    async with desk.reading("s1") as first, other.reading("s2") as second:
        texts = [f"message {n}" for n in range(10)]
        for text in texts:
            await desk.say(text)
        last = len(await desk.edge.recorded("ios/user_message", 10)) + 11
        await first.read(last)
        await second.read(last)
    assert sorted(desk.taken + other.taken) == texts


async def test_a_claim_whose_answer_was_lost_is_made_again_by_the_next_daemon_as_it_was(desk: Desk) -> None:
    async with desk.reading("s1"):
        desk.edge.failures = [JSONResponse({}, 503)] * 100
        await desk.say("hello")
        await desk.edge.recorded("worker.message.claimed")
    assert desk.taken == []
    desk.edge.failures = []
    async with desk.reading("s2") as daemon:
        await daemon.read(3)
    assert desk.taken == ["hello"]
    assert [claim["payload"]["daemon_id"] for claim in await desk.edge.recorded("worker.message.claimed")] == ["s1"]


async def test_a_message_that_expired_is_not_taken(desk: Desk) -> None:
    desk.edge.expired.add("m1")
    async with desk.reading("s1") as daemon:
        await desk.say("too late", "m1")
        await desk.say("in time")
        await daemon.read(4)
        assert daemon.marks.get("m1") is None
    assert desk.taken == ["in time"]


async def test_each_handshake_is_acknowledged_once_also_by_daemons_without_a_disk(desk: Desk) -> None:
    handshake_ids = [f"{uuid.uuid4()}-{n}" for n in range(5)]
    for session_id in ("s1", "s2", "s3"):
        async with desk.reading(session_id) as daemon:
            for handshake_id in handshake_ids:
                await desk.post("ios/handshake", handshake_id=handshake_id, device_id="d", occurred_at=NOON)
            await daemon.read(len(desk.edge.events))
        desk.lose_the_disk()
    acks = await desk.edge.recorded("desktop/handshake_ack", 5)
    assert [ack["payload"]["handshake_id"] for ack in acks] == handshake_ids


@pytest.mark.parametrize(
    ("method", "event_type", "answered"),
    [
        ("thread/list", "worker.response", {"result": {"got": [1]}}),
        ("refused", "worker.error", {"error": {"code": -32602, "message": "sandbox may not be set"}}),
        ("failed", "worker.error", {"error": {"code": -32000, "message": "no such thread"}}),
        (
            "large",
            "worker.error",
            {
                "error": {
                    "code": -32000,
                    "message": "the result has 600002 bytes, more than the edge takes: ask for less",
                }
            },
        ),
    ],
)
async def test_a_request_is_claimed_and_answered(
    desk: Desk, method: str, event_type: str, answered: dict[str, Any]
) -> None:
    async with desk.reading("s1"):
        request_id = await desk.edge.ask(method, [1])
        [answer] = await desk.edge.recorded(event_type)
    assert (await desk.edge.recorded("worker.request.claimed"))[0]["seq"] < answer["seq"]
    assert answer["payload"]["request_id"] == request_id
    assert answer["payload"]["response"] == {"jsonrpc": "2.0", "id": request_id, **answered}


async def test_a_request_for_another_daemon_is_not_claimed(desk: Desk) -> None:
    async with desk.reading("s1"):
        await desk.edge.ask("not/ours")
        await desk.edge.answered(await desk.edge.ask("thread/list"))
    assert len(await desk.edge.recorded("worker.request.claimed")) == 1


async def test_a_request_that_takes_long_holds_nothing_up(desk: Desk) -> None:
    async with desk.reading("s1"):
        await desk.edge.ask("slow")
        await desk.edge.ask("thread/list")
        await desk.edge.recorded("worker.response")
        await desk.say("hello")
        await desk.edge.recorded("worker.message.claimed")


async def test_a_request_is_not_handled_after_its_deadline(desk: Desk) -> None:
    async with desk.reading("s1") as daemon:
        await desk.edge.ask("thread/list", within_s=-1)
        await desk.edge.ask("thread/list", "in time")
        await desk.edge.recorded("worker.response")
        await daemon.read(3)
    assert [request.params for request in desk.requested.handled] == ["in time"]


async def test_of_two_daemons_only_one_handles_a_request(desk: Desk) -> None:
    other = Desk(desk.edge, desk.client, desk.folder.with_name("other"))
    async with desk.reading("s1") as first, other.reading("s2") as second:
        for n in range(10):
            await desk.edge.ask("thread/list", n)
        await desk.edge.recorded("worker.response", 10)
        last = len(desk.edge.events)
        await first.read(last)
        await second.read(last)
    handled = [request.params for request in desk.requested.handled + other.requested.handled]
    assert sorted(handled) == list(range(10))


async def test_a_cursor_below_the_floor_goes_on_at_the_head_and_tells_of_the_gap(desk: Desk) -> None:
    async with desk.reading("s1") as daemon:
        await daemon.read(1)
    for _ in range(5):
        await desk.say("lost")
    desk.edge.floor = 5
    async with desk.reading("s2") as daemon:
        await daemon.read(6)
        await desk.say("after the gap")
        await daemon.read(8)
        delivering = asyncio.create_task(daemon.outbox.run())
        [gap] = await desk.edge.recorded("worker/stream_gap")
        delivering.cancel()
    assert gap["payload"]["params"] == {"from": 1, "to": 6}
    assert desk.taken == ["after the gap"]


async def test_somebodys_stop_ends_it_but_not_one_from_before_this_daemon(desk: Desk) -> None:
    await desk.client.stop_worker(WORKER, "earlier")
    await desk.client.create_worker(WORKER, adapter="desktop_bridge")
    daemon = Daemon(desk, "s1", desk.requested)
    running = asyncio.create_task(daemon.inbox.run(len(desk.edge.events)))
    await daemon.read(3)
    await desk.client.stop_worker(WORKER, "enough")
    with pytest.raises(ExceptionGroup) as group:
        await running
    [stopped] = group.value.exceptions
    assert isinstance(stopped, WorkerStopped)
    assert stopped.reason == "enough"
    daemon.store.close()
