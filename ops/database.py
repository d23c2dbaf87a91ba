"""How every process of ours opens its pool."""

import asyncio
from typing import Any

import asyncpg
from asyncpg.connection import LoggedQuery

from ops import metrics
from producers.eventlog import epochs


class MeasuredPool(asyncpg.Pool):
    """Tells how long callers waited for a connection (runtime §9)."""

    async def _acquire(self, timeout: float | None) -> Any:
        clock = asyncio.get_running_loop().time
        started = clock()
        connection = await super()._acquire(timeout)  # type: ignore[misc]
        metrics.POOL_WAIT_MS.observe((clock() - started) * 1000)
        return connection


def open_pool(dsn: str, size: int = 4) -> "asyncpg.Pool[Any]":
    """A bounded pool (DESIGN §8), to be awaited or entered.

    Each new connection makes sure that this is still the Postgres that wrote the log last: a restore or a failover ends
    all connections to the one before. Connections come back without a reset query: nobody changes their session, and
    listeners are removed by whoever added them. What is not needed for ten seconds is closed: Postgres keeps a process
    for each.
    """
    pool = MeasuredPool(
        dsn,
        min_size=1,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=10.0,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        init=_begin,
        reset=_keep,
        command_timeout=60,
    )
    metrics.POOL_CONNECTIONS.labels("open").set_function(pool.get_size)
    metrics.POOL_CONNECTIONS.labels("idle").set_function(pool.get_idle_size)
    return pool


async def _begin(connection: Any) -> None:
    await epochs.check_server(connection)
    connection.add_query_logger(_measure)


def _measure(query: LoggedQuery) -> None:
    metrics.QUERY_MS.observe(query.elapsed * 1000)


async def _keep(_connection: Any) -> None:
    return
