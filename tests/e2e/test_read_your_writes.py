"""What a client may rely on right after a 2xx, with everything behind the log still on its way (runtime §2.18)."""

import httpx
import pytest

from tests.e2e.device import WORKERS, Device, ListedWorker, SignedIn, Worker
from tests.nodes import sse_events

ROUNDS = range(10)


@pytest.fixture
def device(http: httpx.AsyncClient, bob: SignedIn) -> Device:
    return Device(http, "openagents-desktop", bob.token)


async def listed(device: Device, worker_id: str) -> ListedWorker:
    [worker] = [worker for worker in await device.workers() if worker.worker_id == worker_id]
    return worker


async def test_a_created_worker_runs_in_snapshot_and_list_and_has_a_whole_projection(device: Device) -> None:
    for number in ROUNDS:
        worker_id = f"ryw:create-{number}"
        await device.create_worker(worker_id)
        in_list = await listed(device, worker_id)
        in_snapshot = await device.fetched(Worker, "GET", f"{WORKERS}/{worker_id}")
        assert (in_list.status, in_snapshot.status) == ("running", "running")
        assert in_list.khala_projection is not None
        assert in_list.khala_projection.last_runtime_seq + in_list.khala_projection.lag_events == in_list.latest_seq


async def test_an_accepted_event_is_in_the_snapshot_and_on_the_stream(device: Device) -> None:
    worker_id = "ryw:events"
    await device.create_worker(worker_id)
    for number in ROUNDS:
        posted = await device.post(worker_id, {"n": number})
        assert (await device.fetched(Worker, "GET", f"{WORKERS}/{worker_id}")).latest_seq == posted.seq
        stream = await device.call("GET", f"{WORKERS}/{worker_id}/stream", cursor=posted.seq - 1, tail_ms=1)
        [event] = sse_events(stream.text)
        assert (event["id"], event["data"]["payload"]) == (posted.seq, {"n": number})


async def test_a_stopped_worker_refuses_everything_until_it_is_created_again(device: Device) -> None:
    for number in ROUNDS:
        worker_id = f"ryw:stop-{number}"
        path = f"{WORKERS}/{worker_id}"
        await device.create_worker(worker_id)
        statuses = [
            (await device.call("POST", f"{path}/{suffix}", body)).status_code
            for suffix, body in (
                ("stop", {}),
                ("requests", {"request": {"method": "thread/start"}}),
                ("events", {"event": {"event_type": "worker.event"}}),
                ("events/batch", {"events": [{"event_id": "e", "event_type": "worker.event"}]}),
                ("stop", {}),
            )
        ]
        assert statuses == [202, 409, 409, 409, 200]
        assert (await listed(device, worker_id)).status == "stopped"
        assert not (await device.create_worker(worker_id)).idempotent_replay
        assert (await listed(device, worker_id)).status == "running"
