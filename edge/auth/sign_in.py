"""Sign-in by e-mail code: six digits, ten minutes, single use, the newest wins (edge §2.1)."""

import hashlib
import hmac
import random
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from edge.auth import sessions
from edge.auth.accounts import User, sign_in_user
from edge.auth.clock import Clock
from edge.auth.mail import Mail, Mailer
from edge.auth.sessions import Sessions
from edge.auth.tokens import Tokens
from schemas import sql_files

SQL = sql_files.load(__file__)
CODE_LIFETIME = timedelta(minutes=10)
MAX_TRIES = 5
TOKEN_NAMES = {
    "autopilot-ios": "mobile:autopilot-ios",
    "openagents-expo": "mobile:openagents-expo",
    "autopilot-desktop": "desktop:autopilot-desktop",
    "openagents-desktop": "desktop:openagents-desktop",
}
"""Name of the personal token by `X-Client`; other clients get none."""


@dataclass(frozen=True)
class SignedIn:
    user: User
    session_id: str
    token: str | None


@dataclass(frozen=True)
class LocalSignIn:
    """Whoever knows `key` signs in to this account without a code; in the local profile only."""

    email: str
    key: str


@dataclass(frozen=True)
class SignIn:
    pool: asyncpg.Pool
    clock: Clock
    entropy: random.Random
    mailer: Mailer
    sessions: Sessions
    tokens: Tokens

    async def send_code(self, session_id: str, email: str) -> None:
        """Mails a code and makes it the session's pending sign-in. Raises MailFailed, then nothing has changed."""
        code = f"{self.entropy.randrange(10**6):06d}"
        await self.mailer.send(_mail(email, code))
        address, session_hash = email.lower(), sessions.id_hash(session_id)
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["forget_others"], session_hash, address)
            expires_at = self.clock() + CODE_LIFETIME
            await connection.execute(SQL["put_code"], address, session_hash, _code_hash(session_id, code), expires_at)

    async def verify(self, session_id: str, code: str, token_name: str | None) -> SignedIn | None:
        """None when the code is not the pending one, too old, used, or was guessed at too often."""
        session_hash, code_hash = sessions.id_hash(session_id), _code_hash(session_id, code)
        async with self.pool.acquire() as connection:
            pending = await connection.fetch(SQL["try_code"], session_hash, MAX_TRIES, self.clock())
            proven = next((row["email"] for row in pending if hmac.compare_digest(row["code_hash"], code_hash)), None)
            if proven is None:
                return None
            async with connection.transaction():
                if await connection.fetchval(SQL["spend_code"], proven, session_hash, code_hash) is None:
                    return None
                user = await sign_in_user(connection, proven, self.clock())
                token = await self.tokens.replace(connection, user.id, token_name) if token_name else None
                return SignedIn(user, await self.sessions.rotate(connection, session_id, user.id), token)

    async def enter(self, email: str, session_id: str | None) -> str:
        """The session of somebody who needs no code; it takes the place of `session_id`."""
        async with self.pool.acquire() as connection, connection.transaction():
            user = await sign_in_user(connection, email, self.clock())
            return await self.sessions.rotate(connection, session_id or "", user.id)

    async def sweep(self) -> None:
        await self.pool.execute(SQL["sweep"], self.clock())


async def ensure_local_account(
    pool: asyncpg.Pool, email: str, token: str | None, *, clock: Clock, entropy: random.Random
) -> str:
    """A personal token of this account, made when it is missing; `token` comes back when it is one already."""
    tokens = Tokens(pool, clock, entropy)
    caller = await tokens.caller(token) if token else None
    if token and caller and caller.user.email == email.lower():
        return token
    async with pool.acquire() as connection, connection.transaction():
        user = await sign_in_user(connection, email, clock())
        return await tokens.replace(connection, user.id, "local")


def _code_hash(session_id: str, code: str) -> bytes:
    """Keyed with what is not kept: the table alone does not tell a code by trying all of them."""
    return hmac.digest(session_id.encode(), code.encode(), hashlib.sha256)


def _mail(email: str, code: str) -> Mail:
    minutes = CODE_LIFETIME // timedelta(minutes=1)
    text = f"Your code is {code}. It works for {minutes} minutes.\n\nIf you did not ask for it, ignore this mail.\n"
    return Mail(email, "Your sign-in code", text, code)
