"""A real edge on a loopback port, with two users, for tests that speak HTTP and WebSocket to it."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import uvicorn

from edge.app import Edge, EdgeSettings, Outside, Server, build
from edge.auth.mail.mailbox import Mailbox
from edge.auth.rate_limits import Counter, MemoryCounter
from edge.auth.request_token import HEADER, Claims, RequestTokenSettings, sign
from edge.auth.services import AuthSettings
from edge.auth.sign_in import LocalSignIn
from edge.auth.sync_tokens import KhalaTokenSettings, SyncTokenSettings
from edge.outlets import OutletSettings
from edge.sync.websocket import UVICORN
from ops.operations import operations
from schemas.tracing import Spans

SIGNING_KEY = "signing-key-of-the-tests"
ISSUER = "http://edge.test"
SETTINGS = EdgeSettings(
    auth=AuthSettings(
        sync_token=SyncTokenSettings(issuer=ISSUER, signing_key="sync-key-of-the-tests-0123456789abcdef"),
        khala_token=KhalaTokenSettings(issuer=ISSUER, signing_key="khala-key-of-the-tests-0123456789abcdef"),
        request_token=RequestTokenSettings(SIGNING_KEY),
    ),
    outlets=OutletSettings(push_key="public-key-of-the-tests", answer_link_key="answer-link-key-of-the-tests"),
    dev_pages=True,
    local_sign_in=LocalSignIn("local@lane.test", "key-of-the-tests"),
    release="test",
)


@dataclass(frozen=True)
class Caller:
    """One principal's way into both APIs."""

    http: httpx.AsyncClient
    user_id: int
    bearer: str

    async def public(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.http.request(
            method, f"/api{path}", headers={"authorization": f"Bearer {self.bearer}"}, **options
        )

    async def signed(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        claims: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """`claims` are what the token binds besides the user."""
        token = {HEADER: signed_token(user_id=self.user_id, **(claims or {})), "x-oa-user-id": str(self.user_id)}
        return await self.http.request(method, f"/internal/v1{path}", headers=token | dict(headers or {}), **options)


@dataclass(frozen=True)
class Node:
    edge: Edge
    url: str
    http: httpx.AsyncClient
    ada: Caller
    bob: Caller


def signed_token(key: str = SIGNING_KEY, **claims: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    told: dict[str, Any] = {"iat": now, "exp": now + 60, "nonce": uuid.uuid4().hex} | claims
    return sign(Claims(**told), key)


@asynccontextmanager
async def node(
    pool: "asyncpg.Pool[Any]",
    settings: EdgeSettings = SETTINGS,
    counter: Counter | None = None,
    spans: Spans | None = None,
) -> AsyncIterator[Node]:
    mailbox = Mailbox(pool, lambda: datetime.now(UTC))
    ours = operations(pool, settings.topic_prefix)
    edge = await build(settings, Outside(pool, mailbox, counter or MemoryCounter(), spans=spans, operations=ours))
    config = uvicorn.Config(edge.app, port=0, proxy_headers=False, log_config=None, lifespan="off", **UVICORN)
    server = Server(config, edge.drain)
    tasks = [asyncio.create_task(server.serve()), asyncio.create_task(edge.run())]
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            yield Node(edge, url, http, await sign_in(http, "ada@lane.test"), await sign_in(http, "bob@lane.test"))
    finally:
        server.should_exit = True
        await tasks[0]
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await edge.close()


async def sign_in(http: httpx.AsyncClient, email: str) -> Caller:
    """Steps 1–3 of the phone (edge §2.12)."""
    http.cookies.clear()
    headers = {"x-client": "autopilot-ios", "accept": "application/json"}
    (await http.post("/api/auth/email", json={"email": email}, headers=headers)).raise_for_status()
    mailbox = (await http.get("/dev/mailbox", params={"to": email}, headers=headers)).json()["data"]
    answer = await http.post("/api/auth/verify", json={"code": mailbox[0]["code"]}, headers=headers)
    answer.raise_for_status()
    http.cookies.clear()
    return Caller(http, int(answer.json()["userId"]), answer.json()["token"])


def sse_events(text: str) -> list[dict[str, Any]]:
    """The frames of an event stream: `id`, `event` and decoded `data`."""
    frames = [dict(line.split(": ", 1) for line in block.split("\n")) for block in text.split("\n\n") if block]
    return [{**frame, "id": int(frame["id"]), "data": json.loads(frame["data"])} for frame in frames]
