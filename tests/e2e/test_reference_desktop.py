"""The reference desktop app, unmodified, on our edge: its own rules, its own quirks (runtime §7, edge §2.12)."""

import asyncio
import os
import signal
import uuid

import httpx
import msgspec
import pytest

from tests.codex_scenes import NEWEST, read
from tests.e2e.device import WORKERS, Device, SignedIn, Worker, WorkerEvent, now
from tests.e2e.phone import Phone
from tests.e2e.reference_desktop import SOURCE, DesktopWorker, Notification, ReferenceDesktop
from tests.local_stack import Operator
from tests.nodes import sse_events
from tests.services import eventually, until

SHARED = ("desktopw:shared", "desktopw:second")
WITHIN_S = 30.0


def said_by_codex(text: str) -> list[Notification]:
    """A recorded turn, whatever the text; then something that nobody knows, and an error."""
    turn = read(NEWEST.recorded / "command.jsonl")
    unknown = {
        "method": "item/hologram/delta",
        "params": {"z": [2**63, -0.5, None], "a": "zwei\u2028Zeilen ☂", "text": text},
    }
    return [*turn, unknown, {"method": "codex/error", "params": {"message": "no"}}]


@pytest.fixture
def desktop(http: httpx.AsyncClient, bob: SignedIn) -> ReferenceDesktop:
    """Its worker ids are the same on every machine; Bob's is not Ada's (DEC-44)."""
    return ReferenceDesktop(Device(http, SOURCE, bob.token), said_by_codex, heartbeat_s=1.0)


def handshake(handshake_id: str) -> dict[str, str]:
    return {
        "source": "autopilot-ios",
        "method": "ios/handshake",
        "handshake_id": handshake_id,
        "device_id": "c1d2",
        "occurred_at": now(),
    }


async def stored(phone: Phone, worker_id: str, after: int = 0) -> list[WorkerEvent]:
    stream = await phone.call("GET", f"{WORKERS}/{worker_id}/stream", cursor=after, tail_ms=1)
    return [msgspec.convert(event["data"], WorkerEvent) for event in sse_events(stream.text)]


async def acknowledged(phone: Phone, worker_id: str) -> list[str]:
    events = await stored(phone, worker_id)
    return [event.payload["handshake_id"] for event in events if event.method == "desktop/handshake_ack"]


@pytest.fixture
def phones(http: httpx.AsyncClient, bob: SignedIn) -> list[Phone]:
    return [Phone(http, bob.token) for _ in SHARED]


async def test_a_handshake_and_a_message_that_come_twice_are_answered_once_by_the_worker_they_are_for(
    desktop: ReferenceDesktop, phones: list[Phone]
) -> None:
    async with desktop.serving(*SHARED) as workers:
        await asyncio.gather(*map(steered_twice, phones, workers))
        listed = {worker.worker_id: worker for worker in await phones[0].workers()}
        assert {listed[worker_id].heartbeat_state for worker_id in SHARED} == {"fresh"}
        assert (await phones[0].select()).worker_id == "desktopw:shared"


async def steered_twice(phone: Phone, worker: DesktopWorker) -> None:
    worker_id, handshake_id, message_id = worker.worker_id, str(uuid.uuid4()), f"iosmsg-{uuid.uuid4()}"
    await phone.shake_hands(worker_id, handshake_id)
    async with phone.listening() as listening:
        asked = await phone.say(worker_id, message_id, "run: echo hi")
        await phone.say(worker_id, message_id, "run: echo hi")
        again = await phone.post(worker_id, handshake(handshake_id))
        await listening.heard(lambda event: (event.worker_id, event.method) == (worker_id, "codex/error"))
    await eventually(lambda: worker.cursor >= again.seq, WITHIN_S)
    assert await acknowledged(phone, worker_id) == [handshake_id]
    assert worker.begun == [message_id]

    told = [event for event in await stored(phone, worker_id, asked.seq) if "params" in event.payload]
    mirrored = [event for event in told if event.payload["source"] == SOURCE]
    assert [(event.method, event.payload["params"]) for event in mirrored] == [
        (notification["method"], notification["params"]) for notification in said_by_codex("run: echo hi")
    ]
    types = {event.method: event.event_type for event in mirrored}
    assert (types["thread/started"], types["turn/started"]) == ("worker.started", "worker.event")
    assert (types["codex/error"], types["item/hologram/delta"]) == ("worker.error", "worker.event")


async def test_after_an_edge_restart_and_a_cursor_that_goes_back_nothing_is_missed_or_answered_again(
    stack: Operator, desktop: ReferenceDesktop, phones: list[Phone]
) -> None:
    phone, worker_id = phones[0], "desktopw:restart"
    async with desktop.serving(worker_id) as [worker]:
        await phone.post(worker_id, handshake("before"))
        await eventually(lambda: worker.acknowledged == ["before"], WITHIN_S)
        edge = stack.status()["edge"]["pid"]
        os.kill(edge, signal.SIGTERM)
        await asyncio.to_thread(until, lambda: is_back(stack, edge))
        worker.cursor = 0
        await phone.post(worker_id, handshake("after"))
        await eventually(lambda: worker.acknowledged == ["before", "after"], WITHIN_S)
        head = worker.cursor
        await eventually(lambda: worker.cursor > head, WITHIN_S)  # it read again what it knows, and heartbeats go on
    assert await acknowledged(phone, worker_id) == ["before", "after"]


def is_back(stack: Operator, before: int) -> bool:
    edge = stack.status()["edge"]
    return edge["pid"] not in (None, before) and bool(edge["ready"])


async def test_a_request_is_echoed_because_its_workers_never_say_that_they_take_any(
    desktop: ReferenceDesktop, phones: list[Phone]
) -> None:
    phone, worker_id = phones[0], "desktopw:echo"
    await phone.create_worker(worker_id)
    await phone.post(worker_id, handshake("before it was there"))
    async with desktop.serving(worker_id) as [worker]:
        request = {"request_id": "r1", "method": "thread/start", "params": {"prompt": "salut"}}
        counts = []
        for _ in range(2):
            answer = await phone.fetched(dict, "POST", f"{WORKERS}/{worker_id}/requests", {"request": request})
            assert (answer["worker_id"], answer["request_id"], answer["ok"]) == (worker_id, "r1", True)
            result = answer["response"]["result"]
            assert (result["status"], result["method"], result["echo"]) == (
                "accepted",
                "thread/start",
                request["params"],
            )
            counts.append(result["request_count"])
        assert counts[1] == counts[0] + 1
        seq = (await stored(phone, worker_id))[-1].seq
        await eventually(lambda: worker.cursor >= seq, WITHIN_S)
        assert (worker.acknowledged, worker.stopped.is_set()) == ([], False)


async def test_a_worker_ends_with_a_stop_and_with_its_thread_and_can_be_attached_again(
    desktop: ReferenceDesktop, phones: list[Phone]
) -> None:
    phone, worker_id = phones[0], "desktopw:stop"
    async with desktop.serving(worker_id) as [worker]:
        await phone.call("POST", f"{WORKERS}/{worker_id}/stop", {"reason": "enough"})
        async with asyncio.timeout(WITHIN_S):
            await worker.stopped.wait()
        assert (await phone.fetched(Worker, "GET", f"{WORKERS}/{worker_id}")).status == "stopped"
        refused = await phone.call("POST", f"{WORKERS}/{worker_id}/events", {"event": {"event_type": "worker.event"}})
        assert refused.status_code == 409
    async with desktop.serving(worker_id) as [worker]:
        await worker.tell({"method": "thread/completed"})  # the reference says so although the worker could go on
        async with asyncio.timeout(WITHIN_S):
            await worker.stopped.wait()
    types = [event.event_type for event in await stored(phone, worker_id) if event.event_type != "worker.heartbeat"]
    assert types == ["worker.started", "worker.stopped"] * 2
