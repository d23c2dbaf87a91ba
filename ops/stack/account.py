"""The local account: whose token the local worker, `oa say` and `oa tail` use."""

import random
from pathlib import Path

import asyncpg

from edge.auth.clock import system_clock
from edge.auth.sign_in import ensure_local_account
from ops.stack import secrets


async def ensure(dsn: str, data: Path, email: str) -> None:
    """Make the account and write its token down; both stay when they are there."""
    known = secrets.read(data).get("OA_LOCAL_TOKEN")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        token = await ensure_local_account(pool, email, known, clock=system_clock, entropy=random.SystemRandom())
    secrets.ensure(data, {"OA_LOCAL_TOKEN": token})
