"""An edge that is told to end: what it began it finishes, and who is connected goes on where it was (DESIGN §8)."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.device import EVENTS, WORKERS, Device, SignedIn, decoded
from tests.local_stack import Operator
from tests.nodes import sse_events
from tests.services import eventually, until

WORKER = "web:drain"
POSTERS = 4
DRAINING = 1012


class Poster:
    """Posts one event after the other until the edge is gone, and then what was not answered once more."""

    def __init__(self, device: Device, name: str) -> None:
        self._device = device
        self._name = name
        self.accepted: list[str] = []

    async def run(self) -> None:
        while True:
            try:
                await self.post_next()
            except httpx.TransportError:
                return

    async def post_next(self) -> None:
        event_id = f"{self._name}-{len(self.accepted)}"
        event = {"event_id": event_id, "event_type": "worker.event", "payload": {"id": event_id}}
        decoded(await self._device.call("POST", f"{WORKERS}/{WORKER}/events/batch", {"events": [event]}))
        self.accepted.append(event_id)


@pytest.fixture
def device(http: httpx.AsyncClient, ada: SignedIn) -> Device:
    return Device(http, "openagents-desktop", ada.token)


async def followed(device: Device) -> list[str]:
    """A stream that would go on for two minutes; a cut one raises."""
    stream = await device.call("GET", f"{WORKERS}/{WORKER}/stream", cursor=0, tail_ms=120_000)
    return [event["data"]["payload"].get("id") for event in sse_events(stream.text)]


@asynccontextmanager
async def closing_code(device: Device) -> AsyncIterator["asyncio.Task[int | None]"]:
    async with device.connected(await device.mint(EVENTS)) as wire:
        await wire.send(None, "1", "phx_join", {})
        await wire.receive()

        async def closed() -> int | None:
            try:
                while True:
                    await wire.receive()
            except ConnectionClosed as error:
                return error.rcvd.code if error.rcvd else None

        yield asyncio.create_task(closed())


async def test_requests_are_answered_streams_end_and_sockets_are_told_to_come_back(
    stack: Operator, device: Device
) -> None:
    await device.create_worker(WORKER)
    edge = stack.status()["edge"]["pid"]
    posters = [Poster(device, f"p{number}") for number in range(POSTERS)]
    async with closing_code(device) as code, asyncio.TaskGroup() as tasks:
        stream = tasks.create_task(followed(device))
        for poster in posters:
            tasks.create_task(poster.run())
        await eventually(lambda: all(len(poster.accepted) > 3 for poster in posters))
        os.kill(edge, signal.SIGTERM)
        assert await code == DRAINING
    assert stream.result()

    until(lambda: stack.status()["edge"]["pid"] not in (None, edge) and stack.status()["edge"]["ready"])
    assert "edge       | ended with 0; starting again" in (stack.data / "stack.log").read_text()
    for poster in posters:
        await poster.post_next()
    answer = await device.call("GET", f"{WORKERS}/{WORKER}/stream", cursor=0, tail_ms=1)
    stored = [event["data"]["payload"]["id"] for event in sse_events(answer.text)[1:]]
    assert sorted(stored) == sorted(event_id for poster in posters for event_id in poster.accepted)
