"""Personal tokens and the account behind them, on a real database (edge §2.2–2.3)."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from tests.account_app import NOON, Clock, account_client, bearer, sign_in_as

TOKEN_KEYS = {"id", "name", "abilities", "lastUsedAt", "expiresAt", "createdAt", "isCurrent"}


async def token_of(client: httpx.AsyncClient, email: str) -> str:
    token: str = (await sign_in_as(client, email))["token"]
    client.cookies.clear()
    return token


async def status(client: httpx.AsyncClient, token: str) -> int:
    return (await client.get("/api/me", headers=bearer(token))).status_code


async def test_me_is_the_account_without_threads(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        token = await token_of(client, "ada@lane.test")
        answer = await client.get("/api/me?chat_limit=nonsense", headers=bearer(token))
        data = answer.json()["data"]
        assert data["user"].keys() == {"id", "name", "email", "avatar", "createdAt", "updatedAt"}
        assert data["user"]["createdAt"] == "2026-02-25T12:00:00.000000Z"
        assert data["chatThreads"] == []


async def test_a_token_is_shown_once_and_listed_newest_first(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        current = await token_of(client, "list@lane.test")
        body = {"name": " ci ", "abilities": ["shouts:write", " ", ""], "expires_at": "2026-03-01T10:00:00+02:00"}
        made = (await client.post("/api/tokens", json=body, headers=bearer(current))).json()["data"]
        assert (made["name"], made["abilities"]) == ("ci", ["shouts:write"])
        assert made["expiresAt"] == "2026-03-01T08:00:00.000000Z"
        assert await status(client, made["token"]) == 200
        rows = (await client.get("/api/tokens", headers=bearer(current))).json()["data"]
        assert [(row["name"], row["isCurrent"]) for row in rows] == [("ci", False), ("mobile:autopilot-ios", True)]
        assert all(row.keys() == TOKEN_KEYS for row in rows)
        assert "token" not in rows[0]


@pytest.mark.parametrize("abilities", [None, [], "", ["", " "]])
async def test_no_abilities_mean_all(pool: asyncpg.Pool, abilities: Any) -> None:
    async with account_client(pool) as client:
        token = await token_of(client, "all@lane.test")
        made = await client.post("/api/tokens", json={"name": "t", "abilities": abilities}, headers=bearer(token))
        assert (made.status_code, made.json()["data"]["abilities"]) == (201, ["*"])


@pytest.mark.parametrize("date", ["2020-01-01", "2020-01-01T00:00:00Z", "Wed, 01 Jan 2020 00:00:00 GMT"])
async def test_a_date_in_the_past_is_allowed_and_the_token_never_works(pool: asyncpg.Pool, date: str) -> None:
    async with account_client(pool) as client:
        token = await token_of(client, "past@lane.test")
        made = await client.post("/api/tokens", json={"name": "t", "expires_at": date}, headers=bearer(token))
        assert made.json()["data"]["expiresAt"] == "2020-01-01T00:00:00.000000Z"
        assert await status(client, made.json()["data"]["token"]) == 401


async def test_a_token_expires(pool: asyncpg.Pool) -> None:
    clock = Clock()
    async with account_client(pool, clock=clock) as client:
        token = await token_of(client, "expiry@lane.test")
        body = {"name": "t", "expires_at": (NOON + timedelta(minutes=1)).isoformat()}
        short = (await client.post("/api/tokens", json=body, headers=bearer(token))).json()["data"]["token"]
        assert await status(client, short) == 200
        clock.advance(minutes=1)
        assert (await status(client, short), await status(client, token)) == (401, 200)


async def test_a_revoked_token_fails_on_its_next_use(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        first = await token_of(client, "revoke@lane.test")
        made = await client.post("/api/tokens", json={"name": "t"}, headers=bearer(first))
        second = made.json()["data"]["token"]
        answer = await client.delete(f"/api/tokens/{second.partition('|')[0]}", headers=bearer(first))
        assert answer.json() == {"data": {"deleted": True}}
        assert await status(client, second) == 401
        assert (await client.delete("/api/tokens/current", headers=bearer(first))).json() == {"data": {"deleted": True}}
        assert await status(client, first) == 401


async def test_all_tokens_go_at_once_with_the_current_one(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        token = await token_of(client, "bulk@lane.test")
        for name in ("a", "b"):
            await client.post("/api/tokens", json={"name": name}, headers=bearer(token))
        assert (await client.delete("/api/tokens", headers=bearer(token))).json() == {"data": {"deletedCount": 3}}
        assert await status(client, token) == 401


async def test_somebody_elses_token_is_not_found_and_stays(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        mine, theirs = await token_of(client, "mine@lane.test"), await token_of(client, "theirs@lane.test")
        for token_id in (theirs.partition("|")[0], "0", "9" * 30):
            answer = await client.delete(f"/api/tokens/{token_id}", headers=bearer(mine))
            assert (answer.status_code, answer.json().keys()) == (404, {"message"})
        assert await status(client, theirs) == 200
        unknown = await client.delete("/api/tokens/abc", headers=bearer(mine))
        assert unknown.status_code == 404


async def test_for_a_cookie_session_no_token_is_current(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        await sign_in_as(client, "cookie@lane.test")
        page = {"origin": "http://edge.test", "x-csrf-token": client.cookies["XSRF-TOKEN"]}
        rows = (await client.get("/api/tokens", headers=page)).json()["data"]
        assert [row["isCurrent"] for row in rows] == [False]
        answer = await client.delete("/api/tokens/current", headers=page)
        assert answer.json() == {"data": {"deleted": False}}


async def test_the_secret_alone_is_looked_up_and_a_wrong_id_is_refused(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        token_id, _, secret = (await token_of(client, "bar@lane.test")).partition("|")
        assert await status(client, secret) == 200
        assert await status(client, f"{int(token_id) + 1}|{secret}") == 401
        assert await status(client, f"x|{secret}") == 401


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer 1|", "Bearer 1|x", "1|x"])
async def test_without_a_token_that_works_nobody_is_there(pool: asyncpg.Pool, authorization: str) -> None:
    async with account_client(pool) as client:
        answer = await client.get("/api/me", headers={"authorization": authorization})
        assert (answer.status_code, answer.json()) == (401, {"message": "Unauthenticated."})


async def test_the_last_use_is_stamped_once_a_minute(pool: asyncpg.Pool) -> None:
    clock = Clock()
    async with account_client(pool, clock=clock) as client:
        token = await token_of(client, "stamp@lane.test")
        stamps = []
        for seconds in (0, 59, 1):
            clock.advance(seconds=seconds)
            await asyncio.gather(*(status(client, token) for _ in range(5)))
            [row] = (await client.get("/api/tokens", headers=bearer(token))).json()["data"]
            stamps.append(row["lastUsedAt"][11:19])
        assert stamps == ["12:00:00", "12:00:00", "12:01:00"]
