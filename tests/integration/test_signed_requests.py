"""Whom a call of the signed API is made for, and calls that are not genuine (runtime §2.1–2.3)."""

import asyncio
import hashlib
from typing import Any

import asyncpg
import httpx

from edge.auth.nonces import Nonces
from edge.auth.request_token import Claims, sign
from tests.account_app import NOON, SIGNING_KEY, Clock, account_client

NOW = int(NOON.timestamp())


def signature(nonce: str, *, key: str = SIGNING_KEY, **changes: Any) -> dict[str, str]:
    fields: dict[str, Any] = {"iat": NOW, "exp": NOW + 60, "nonce": nonce, "user_id": 7}
    claims = Claims(**(fields | changes))
    headers = {"x-oa-runtime-signature": sign(claims, key)}
    return headers | ({"x-oa-user-id": str(claims.user_id)} if claims.user_id is not None else {})


async def call(client: httpx.AsyncClient, headers: dict[str, str], **more: Any) -> tuple[int, Any]:
    answer = await client.post("/internal/v1/whoami", headers=headers, **more)
    body = answer.json()
    return answer.status_code, body.get("data") or body["error"]["code"]


async def test_a_genuine_request_names_its_principal(pool: asyncpg.Pool) -> None:
    guest = {"x-oa-guest-scope": "g-1"}
    async with account_client(pool) as client:
        assert await call(client, signature("a-1")) == (200, "user:7")
        assert await call(client, signature("a-2", user_id=None, guest_scope="g-1") | guest) == (200, "guest:g-1")
        assert await call(client, signature("a-3", guest_scope="g-1") | guest) == (200, "user:7")


async def test_a_request_without_principal_is_unauthorized(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        for number, user_id in enumerate(("", "0", "-3", "seven", "9" * 40)):
            changes = {"user_id": int(user_id)} if user_id in ("0", "-3") else {"user_id": None}
            headers = signature(f"b-{number}", **changes) | {"x-oa-user-id": user_id, "x-oa-guest-scope": ""}
            assert await call(client, headers) == (401, "unauthorized")


async def test_requests_that_are_not_genuine(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        cases: list[tuple[dict[str, str], int, str]] = [
            ({}, 401, "unauthorized"),
            ({"x-oa-user-id": "7"}, 401, "unauthorized"),
            (signature("c", key="forged"), 401, "unauthorized"),
            (signature("c", exp=NOW), 401, "unauthorized"),
            (signature("c", iat=NOW + 31), 401, "unauthorized"),
            (signature("c") | {"x-oa-user-id": "8"}, 403, "forbidden"),
            (signature("c") | {"x-oa-guest-scope": "g"}, 403, "forbidden"),
            (signature("c") | {"accept": "text/html"}, 406, "invalid_request"),
        ]
        for headers, status, code in cases:
            assert await call(client, headers) == (status, code)
        assert await call(client, signature("c")) == (200, "user:7"), "only a genuine request consumes its nonce"
        assert await call(client, signature("c")) == (401, "unauthorized")


async def test_what_a_body_or_query_names_must_be_in_the_token(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        assert await call(client, signature("d-1"), json={"run_id": "r"}) == (403, "forbidden")
        assert await call(client, signature("d-2", run_id="r"), json={"run_id": "r"}) == (200, "user:7")
        assert await call(client, signature("d-3"), params={"thread_id": "t"}) == (403, "forbidden")
        assert await call(client, signature("d-4"), json={"request": {"run_id": "r"}, "thread_id": 5}) == (
            200,
            "user:7",
        )


async def test_authentication_comes_before_the_body(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        assert await call(client, signature("e", key="forged"), content=b"{") == (401, "unauthorized")
        too_large = b" " * (8 * 1024 * 1024 + 1)
        assert await call(client, signature("e"), content=too_large) == (413, "invalid_request")


async def test_one_of_many_concurrent_replays_is_executed(pool: asyncpg.Pool) -> None:
    """Runtime §1.10, §2.2."""
    async with account_client(pool) as one, account_client(pool) as two:
        calls = [call(client, signature(f"f-{number % 5}")) for number in range(40) for client in (one, two)]
        answers = await asyncio.gather(*calls)
        assert answers.count((200, "user:7")) == 5
        assert answers.count((401, "unauthorized")) == 75


async def test_a_nonce_is_remembered_until_its_token_expires(pool: asyncpg.Pool) -> None:
    """DEC-4."""
    clock = Clock()
    nonces = Nonces(pool, clock)
    long_nonce = "n" * 100_000 + "\x00"
    assert await nonces.consume(long_nonce, NOW + 60)
    assert await nonces.consume("for ever", 2**70)
    await nonces.sweep()
    assert not await Nonces(pool, clock).consume(long_nonce, NOW + 60), "another process"
    clock.advance(seconds=60)
    assert await nonces.consume(long_nonce, NOW + 120)
    clock.advance(seconds=60)
    await nonces.sweep()
    kept = await pool.fetchval("select count(*) from request_nonces where nonce_hash = $1", _hash(long_nonce))
    assert kept == 0
    assert not await nonces.consume("for ever", 2**70)


def _hash(nonce: str) -> bytes:
    return hashlib.sha256(nonce.encode()).digest()
