"""The other existing clients and the official Phoenix client, on the real stack (sync §18, §19)."""

import asyncio
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.device import (
    EVENTS,
    SUMMARIES,
    WORKERS,
    Channel,
    Device,
    SignedIn,
    Update,
    Wire,
    Worker,
    WorkerEvent,
    now,
)

WITHIN_S = 30.0
PHOENIX = Path(__file__).parent / "phoenix"


class Ts:
    """Web and mobile (sync §18.1): pipelines, knows no heartbeat, and stores `current_watermarks`."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.cursors: dict[str, int] = {}
        self.documents: dict[str, Update] = {}
        self.watermarks: list[int] = []
        self._refs = itertools.count(1)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Wire]:
        """Subscribed, and without anything that was there before left to take."""
        async with self.device.connected(await self.device.mint(SUMMARIES)) as wire:
            join_ref, ref = str(next(self._refs)), str(next(self._refs))
            await wire.send(None, join_ref, "phx_join", {})
            await wire.send(join_ref, ref, "sync:subscribe", {"topics": [SUMMARIES], "resume_after": self.cursors})
            while (await self._take_next(wire)) != ref:
                pass
            yield wire

    async def until(self, wire: Wire, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not condition():
                await self._take_next(wire)

    def summary(self, worker_id: str) -> dict[str, Any]:
        found = self.documents.get(f"runtime/codex_worker_summary:{worker_id}")
        return found.payload if found else {"latest_seq": 0}

    async def _take_next(self, wire: Wire) -> str | None:
        frame = await wire.receive()
        if frame.event == "phx_reply":
            assert frame.payload["status"] == "ok", frame
            for head in frame.payload["response"]["current_watermarks"]:
                self._reach(head["topic"], head["watermark"])
        for update in frame.updates():
            self.watermarks.append(update.watermark)
            self._reach(update.topic, update.watermark)
            known = self.documents.get(update.doc_key)
            if known is None or update.doc_version >= known.doc_version:
                self.documents[update.doc_key] = update
        return frame.ref

    def _reach(self, topic: str, watermark: int) -> None:
        self.cursors[topic] = max(self.cursors.get(topic, 0), watermark)


class Rust:
    """The desktop (sync §18.3): mints at the older address, and counts with its worker's seqs where others use
    watermarks, so that it is sent again what it knows and answers each handshake by its id once."""

    def __init__(self, device: Device, worker_id: str) -> None:
        self.device = device
        self.events: list[WorkerEvent] = []
        self.acknowledged: list[str] = []
        self._worker_id = worker_id
        self._cursor: int | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Channel]:
        if self._cursor is None:
            path = f"{WORKERS}/{self._worker_id}"
            self._cursor = (await self.device.fetched(Worker, "GET", path)).latest_seq
        minted = await self.device.fetched(dict[str, Any], "POST", "/api/khala/token", {"scope": [EVENTS]})
        async with self.device.connected(minted["token"]) as wire:
            channel = Channel(wire, itertools.count(1), self._take)
            await channel.join()
            await channel.subscribe(EVENTS, self._cursor)
            await channel.request("sync:heartbeat", {})
            yield channel

    async def acknowledge(self, channel: Channel, count: int) -> None:
        """Until so many handshakes are answered."""
        async with asyncio.timeout(WITHIN_S):
            while len(self.acknowledged) < count:
                for event in self.events:
                    await self._acknowledge(event)
                if len(self.acknowledged) < count:
                    await channel.receive()

    async def _acknowledge(self, event: WorkerEvent) -> None:
        asked = event.payload.get("handshake_id")
        if event.method != "ios/handshake" or asked in self.acknowledged:
            return
        self.acknowledged.append(str(asked))
        ack = {"source": "autopilot-desktop", "method": "desktop/handshake_ack", "handshake_id": asked}
        await self.device.post(self._worker_id, ack | {"desktop_session_id": "rust", "occurred_at": now()})

    def _take(self, updates: list[Update]) -> None:
        mine = [event for event in (update.event() for update in updates) if event.worker_id == self._worker_id]
        self.events.extend(mine)
        self._cursor = max([self._cursor or 0, *(event.seq for event in mine)])


@pytest.fixture
def ada_at_her_desk(http: httpx.AsyncClient, ada: SignedIn) -> Device:
    return Device(http, "openagents-desktop", ada.token)


@pytest.fixture
def bob_at_his_desk(http: httpx.AsyncClient, bob: SignedIn) -> Device:
    return Device(http, "openagents-desktop", bob.token)


async def test_summaries_flow_live_to_a_web_client_and_say_what_the_list_says(ada_at_her_desk: Device) -> None:
    device, worker_id = ada_at_her_desk, "web:summaries"
    client = Ts(device)
    async with client.connected() as wire:
        metadata = {"source": "web", "nested": {"list": [1, None, {}], "text": " kept "}}
        await device.create_worker(worker_id, workspace_ref="ws://web", adapter="in_memory", metadata=metadata)
        await client.until(wire, lambda: client.summary(worker_id)["latest_seq"] == 1)
        for number in range(5):
            await device.post(worker_id, {"n": number})
        await client.until(wire, lambda: client.summary(worker_id)["latest_seq"] == 6)
    summary = client.summary(worker_id)
    [listed] = [worker for worker in await device.workers() if worker.worker_id == worker_id]
    told_by_both = set(summary) & set(Worker.__struct_fields__)
    assert told_by_both >= {"status", "metadata", "latest_seq", "started_at", "updated_at", "last_heartbeat_at"}
    assert {name: summary[name] for name in told_by_both} == {name: getattr(listed, name) for name in told_by_both}
    assert listed.khala_projection is not None
    assert (listed.khala_projection.status, listed.khala_projection.last_runtime_seq) == ("in_sync", 6)

    await device.call("POST", f"{WORKERS}/{worker_id}/stop", {})
    async with client.connected() as wire:
        await client.until(wire, lambda: client.summary(worker_id)["status"] == "stopped")
    assert client.watermarks == sorted(set(client.watermarks))


async def test_the_rust_desktop_answers_each_handshake_once_although_rows_come_again(ada_at_her_desk: Device) -> None:
    worker_id = "desktopw:rust"
    await ada_at_her_desk.create_worker(worker_id, adapter="desktop_bridge")
    desktop = Rust(ada_at_her_desk, worker_id)
    for number in range(3):
        async with desktop.connected() as channel:
            handshake = {"source": "autopilot-ios", "method": "ios/handshake", "handshake_id": f"rust-{number}"}
            await ada_at_her_desk.post(worker_id, handshake | {"device_id": "d", "occurred_at": now()})
            await desktop.acknowledge(channel, number + 1)
    assert desktop.acknowledged == ["rust-0", "rust-1", "rust-2"]
    seqs = [event.seq for event in desktop.events]
    assert len(seqs) > len(set(seqs)) == max(seqs) - min(seqs) + 1


class Neighbour:
    """Somebody with both kinds of clients open at once, each from the very beginning."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.ts = Ts(device)
        self.events: list[WorkerEvent] = []

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Callable[[int], Any]]:
        async with self.ts.connected() as wire, self.device.connected(await self.device.mint(EVENTS)) as other:
            channel = Channel(other, itertools.count(1), self._take)
            await channel.join()
            await channel.subscribe(EVENTS, 0)

            async def caught_up(seq: int) -> None:
                await self.ts.until(wire, lambda: self.ts.summary("tenants:same")["latest_seq"] >= seq)
                async with asyncio.timeout(WITHIN_S):
                    while ("tenants:same", seq) not in [(event.worker_id, event.seq) for event in self.events]:
                        await channel.receive()

            yield caught_up

    def _take(self, updates: list[Update]) -> None:
        self.events.extend(update.event() for update in updates)


@pytest.mark.invariant("I8")
async def test_nobody_is_sent_a_row_of_somebody_else(
    ada_at_her_desk: Device, bob_at_his_desk: Device, ada: SignedIn, bob: SignedIn
) -> None:
    """SD-2: also not of a worker that both of them call the same."""
    people = {ada.user_id: Neighbour(ada_at_her_desk), bob.user_id: Neighbour(bob_at_his_desk)}
    async with AsyncExitStack() as sockets:
        waiting = [await sockets.enter_async_context(neighbour.connected()) for neighbour in people.values()]
        for neighbour in people.values():
            await neighbour.device.create_worker("tenants:same")
        for _ in range(10):
            for user_id, neighbour in people.items():
                seq = (await neighbour.device.post("tenants:same", {"whose": user_id})).seq
        for caught_up in waiting:
            await caught_up(seq)
    for user_id, neighbour in people.items():
        theirs = {worker.worker_id for worker in await neighbour.device.workers()}
        assert {event.worker_id for event in neighbour.events} <= theirs
        assert {event.payload.get("whose", user_id) for event in neighbour.events} == {user_id}
        owners = {update.payload["owner_user_id"] for update in neighbour.ts.documents.values()}
        assert owners == {int(user_id)}


class Phoenix:
    """phoenix/client.js, a process; `told` is what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told: list[dict[str, Any]] = []

    def obey(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())

    async def tells(self, what: str, times: int = 1) -> None:
        """Until it has said this so many times since its start."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            while [line["what"] for line in self.told].count(what) < times:
                line = await self.process.stdout.readline()
                assert line, f"ended after {self.told[-3:]}"
                self.told.append(json.loads(line))


@asynccontextmanager
async def phoenix(url: str, token: str) -> AsyncIterator[Phoenix]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no npm: install Node.js with npm")
    if not (PHOENIX / "node_modules").exists():
        install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        await asyncio.to_thread(subprocess.run, install, cwd=PHOENIX, check=True, capture_output=True, timeout=120)
    process = await asyncio.create_subprocess_exec(
        *(node, str(PHOENIX / "client.js"), url.replace("http", "ws", 1), EVENTS),
        env={**os.environ, "TOKEN": token},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    try:
        yield Phoenix(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_the_official_phoenix_client_joins_beats_comes_back_and_leaves(ada_at_her_desk: Device, url: str) -> None:
    device, worker_id = ada_at_her_desk, "web:phoenix"
    posted = [(await device.create_worker(worker_id)).latest_seq]
    async with phoenix(url, await device.mint(EVENTS)) as node:
        await node.tells("sync:subscribe")
        posted.append((await device.post(worker_id, {"while": "connected"})).seq)
        await node.tells("heartbeat", 2)
        node.obey("beat")
        await node.tells("sync:heartbeat")
        node.obey("drop")
        posted.append((await device.post(worker_id, {"while": "away"})).seq)
        await node.tells("sync:subscribe", 2)
        posted.append((await device.post(worker_id, {"while": "back"})).seq)
        while not [line for line in node.told if line.get("payload", {}).get("payload") == {"while": "back"}]:
            await node.tells("update", 1 + [line["what"] for line in node.told].count("update"))
        node.obey("leave")
        await node.tells("channel closed")
        node.obey("end")
        assert await node.process.wait() == 0
    updates = [line for line in node.told if line["what"] == "update"]
    watermarks = [update["watermark"] for update in updates]
    assert watermarks == sorted(set(watermarks))
    assert [one["payload"]["seq"] for one in updates if one["payload"]["workerId"] == worker_id] == posted
    assert {line["status"] for line in node.told if line["what"] == "heartbeat"} == {"ok"}
    assert [line for line in node.told if line["what"] == "refused"] == []
