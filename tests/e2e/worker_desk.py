"""A worker of the running stack as its owner has it: a phone, a log that is followed, and daemons that come and go."""

import asyncio
import os
import secrets
import sqlite3
import sys
import uuid
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from oa_client.backoff import delays_s, repeated
from oa_client.client import Client
from oa_client.worker.store import place
from oa_client.workers import NewEvent, Payload, Worker, WorkerAnswer, WorkerEvent

from ops.bench.figures import descendants
from ops.stack.local import Ports
from tests.codex_scenes import PINNED
from tests.e2e.gate import Gate, gate
from tests.local_stack import Operator

WITHIN_S = 60.0
_HEARTBEAT = "worker.heartbeat"


@dataclass
class Desk:
    """`client` is a phone that speaks to the edge itself; daemons speak to it through `gate`, which is at `url`."""

    client: Client
    token: str
    gate: Gate
    url: str
    stub_url: str
    folder: Path
    worker_id: str = field(default_factory=lambda: f"desktopw:{secrets.token_hex(6)}")
    events: list[WorkerEvent] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """`events` grows with the log."""
        following = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _follow(self) -> None:
        async with aclosing(self.client.stream(self.worker_id, 0)) as events:
            async for event in events:
                async with self._changed:
                    self.events.append(event)
                    self._changed.notify_all()

    async def until(self, holds: Callable[[], object], within_s: float = WITHIN_S) -> None:
        """Looks after every event; an AssertionError, with what was told, at the deadline."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            kinds = [(event.seq, event.payload.get("method") or event.event_type) for event in self.events]
            raise AssertionError(f"{kinds[-40:]}\n{self.log[-4000:]}") from None

    async def recorded(self, kind: str, count: int = 1, within_s: float = WITHIN_S) -> list[WorkerEvent]:
        """The events with that type or method, once there are that many."""
        await self.until(lambda: len(self.of(kind)) >= count, within_s)
        return self.of(kind)

    def of(self, kind: str) -> list[WorkerEvent]:
        return [event for event in self.events if kind in (event.event_type, event.payload.get("method"))]

    async def snapshot(self) -> Worker:
        return await self.client.worker(self.worker_id)

    async def another_token(self) -> str:
        """Of the same owner, for another device."""
        headers = {"authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(base_url=self.client.url, headers=headers) as http:
            made = await http.post("/api/tokens", json={"name": "tablet"})
        return str(made.json()["data"]["token"])

    async def post(self, event_id: str, payload: Payload) -> int:
        """A `worker.event`, repeated under its id until an edge takes it."""
        event = NewEvent(event_id, "worker.event", {"source": "autopilot-ios", "occurred_at": now()} | payload)
        accepted = await repeated(lambda: self.client.post_events(self.worker_id, [event]), delays_s(ceiling_s=0.5))
        return accepted.events[0].seq

    async def say(self, text: str, message_id: str | None = None, **params: Any) -> int:
        message_id = message_id or f"m-{uuid.uuid4()}"
        told = {"message_id": message_id, "text": text, "sent_from": "autopilot-ios"} | params
        return await self.post(
            f"message:{message_id}", {"method": "ios/user_message", "message_id": message_id, "params": told}
        )

    async def shake_hands(self, handshake_id: str) -> int:
        told = {"method": "ios/handshake", "handshake_id": handshake_id, "device_id": "d"}
        return await self.post(f"handshake:{handshake_id}", told)

    async def ask(self, method: str, params: Payload | None = None, request_id: str | None = None) -> WorkerAnswer:
        asked = {"request_id": request_id or f"r-{uuid.uuid4()}", "method": method, "params": params or {}}
        return await self.client.send_request(self.worker_id, asked)

    @asynccontextmanager
    async def daemon(self, *options: str, state: str = "state") -> AsyncIterator[Process]:
        """A daemon that has said that it is there; killed at the end if it still is."""
        beats = len(self.of(_HEARTBEAT))
        async with self.started(*options, state=state) as process:
            await self.recorded(_HEARTBEAT, beats + 1)
            yield process

    @asynccontextmanager
    async def started(self, *options: str, state: str = "state") -> AsyncIterator[Process]:
        """What it writes is in `daemon.log`."""
        with (self.folder / "daemon.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from oa_client.cli import main; main()", "worker", "--id", self.worker_id),
                *("--url", self.url, "--token", self.token, "--data", str(self.folder)),
                *("--provider", "local-stub", "--stub-url", self.stub_url, "--cwd", str(self.folder)),
                *("--state", str(self.folder / state), "--approve", "never"),
                *options,
                env={**os.environ, "OA_CODEX_PACKAGE": str(PINNED.package), "HOME": str(self.folder)},
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    @property
    def log(self) -> str:
        """What every daemon here told its person."""
        log = self.folder / "daemon.log"
        return log.read_text() if log.exists() else ""

    def store(self, state: str = "state") -> Path:
        return place(self.folder / state, self.url, self.worker_id)

    def rewind(self, state: str = "state") -> None:
        """The daemon that comes next reads everything again, and remembers nothing of it."""
        with sqlite3.connect(self.store(state)) as store:
            assert store.execute("update facts set value = '0' where name = 'cursor'").rowcount == 1
            store.execute("delete from marks")
        store.close()

    def said(self) -> list[str]:
        """What Codex took, in order, as far as it is mirrored."""
        items = [event.payload["params"]["item"] for event in self.of("item/completed")]
        return [item["content"][0]["text"] for item in items if item["type"] == "userMessage"]

    def written(self, name: str = "done.txt") -> list[str]:
        """The lines of a file in the folder where Codex works."""
        file = self.folder / name
        return file.read_text().split() if file.exists() else []


@asynccontextmanager
async def at_a_desk(stack: Operator, token: str, folder: Path) -> AsyncIterator[Desk]:
    """One at which there was no worker yet."""
    edge, stub_url = f"http://127.0.0.1:{stack.port}", f"http://127.0.0.1:{Ports(stack.port).stub_model}/v1"
    async with Client(edge, token) as client, gate(stack.port) as (passing, url):
        yield Desk(client, token, passing, url, stub_url, folder)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def ended(process: Process, number: int) -> int:
    """How the process ends when it is sent this signal."""
    process.send_signal(number)
    return await process.wait()


def codex_of(daemon: Process) -> list[int]:
    """Every process that the daemon started."""
    return descendants(daemon.pid)[1:]


async def until(holds: Callable[[], object], within_s: float = WITHIN_S) -> None:
    """For what other processes bring about."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - they set no event
            await asyncio.sleep(0.02)
