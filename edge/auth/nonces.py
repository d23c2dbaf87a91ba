"""Nonces of request tokens: single use, durable before the request is executed (runtime §2.2, DEC-4)."""

import hashlib
from collections.abc import Sequence

import asyncpg

from edge.auth.clock import Clock, unix_seconds
from edge.auth.group_commit import GroupCommit
from schemas import sql_files

SQL = sql_files.load(__file__)
_LAST_SECOND = 2**63 - 1


class Nonces:
    """Concurrent requests share one insert; a nonce is remembered until its token's `exp`."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._consumed: GroupCommit[tuple[bytes, int], bool] = GroupCommit(self._insert)

    async def consume(self, nonce: str, expires_at: int) -> bool:
        """False when it was used before; `expires_at` is unix seconds."""
        return await self._consumed.submit((hashlib.sha256(nonce.encode()).digest(), min(expires_at, _LAST_SECOND)))

    async def sweep(self) -> None:
        await self._pool.execute(SQL["sweep"], unix_seconds(self._clock))

    async def _insert(self, batch: Sequence[tuple[bytes, int]]) -> list[bool]:
        """Sorted, so that two processes with the same nonces never wait for each other in a circle."""
        unique = sorted(dict(reversed(batch)).items())
        hashes, expiries = zip(*unique, strict=True)
        rows = await self._pool.fetch(SQL["consume"], hashes, expiries, unix_seconds(self._clock))
        unused = {row["nonce_hash"] for row in rows}
        return [_take(unused, nonce_hash) for nonce_hash, _ in batch]


def _take(unused: set[bytes], nonce_hash: bytes) -> bool:
    """True for the first of several equal ones."""
    fresh = nonce_hash in unused
    unused.discard(nonce_hash)
    return fresh
