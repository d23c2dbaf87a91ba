"""Personal access tokens: `<row id>|<48 alphanumerics>`, kept as a SHA-256 of the second part (edge §2.2)."""

import hashlib
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg

from edge.auth.accounts import Caller, User
from edge.auth.clock import Clock
from edge.auth.group_commit import GroupCommit
from schemas import sql_files

if TYPE_CHECKING:
    from edge.auth.accounts import Connection

SQL = sql_files.load(__file__)
ALL_ABILITIES = ("*",)
STAMP_EVERY = timedelta(minutes=1)
_ALPHANUMERICS = string.ascii_letters + string.digits
_MAX_ID = 2**63 - 1


@dataclass(frozen=True)
class TokenRow:
    id: int
    name: str
    abilities: list[str]
    last_used_at: datetime | None
    expires_at: datetime | None
    created_at: datetime


class Tokens:
    """One indexed read a use, never a cache: a revoked token fails at once, on every process."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, entropy: random.Random) -> None:
        self._pool = pool
        self._clock = clock
        self._entropy = entropy
        self._stamps: GroupCommit[int, None] = GroupCommit(self._stamp)

    async def caller(self, text: str) -> Caller | None:
        """Who uses this token; None when it is unknown, revoked or expired."""
        token_id, _, secret = text.rpartition("|")
        row = await self._pool.fetchrow(SQL["find"], _hash(secret))
        now = self._clock()
        if row is None or token_id not in ("", str(row["token_id"])):
            return None
        if row["expires_at"] is not None and row["expires_at"] <= now:
            return None
        if row["last_used_at"] is None or row["last_used_at"] <= now - STAMP_EVERY:
            await self._stamps.submit(row["token_id"])
        return Caller(User.of(row), row["token_id"])

    async def issue(
        self,
        connection: "Connection",
        user_id: int,
        name: str,
        abilities: Sequence[str] = ALL_ABILITIES,
        expires_at: datetime | None = None,
    ) -> str:
        """The token's text, which is known only now."""
        secret = "".join(self._entropy.choices(_ALPHANUMERICS, k=48))
        row = (user_id, name, _hash(secret), list(abilities), expires_at, self._clock())
        return f"{await connection.fetchval(SQL['add'], *row)}|{secret}"

    async def replace(self, connection: "Connection", user_id: int, name: str) -> str:
        """A new token in the place of all of the user's tokens with this name (edge §2.1)."""
        await connection.execute(SQL["remove_named"], user_id, name)
        return await self.issue(connection, user_id, name)

    async def create(self, user_id: int, name: str, abilities: Sequence[str], expires_at: datetime | None) -> str:
        async with self._pool.acquire() as connection:
            return await self.issue(connection, user_id, name, abilities, expires_at)

    async def list(self, user_id: int) -> list[TokenRow]:
        """Newest first."""
        return [TokenRow(**row) for row in await self._pool.fetch(SQL["list"], user_id)]

    async def revoke(self, user_id: int, token_id: int) -> bool:
        return token_id <= _MAX_ID and await self._pool.fetchval(SQL["remove"], user_id, token_id) is not None

    async def revoke_all(self, user_id: int) -> int:
        return len(await self._pool.fetch(SQL["remove_all"], user_id))

    async def _stamp(self, token_ids: Sequence[int]) -> Sequence[None]:
        await self._pool.execute(SQL["stamp"], sorted(set(token_ids)), self._clock())
        return [None] * len(token_ids)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
