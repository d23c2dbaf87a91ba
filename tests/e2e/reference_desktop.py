"""The reference desktop app, rule by rule: how it maps what Codex says, and how it reads what others ask of it
(runtime §7.3, §7.5; edge §2.6, §2.12; sync §18.3). It knows nothing that we added."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import msgspec

from tests.e2e.device import WORKERS, CreatedWorker, Device, PostedEvent, Worker, WorkerEvent, now
from tests.nodes import sse_events

T = TypeVar("T")
Notification = Mapping[str, Any]
Codex = Callable[[str], Iterable[Notification]]

SOURCE = "autopilot-desktop"
TAIL_MS = 4000
RECONNECT_S = 0.5
_CONFLICT, _STALE = 409, 410


class ReferenceDesktop:
    """One signed-in app; `codex` says what a turn on a text makes Codex say."""

    def __init__(self, device: Device, codex: Codex, heartbeat_s: float = 30.0) -> None:
        self.device = device
        self.codex = codex
        self.heartbeat_s = heartbeat_s
        self.session_id = str(uuid.uuid4())

    @asynccontextmanager
    async def serving(self, *worker_ids: str) -> AsyncIterator[list["DesktopWorker"]]:
        """All of its workers attached; each is read and kept alive on its own until it is stopped, or until the end."""
        workers = [DesktopWorker(self, worker_id) for worker_id in worker_ids]
        for worker in workers:
            await worker.attach()
        async with asyncio.TaskGroup() as tasks:
            jobs = [tasks.create_task(job) for worker in workers for job in (worker.read(), worker.beat())]
            yield workers
            for job in jobs:
                job.cancel()


class DesktopWorker:
    """A worker of the app. `acknowledged` and `begun` are the handshakes and messages it acted on, in order."""

    def __init__(self, desktop: ReferenceDesktop, worker_id: str) -> None:
        self.worker_id = worker_id
        self.cursor = 0
        self.acknowledged: list[str] = []
        self.begun: list[str] = []
        self.stopped = asyncio.Event()
        self._desktop = desktop
        self._device = desktop.device
        self._path = f"{WORKERS}/{worker_id}"

    async def attach(self) -> CreatedWorker:
        """Begins behind what its snapshot knows."""
        metadata = {"source": SOURCE}
        created = await self._device.create_worker(
            self.worker_id, adapter="desktop_bridge", workspace_ref="desktop://shared", metadata=metadata
        )
        self.cursor = await self._latest_seq()
        self.stopped.clear()
        return created

    async def read(self) -> None:
        """Polls: the whole body of one tail window, then the next from its highest id or where the cursor was put."""
        while not self.stopped.is_set():
            cursor = self.cursor
            events = await _patiently(self._poll)
            for event in events:
                await self._take(event)
            if events and self.cursor == cursor:
                self.cursor = events[-1].seq

    async def beat(self) -> None:
        while not self.stopped.is_set():
            await self._post("worker.heartbeat", {})
            await asyncio.sleep(self._desktop.heartbeat_s)

    async def tell(self, notification: Notification) -> None:
        """One event in one call, as every event of the reference."""
        event_type, payload = mapped(notification)
        await self._post(event_type, payload)

    async def _poll(self) -> list[WorkerEvent]:
        answer = await self._device.call("GET", f"{self._path}/stream", cursor=self.cursor, tail_ms=TAIL_MS)
        if answer.status_code == _STALE:
            self.cursor = await self._latest_seq()
            return []
        answer.raise_for_status()
        frames = [frame for frame in sse_events(answer.text) if frame["event"] != "error"]
        return [msgspec.convert(frame["data"], WorkerEvent) for frame in frames]

    async def _latest_seq(self) -> int:
        return (await self._device.fetched(Worker, "GET", self._path)).latest_seq

    async def _take(self, event: WorkerEvent) -> None:
        if event.event_type == "worker.stopped":
            self.stopped.set()
        if event.event_type != "worker.event" or event.payload.get("source") == SOURCE:
            return
        match event.payload:
            case {"method": "ios/handshake", "handshake_id": str(asked)} if asked not in self.acknowledged:
                self.acknowledged.append(asked)
                await self._post("worker.event", {"method": "desktop/handshake_ack", "handshake_id": asked})
            case {"method": "ios/user_message", "message_id": str(said)} if said not in self.begun:
                self.begun.append(said)
                for notification in self._desktop.codex(event.payload["params"]["text"]):
                    await self.tell(notification)

    async def _post(self, event_type: str, payload: Mapping[str, Any]) -> None:
        """A stopped worker refuses; that is how the app learns of it when it does not read."""
        signed = {"source": SOURCE, "desktop_session_id": self._desktop.session_id, "occurred_at": now(), **payload}
        try:
            await _patiently(lambda: self._accepted({"event_type": event_type, "payload": signed}))
        except httpx.HTTPStatusError as refused:
            if refused.response.status_code != _CONFLICT:
                raise
            self.stopped.set()

    async def _accepted(self, event: Mapping[str, Any]) -> PostedEvent:
        answer = await self._device.call("POST", f"{self._path}/events", {"event": event})
        answer.raise_for_status()
        return msgspec.convert(answer.json()["data"], PostedEvent)


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Again after a while, when the edge is away or says that it failed."""
    while True:
        try:
            return await call()
        except httpx.TransportError:
            await asyncio.sleep(RECONNECT_S)
        except httpx.HTTPStatusError as failed:
            if not failed.response.is_server_error:
                raise
            await asyncio.sleep(RECONNECT_S)


def mapped(notification: Notification) -> tuple[str, dict[str, Any]]:
    """Event type and payload of what Codex says (runtime §7.3)."""
    method = notification["method"]
    payload = {"method": method, "params": notification.get("params", {})}
    if "id" in notification:
        return "worker.request.received", payload | {"request_id": str(notification["id"])}
    if "error" in method:
        return "worker.error", payload
    return _EVENT_TYPES.get(method, "worker.event"), payload


_EVENT_TYPES = {
    "thread/started": "worker.started",
    "thread/stopped": "worker.stopped",
    "thread/completed": "worker.stopped",
    "heartbeat": "worker.heartbeat",
}
