"""Cookie sessions: kept here, known to the browser by an opaque id only (edge §1.6)."""

import hashlib
import hmac
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from edge.auth.accounts import User
from edge.auth.clock import Clock
from schemas import sql_files
from schemas.compact import encode

if TYPE_CHECKING:
    from edge.auth.accounts import Connection

SQL = sql_files.load(__file__)
COOKIE = "oa_session"
CSRF_COOKIE = "XSRF-TOKEN"
CSRF_HEADERS = ("x-csrf-token", "x-xsrf-token")
TOUCH_EVERY = timedelta(minutes=1)
LOOPBACK_HOSTS = ("localhost", "localhost:3000", "127.0.0.1", "127.0.0.1:8000", "::1")


@dataclass(frozen=True)
class SessionSettings:
    """`SESSION_LIFETIME` in minutes of idleness, `SESSION_DOMAIN`, `SANCTUM_STATEFUL_DOMAINS` as `host[:port]`."""

    lifetime_minutes: int = 120
    domain: str | None = None
    first_party_hosts: tuple[str, ...] = LOOPBACK_HOSTS


@dataclass(frozen=True)
class Session:
    """`user` is None until somebody signed in."""

    id: str
    user: User | None


class Sessions:
    def __init__(self, pool: asyncpg.Pool, clock: Clock, entropy: random.Random, settings: SessionSettings) -> None:
        self._pool = pool
        self._clock = clock
        self._entropy = entropy
        self._settings = settings

    async def find(self, session_id: str | None) -> Session | None:
        """None when there is no such session or it was idle too long; its idle time starts anew."""
        if not session_id:
            return None
        now = self._clock()
        row = await self._pool.fetchrow(SQL["find"], id_hash(session_id), now - self._lifetime)
        if row is None:
            return None
        if row["last_seen_at"] <= now - TOUCH_EVERY:
            await self._pool.execute(SQL["touch"], id_hash(session_id), now)
        return Session(session_id, User.of(row) if row["id"] is not None else None)

    async def open(self, connection: "Connection", user_id: int | None = None) -> str:
        """A new session's id."""
        session_id = encode(self._entropy.randbytes(32))
        await connection.execute(SQL["add"], id_hash(session_id), user_id, self._clock())
        return session_id

    async def open_guest(self) -> str:
        async with self._pool.acquire() as connection:
            return await self.open(connection)

    async def rotate(self, connection: "Connection", session_id: str, user_id: int) -> str:
        """The id under which the session goes on, signed in."""
        await connection.execute(SQL["remove"], id_hash(session_id))
        return await self.open(connection, user_id)

    async def close(self, session_id: str) -> None:
        await self._pool.execute(SQL["remove"], id_hash(session_id))

    async def close_all(self, user_id: int) -> int:
        """How many there were; sockets opened so far end with them."""
        return len(await self._pool.fetch(SQL["remove_all"], user_id, self._clock()))

    async def sweep(self) -> None:
        await self._pool.execute(SQL["sweep"], self._clock() - self._lifetime)

    def is_first_party(self, request: Request) -> bool:
        """Does `Origin`, or without one `Referer`, belong to the host asked, or to one whose pages count?"""
        source = _netloc(request.headers.get("origin") or request.headers.get("referer") or "")
        return source is not None and source in (*self._settings.first_party_hosts, request.url.netloc.lower())

    def set_cookies(self, request: Request, response: Response, session_id: str) -> None:
        """Lives as long as the browser; how long it may be idle is decided here, not there."""
        secure, domain = request.url.scheme == "https", self._settings.domain
        response.set_cookie(COOKIE, session_id, secure=secure, domain=domain, httponly=True, samesite="lax")
        response.set_cookie(CSRF_COOKIE, csrf_token(session_id), secure=secure, domain=domain, samesite="lax")

    def clear_cookies(self, response: Response) -> None:
        for name in (COOKIE, CSRF_COOKIE):
            response.delete_cookie(name, domain=self._settings.domain)

    @property
    def _lifetime(self) -> timedelta:
        return timedelta(minutes=self._settings.lifetime_minutes)


def id_hash(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode()).digest()


def csrf_token(session_id: str) -> str:
    """Derived, so that nothing has to be kept."""
    return encode(hmac.digest(session_id.encode(), b"csrf", hashlib.sha256))


def has_csrf_token(request: Request, session_id: str) -> bool:
    expected = csrf_token(session_id).encode()
    return any(hmac.compare_digest(request.headers.get(name, "").encode(), expected) for name in CSRF_HEADERS)


def _netloc(url: str) -> str | None:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower() or None
    except ValueError:
        return None
