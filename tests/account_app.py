"""A tiny app of the account routes and one signed route, on a real database, with a clock that a test moves."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.api import mailbox, me, sign_in, sync_tokens, tokens
from edge.auth.mail import Mailer
from edge.auth.mail.mailbox import Mailbox
from edge.auth.rate_limits import Counter, MemoryCounter
from edge.auth.request_token import RequestTokenSettings
from edge.auth.services import AuthSettings, auth_services
from edge.auth.sessions import SessionSettings
from edge.auth.signed_requests import signed
from edge.auth.sync_tokens import KhalaTokenSettings, SyncTokenSettings
from edge.middleware import middleware
from edge.requests import Services, endpoints
from edge.responses import EXCEPTION_HANDLERS, data
from edge.sync.topics import Positions
from schemas.names import SYNC_TOPICS
from tests.live_sockets import MemoryTopic

NOON = datetime(2026, 2, 25, 12, 0, tzinfo=UTC)
ORIGIN = "http://edge.test"
SIGNING_KEY = "contract-demo-secret"
SETTINGS = AuthSettings(
    sync_token=SyncTokenSettings(issuer=ORIGIN, signing_key="sync-key-of-the-tests-0123456789abcdef"),
    khala_token=KhalaTokenSettings(issuer=ORIGIN, signing_key="khala-key-of-the-tests-0123456789abcdef"),
    request_token=RequestTokenSettings(SIGNING_KEY),
    session=SessionSettings(first_party_hosts=("edge.test",)),
)


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **period: float) -> None:
        self.now += timedelta(**period)


class Unlimited(MemoryCounter):
    """Counts like the real one; no limit is ever reached."""

    async def hit(self, key: str, limit: int) -> Any:
        return replace(await super().hit(key, 10**9), allowed=True)


async def whoami(request: Request) -> Response:
    return data((await signed(request)).worker_principal().owner)


ROUTES = [
    *(route for module in (sign_in, tokens, me, sync_tokens, mailbox) for route in module.routes),
    endpoints("/internal/v1/whoami", GET=whoami, POST=whoami),
]


@dataclass
class AccountApp:
    pool: asyncpg.Pool
    mailer: Mailer
    clock: Clock = field(default_factory=Clock)

    def app(
        self, settings: AuthSettings = SETTINGS, counter: Counter | None = None, routes: Sequence[Route] = ROUTES
    ) -> Starlette:
        services = auth_services(
            self.pool, settings, self.mailer, counter or Unlimited(), self.clock, random.SystemRandom()
        )
        positions = Positions([MemoryTopic(topic, first=4712) for topic in SYNC_TOPICS])
        app = Starlette(
            routes=routes, middleware=middleware([], lambda _: False), exception_handlers=EXCEPTION_HANDLERS
        )
        app.router.redirect_slashes = False
        app.state.services = Services(*services, positions)
        return app


@asynccontextmanager
async def account_client(
    pool: asyncpg.Pool,
    *,
    clock: Clock | None = None,
    mailer: Mailer | None = None,
    settings: AuthSettings = SETTINGS,
    counter: Counter | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a cookie jar of its own."""
    clock = clock or Clock()
    parts = AccountApp(pool, mailer or Mailbox(pool, clock), clock)
    async with client_of(parts.app(settings, counter)) as client:
        yield client


def client_of(app: Starlette) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN)


async def code_of(client: httpx.AsyncClient, email: str) -> str:
    """The newest code in the mailbox."""
    mails = await client.get("/dev/mailbox", params={"to": email}, headers={"accept": "application/json"})
    code: str = mails.json()["data"][0]["code"]
    return code


async def sign_in_as(client: httpx.AsyncClient, email: str, x_client: str = "autopilot-ios") -> dict[str, Any]:
    """What the verify call answers; the client's cookie jar is signed in."""
    await client.post("/api/auth/email", json={"email": email})
    answer = await client.post(
        "/api/auth/verify", json={"code": await code_of(client, email)}, headers={"x-client": x_client}
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
