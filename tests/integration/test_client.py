"""The client's resuming events against a real edge that is cut off and moves (DESIGN I8)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from itertools import repeat
from typing import Any

import asyncpg
import httpx
import pytest
from oa_client import Client, RemoteWorker, WorkerEvent
from oa_client.remote import Transport

from tests.flaky_proxy import FlakyProxy, cutting
from tests.nodes import Node, node

CUTS = 100


def hardly_ever() -> Iterator[float]:
    return repeat(0.005)


def port(of: Node) -> int:
    return int(of.url.rpartition(":")[2])


async def lasting_token(of: Node) -> str:
    """One that outlives the sign-ins of the nodes that follow."""
    answer = await of.ada.public("POST", "/tokens", json={"name": "laptop"})
    return str(answer.json()["data"]["token"])


async def read_until_cut(
    events: AsyncIterator[WorkerEvent], seqs: list[int], worker: RemoteWorker, proxy: FlakyProxy
) -> None:
    """Reads what `worker` sends meanwhile, until the proxy has cut often enough and everything sent was read."""
    newest = (await worker.snapshot()).latest_seq
    async for event in events:
        seqs.append(event.seq)
        if event.seq < newest:
            continue
        if proxy.done >= proxy.cuts:
            return
        newest = [await worker.send(f"{event.seq} " * 20) for _ in range(4)][-1].seq


@pytest.mark.parametrize("over", ["sse", "socket"])
async def test_a_hundred_disconnects_and_a_restart_leave_no_gap_and_no_repetition(
    pool: "asyncpg.Pool[Any]", over: Transport
) -> None:
    seqs: list[int] = []
    async with asyncio.timeout(120), node(pool) as elsewhere:
        token = await lasting_token(elsewhere)
        proxy = FlakyProxy(port(elsewhere), CUTS // 2, seed=9)
        async with (
            cutting(proxy) as url,
            Client(url, token, pauses=hardly_ever) as far,
            Client(elsewhere.url, token) as near,
        ):
            worker_id = (await near.create_worker(f"cut:{over}", adapter="in_memory")).worker_id
            writer = near.workers[worker_id]
            async with aclosing(far.workers[worker_id].events(0, over=over)) as events:
                async with node(pool) as first:
                    proxy.port = port(first)
                    await read_until_cut(events, seqs, writer, proxy)
                await writer.send("while it was away")
                async with node(pool) as second:
                    proxy.port, proxy.cuts = port(second), CUTS
                    await read_until_cut(events, seqs, writer, proxy)
            assert seqs == list(range(1, (await writer.snapshot()).latest_seq + 1))


async def test_a_connection_rests_longer_than_clients_keep_one(pool: "asyncpg.Pool[Any]") -> None:
    """httpx lets go after 5 s: were the edge no more patient, it would close some under a request on its way."""
    limits = httpx.Limits(keepalive_expiry=60)
    async with node(pool) as here, httpx.AsyncClient(base_url=here.url, limits=limits) as patient:
        before = await own_end(patient)
        await asyncio.sleep(6)
        assert await own_end(patient) == before


async def own_end(http: httpx.AsyncClient) -> Any:
    """Of the connection that a request went over."""
    answer = await http.get("/livez")
    return answer.extensions["network_stream"].get_extra_info("client_addr")
