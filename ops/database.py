"""How every process of ours opens its pool."""

from typing import Any

import asyncpg

from producers.eventlog import epochs


def open_pool(dsn: str, size: int = 4) -> "asyncpg.Pool[Any]":
    """A bounded pool (DESIGN §8), to be awaited or entered.

    Each new connection makes sure that this is still the Postgres that wrote the log last: a restore or a failover ends
    all connections to the one before. Connections come back without a reset query: nobody changes their session, and
    listeners are removed by whoever added them.
    """
    return asyncpg.create_pool(
        dsn, min_size=1, max_size=size, init=epochs.check_server, reset=_keep, command_timeout=60
    )


async def _keep(_connection: Any) -> None:
    return
