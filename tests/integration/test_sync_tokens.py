"""The two mints of socket tokens over HTTP (edge §2.4–2.5, sync §3)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import httpx
import jwt
import pytest

from edge.auth.sync_claims import Profile, verify
from schemas.names import SYNC_TOPICS, WORKER_EVENTS
from tests.account_app import NOON, ORIGIN, SETTINGS, account_client, bearer, sign_in_as
from tests.nodes import node

PROFILES = [Profile.of(SETTINGS.sync_token), Profile.of(SETTINGS.khala_token)]
NOW = int(NOON.timestamp())


@pytest.fixture
async def client(pool: asyncpg.Pool) -> AsyncIterator[httpx.AsyncClient]:
    async with account_client(pool) as client:
        client.headers.update(bearer((await sign_in_as(client, "ada@lane.test"))["token"]))
        yield client


async def test_a_sync_token_is_described_and_opens_the_socket(client: httpx.AsyncClient) -> None:
    body = {"scopes": [" runtime.notifications", "runtime.codex_worker_events", "", "runtime.notifications"]}
    answer = await client.post("/api/sync/token", json=body)
    data = answer.json()["data"]
    token, subject = data.pop("token"), data["subject"]
    assert data == {
        "token_type": "Bearer",
        "expires_in": 300,
        "issued_at": "2026-02-25T12:00:00+00:00",
        "expires_at": "2026-02-25T12:05:00+00:00",
        "issuer": ORIGIN,
        "audience": "openagents-sync",
        "subject": subject,
        "org_id": subject,
        "claims_version": "oa_sync_claims_v1",
        "scopes": ["runtime.notifications", "runtime.codex_worker_events"],
        "kid": "sync-auth-v1",
        "resume_after": {"runtime.notifications": 4711, "runtime.codex_worker_events": 4711},
    }
    assert answer.headers["content-type"] == "application/json"
    claims = verify(token, PROFILES, NOW)
    assert (claims.owner, claims.scopes) == (subject, tuple(data["scopes"]))
    assert len(jwt.decode(token, options={"verify_signature": False})["jti"]) == 24


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"scopes":null}', b'{"scopes":[]}', b'{"scopes":[" "]}'])
async def test_asking_for_nothing_grants_the_default(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/api/sync/token", content=content)
    assert answer.json()["data"]["scopes"] == ["runtime.codex_worker_summaries"]


async def test_each_call_mints_a_fresh_token(client: httpx.AsyncClient) -> None:
    tokens = {(await client.post("/api/sync/token")).json()["data"]["token"] for _ in range(3)}
    assert len(tokens) == 3


async def test_whoever_loads_after_a_mint_misses_nothing_from_its_cursors_on(pool: asyncpg.Pool) -> None:
    """SD-13, on a real edge: what had happened before the mint is below the cursor, what happens later above it."""
    body = {"scopes": [WORKER_EVENTS]}
    async with node(pool) as edge:

        async def minted() -> int:
            answer = await edge.ada.public("POST", "/sync/token", json=body)
            position: int = answer.json()["data"]["resume_after"][WORKER_EVENTS]
            return position

        before = await minted()
        created = await edge.ada.public("POST", "/runtime/codex/workers", json={"worker_id": "tokens:w"})
        assert created.status_code == 202, created.text
        position = await pool.fetchval("select max(position) from events")
        assert before < position
        async with asyncio.timeout(10):
            while await minted() < position:  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.01)
        assert await minted() == position


async def test_a_scope_outside_the_list_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/sync/token", json={"scopes": ["runtime.everything"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_scope")


async def test_a_khala_token_opens_the_socket_too(client: httpx.AsyncClient) -> None:
    body = {"scope": ["runtime.codex_worker_events"], "workspace_id": "ws", "role": "owner"}
    data = (await client.post("/api/khala/token", json=body)).json()["data"]
    token = data.pop("token")
    assert data.keys() == {
        *("token_type", "expires_in", "issued_at", "expires_at", "issuer", "audience", "subject", "claims_version"),
        *("scope", "workspace_id", "role"),
    }
    assert (data["scope"], data["workspace_id"], data["role"]) == (["runtime.codex_worker_events"], "ws", "owner")
    assert verify(token, PROFILES, NOW).scopes == ("runtime.codex_worker_events",)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["scope"], claims["oa_workspace_id"], claims["oa_role"]) == (data["scope"], "ws", "owner")


async def test_a_khala_token_without_scope_is_for_every_topic(client: httpx.AsyncClient) -> None:
    data = (await client.post("/api/khala/token", json={})).json()["data"]
    assert verify(data["token"], PROFILES, NOW).scopes == SYNC_TOPICS
    assert (data["scope"], data["workspace_id"], data["role"]) == ([], None, None)
    assert "scope" not in jwt.decode(data["token"], options={"verify_signature": False})


async def test_mints_that_are_not_configured_say_so(pool: asyncpg.Pool) -> None:
    settings = replace(
        SETTINGS,
        sync_token=replace(SETTINGS.sync_token, signing_key=""),
        khala_token=replace(SETTINGS.khala_token, ttl_s=5),
    )
    async with account_client(pool, settings=settings) as client:
        token = (await sign_in_as(client, "off@lane.test"))["token"]
        for path, code in (("sync", "sync_token_unavailable"), ("khala", "khala_token_unavailable")):
            answer = await client.post(f"/api/{path}/token", headers=bearer(token))
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, code)


async def test_the_even_older_mint_is_gone(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/convex/token")).status_code == 404
