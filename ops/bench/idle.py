"""`oa bench idle`: memory that an edge keeps for a joined socket on which nothing happens, beside a naive loop's."""

import asyncio
from contextlib import AsyncExitStack

import uvloop

from ops.bench import live
from ops.bench.crowd import Crowd, gathered
from ops.bench.fanout import NAIVE, joining, naive
from ops.bench.figures import Figure, median, rss_kib, show
from ops.bench.processes import fresh_postgres
from ops.database import open_pool

SOCKETS = 2_000
WARM_UP = 100
SETTLE_S = 2
ROUNDS = 3


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """Lower is better, so is the ratio; `rss_kib` is the whole edge with all of them."""
    rounds = [(await _ours(), await _naive()) for _ in range(ROUNDS)]
    return Figure(
        name="idle",
        ours=median(ours for (ours, _), _ in rounds),
        unit="KiB/socket",
        peer=median(peer for _, (peer, _) in rounds),
        ratio=median(ours / peer for (ours, _), (peer, _) in rounds),
        rss_kib=int(median(rss for (_, rss), _ in rounds)),
    )


async def _ours() -> tuple[float, int]:
    async with fresh_postgres() as (server, _), open_pool(server.dsn()) as pool, live.edge(server.dsn()) as edge:
        return await _grown(joining(edge, await live.account(pool, "bench@lane.test"), SOCKETS), edge.pid)


async def _naive() -> tuple[float, int]:
    async with naive() as (port, pid):
        return await _grown(Crowd(port, [NAIVE] * SOCKETS, b"joined"), pid)


async def _grown(crowd: Crowd, pid: int) -> tuple[float, int]:
    """KiB a socket, and of the process; the first few sockets bring what is loaded once."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(gathered(crowd._replace(visitors=crowd.visitors[:WARM_UP])))
        before = rss_kib(pid)
        await stack.enter_async_context(gathered(crowd))
        await asyncio.sleep(SETTLE_S)
        after = rss_kib(pid)
    return (after - before) / SOCKETS, after
