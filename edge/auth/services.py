"""Everything the account routes and the signed API share, built once from the pool and the settings."""

import asyncio
import random
from dataclasses import dataclass, field

import asyncpg
import structlog

from edge.auth.clock import Clock
from edge.auth.mail import Mailer
from edge.auth.mail.mailbox import Mailbox
from edge.auth.nonces import Nonces
from edge.auth.rate_limits import Counter, RateLimits
from edge.auth.request_token import RequestTokenSettings
from edge.auth.sessions import Sessions, SessionSettings
from edge.auth.sign_in import SignIn
from edge.auth.signed_requests import RequestTokens
from edge.auth.sync_tokens import KhalaTokenSettings, SyncTokenSettings
from edge.auth.tokens import Tokens
from edge.responses import DATABASE_ERRORS
from schemas.cancellation import raise_if_cancelled

SWEEP_EVERY_S = 60.0

logger = structlog.get_logger()


@dataclass(frozen=True)
class AuthSettings:
    sync_token: SyncTokenSettings
    khala_token: KhalaTokenSettings
    request_token: RequestTokenSettings
    session: SessionSettings = field(default_factory=SessionSettings)


@dataclass(frozen=True)
class SyncTokens:
    """What the two mints take."""

    sync: SyncTokenSettings
    khala: KhalaTokenSettings
    clock: Clock
    entropy: random.Random


@dataclass(frozen=True)
class Sweeper:
    """Removes what has expired: nonces, codes, sessions."""

    nonces: Nonces
    sign_in: SignIn
    sessions: Sessions

    async def sweep(self) -> None:
        await self.nonces.sweep()
        await self.sign_in.sweep()
        await self.sessions.sweep()

    async def run(self) -> None:
        """For the process's task group; a lost database only postpones."""
        while True:
            try:
                await self.sweep()
            except DATABASE_ERRORS as error:
                logger.warning("expired rows stay for now", error=str(error))
            raise_if_cancelled()
            await asyncio.sleep(SWEEP_EVERY_S)


def auth_services(
    pool: asyncpg.Pool,
    settings: AuthSettings,
    mailer: Mailer,
    counter: Counter,
    clock: Clock,
    entropy: random.Random,
) -> list[object]:
    """Parts for `edge.requests.Services`; `entropy` is a `random.SystemRandom` except in tests."""
    tokens = Tokens(pool, clock, entropy)
    sessions = Sessions(pool, clock, entropy, settings.session)
    sign_in = SignIn(pool, clock, entropy, mailer, sessions, tokens)
    nonces = Nonces(pool, clock)
    return [
        tokens,
        sessions,
        sign_in,
        RateLimits(counter, clock),
        SyncTokens(settings.sync_token, settings.khala_token, clock, entropy),
        RequestTokens(settings.request_token, nonces, clock),
        Sweeper(nonces, sign_in, sessions),
        *([mailer] if isinstance(mailer, Mailbox) else []),
    ]
