"""How every process of ours opens its pool."""

from typing import Any

import asyncpg


def open_pool(dsn: str, size: int = 4) -> "asyncpg.Pool[Any]":
    """A bounded pool (DESIGN §8), to be awaited or entered.

    Connections come back without a reset query: nobody changes their session, and listeners are removed by whoever
    added them.
    """
    return asyncpg.create_pool(dsn, min_size=1, max_size=size, reset=_keep, command_timeout=60)


async def _keep(_connection: Any) -> None:
    return
