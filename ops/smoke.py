"""`python -m ops.smoke URL`: whether a running stack does its main job, as somebody new to it would see."""

import asyncio
import sys
import uuid
from contextlib import aclosing
from typing import Final

from oa_client.client import Client
from oa_client.sync import WORKER_EVENTS, WORKER_SUMMARIES, follow
from oa_client.workers import NewEvent, WorkerEvent

from ops.demo import sign_in

EVENTS: Final = 20
WITHIN_S: Final = 60.0


async def check(url: str) -> None:
    """Sign in, record a worker's events, see them on its stream and the socket, and see its summary arrive."""
    async with asyncio.timeout(WITHIN_S), Client(url) as client:
        await sign_in(client, f"smoke-{uuid.uuid4().hex[:8]}@example.test")
        worker_id = f"smoke:{uuid.uuid4().hex[:8]}"
        await client.create_worker(worker_id, adapter="smoke")
        events = [NewEvent(str(uuid.uuid4()), "worker.event", {"number": number}) for number in range(EVENTS)]
        last = (await client.post_events(worker_id, events)).events[-1].seq
        await _on_stream(client, worker_id, last)
        await _on_socket(client, last)


async def _on_stream(client: Client, worker_id: str, last: int) -> None:
    async with aclosing(client.stream(worker_id, 0)) as stream:
        _check_order([await anext(stream) for _ in range(last)])


async def _on_socket(client: Client, last: int) -> None:
    """Everything of this new account: its one worker's events, and a summary that knows the last of them."""
    events: list[WorkerEvent] = []
    summarised = 0
    async with aclosing(follow(client, [WORKER_EVENTS, WORKER_SUMMARIES])) as updates:
        async for update in updates:
            if update.topic == WORKER_EVENTS:
                events.append(update.worker_event())
            else:
                summarised = update.doc_version
            if len(events) == last and summarised == last:
                break
    _check_order(events)


def _check_order(events: list[WorkerEvent]) -> None:
    numbers = [event.payload["number"] for event in events if event.event_type == "worker.event"]
    if numbers != list(range(EVENTS)):
        raise SystemExit(f"smoke: events {numbers} instead of 0 to {EVENTS - 1}")


if __name__ == "__main__":
    asyncio.run(check(sys.argv[1]))
