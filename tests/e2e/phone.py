"""The iOS app, call by call and frame by frame (edge §2.12, sync §18.2)."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import msgspec

from tests.e2e.device import (
    EVENTS,
    WORKERS,
    Channel,
    Device,
    ListedWorker,
    PostedEvent,
    SignedIn,
    Update,
    Worker,
    WorkerEvent,
    decoded,
    now,
)

X_CLIENT = "autopilot-ios"
HANDSHAKE_WITHIN_S = 30.0
_HEARTBEAT_STATES = ["stale", "fresh"]


async def sign_in(url: str, email: str) -> SignedIn:
    """Steps 1–3; the code is read where the local stack keeps mail."""
    async with httpx.AsyncClient(base_url=url) as http:
        device = Device(http, X_CLIENT)
        decoded(await device.call("POST", "/api/auth/email", {"email": email}))
        [mail, *_] = decoded(await device.call("GET", "/dev/mailbox", to=email))["data"]
        signed_in = msgspec.convert(
            decoded(await device.call("POST", "/api/auth/verify", {"code": mail["code"]})), SignedIn
        )
        assert signed_in.token
        assert signed_in.token_name == "mobile:autopilot-ios"
        return signed_in


class Phone(Device):
    """One socket a worker; the cursor is the highest watermark delivered so far, of whatever worker."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        super().__init__(http, X_CLIENT, token)
        self.cursor = 0
        self.heartbeat_s = 20.0
        self.updates: list[Update] = []
        self._refs = itertools.count(1)

    @property
    def events(self) -> list[WorkerEvent]:
        return [update.event() for update in self.updates]

    async def select(self) -> ListedWorker:
        """Steps 4 and 5; the cursor is raised to what the worker's document knows (sync §20.2)."""
        chosen = max(await self.workers(), key=preference)
        await self.fetched(Worker, "GET", f"{WORKERS}/{chosen.worker_id}")
        assert chosen.khala_projection is not None
        self.cursor = max(self.cursor, chosen.khala_projection.last_runtime_seq)
        return chosen

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Listening"]:
        """Steps 6 and 7: a new token, a fresh socket, joined and subscribed; heartbeats meanwhile."""
        async with self.connected(await self.mint(EVENTS)) as wire:
            channel = Channel(wire, self._refs, self._take)
            listening = Listening(self, channel)
            await channel.join()
            await channel.subscribe(EVENTS, self.cursor)
            beating = asyncio.create_task(listening.beat())
            try:
                yield listening
            finally:
                beating.cancel()
                with suppress(asyncio.CancelledError):
                    await beating

    async def shake_hands(self, worker_id: str, handshake_id: str) -> WorkerEvent:
        """Steps 6–10: the request goes out while the socket is still being opened."""
        request = {
            "source": X_CLIENT,
            "method": "ios/handshake",
            "handshake_id": handshake_id,
            "device_id": "c1d2a7f0-7d0e-4f6e-9a35-5be3a1c0ffee",
            "occurred_at": now(),
        }
        async with asyncio.TaskGroup() as tasks:
            posting = tasks.create_task(self.post(worker_id, request))
            async with self.listening() as listening:
                ack = await listening.heard(lambda event: is_acknowledgement(event, worker_id, handshake_id))
        assert ack.seq > posting.result().seq
        return ack

    async def say(self, worker_id: str, message_id: str, text: str) -> PostedEvent:
        return await self.post(worker_id, user_message(message_id, text))

    def _take(self, updates: list[Update]) -> None:
        self.updates.extend(updates)
        self.cursor = max([self.cursor, *(update.watermark for update in updates)])


class Listening:
    """A socket that is subscribed; what it has been sent since it was opened."""

    def __init__(self, phone: Phone, channel: Channel) -> None:
        self._phone = phone
        self._channel = channel
        self._since = len(phone.updates)

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(self._phone.heartbeat_s)
            await self._channel.send("sync:heartbeat", {})

    async def heard(self, wanted: Callable[[WorkerEvent], bool], within_s: float = HANDSHAKE_WITHIN_S) -> WorkerEvent:
        async with asyncio.timeout(within_s):
            while True:
                updates = self._phone.updates[self._since :]
                self._since += len(updates)
                for event in (update.event() for update in updates):
                    if wanted(event):
                        return event
                await self._channel.receive()


def preference(worker: ListedWorker) -> tuple[Any, ...]:
    """Edge §2.12, step 4."""
    source = worker.metadata.get("source") if isinstance(worker.metadata, dict) else None
    is_desktop = worker.adapter == "desktop_bridge" or worker.worker_id.startswith("desktopw:")
    state = worker.heartbeat_state
    return (
        worker.status == "running",
        is_desktop or source == "autopilot-desktop",
        ":shared" in worker.worker_id,
        _HEARTBEAT_STATES.index(state) if state in _HEARTBEAT_STATES else -1,
        worker.last_heartbeat_at or "",
        worker.started_at or "",
        worker.latest_seq,
        worker.worker_id,
    )


def is_acknowledgement(event: WorkerEvent, worker_id: str, handshake_id: str) -> bool:
    payload = event.payload
    return (
        (event.worker_id, event.event_type, event.method) == (worker_id, "worker.event", "desktop/handshake_ack")
        and payload.get("source") == "autopilot-desktop"
        and payload.get("handshake_id") == handshake_id
        and bool(payload.get("desktop_session_id"))
        and bool(payload.get("occurred_at"))
    )


def user_message(message_id: str, text: str) -> dict[str, Any]:
    return {
        "source": X_CLIENT,
        "method": "ios/user_message",
        "message_id": message_id,
        "occurred_at": now(),
        "params": {"message_id": message_id, "text": text, "sent_from": X_CLIENT},
    }
