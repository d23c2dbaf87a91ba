"""What owners do with their outlets: make, try, replay and remove webhooks, allow and forget browsers (ADR 15)."""

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from urllib.parse import urlsplit

import asyncpg
import msgspec

from edge.auth.clock import Clock
from edge.errors import Invalid, Issue
from producers import notices, notifications
from producers.errors import Conflict, NotFound
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.notifications import Clear
from readmodels.notifications import open_of
from schemas import compact, sql_files
from schemas.addresses import is_public
from schemas.events import Payload
from schemas.names import NOTIFICATIONS, notification_stream, user_owner

SQL = sql_files.load(__file__)

Kind = Literal["webhook", "push"]
MAX_OF_A_KIND: Final = 20
MAX_WAITING: Final = 200
SECRET_PREFIX: Final = "whsec_"


@dataclass(frozen=True)
class OutletSettings:
    """`push_key` is the public VAPID key; empty keys: nothing is pushed, no answer link is good."""

    push_key: str = ""
    answer_link_key: str = ""
    private_addresses: bool = False


class Outlet(msgspec.Struct, frozen=True):
    """How it stands; what it signs or encrypts with is not told."""

    id: int
    name: str
    address: str
    created_at: datetime
    cursor: int
    failures: int
    last_error: str | None
    last_delivered_at: datetime | None
    paused_at: datetime | None
    next_attempt_at: datetime
    head: int


class Attempt(msgspec.Struct, frozen=True):
    message_id: str
    watermark: int | None
    attempt: int
    attempted_at: datetime
    duration_ms: int
    status: int | None
    error: str | None


class Outlets:
    """Rows of the caller only; an id of somebody else's is nobody's."""

    def __init__(
        self, pool: asyncpg.Pool, log: EventLog, settings: OutletSettings, clock: Clock, entropy: random.Random
    ) -> None:
        self.settings = settings
        self._pool = pool
        self._log = log
        self._clock = clock
        self._entropy = entropy

    async def waiting(self, user_id: int) -> Sequence[Payload]:
        """What is told and not cleared, newest first."""
        return await open_of(self._pool, user_owner(user_id), MAX_WAITING)

    async def list(self, user_id: int, kind: Kind) -> Sequence[Outlet]:
        """Oldest first."""
        rows = await self._pool.fetch(SQL["list"], user_id, kind, NOTIFICATIONS)
        return [Outlet(**row) for row in rows]

    async def add_webhook(self, user_id: int, url: str, name: str) -> tuple[int, str]:
        """Its id, and its secret, which is told only now. What comes from now on is sent there."""
        self._check("url", url)
        secret = SECRET_PREFIX + base64.b64encode(self._entropy.randbytes(32)).decode()
        return await self._add(user_id, "webhook", name, url, {"secret": secret}), secret

    async def allow(self, user_id: int, endpoint: str, keys: dict[str, str], name: str) -> int:
        """Push to this browser, whosever it was before; once more is the same."""
        self._check("endpoint", endpoint)
        return await self._add(user_id, "push", name, endpoint, keys)

    async def remove(self, user_id: int, kind: Kind, outlet_id: int) -> None:
        if await self._pool.fetchval(SQL["remove"], user_id, kind, outlet_id) is None:
            raise NotFound(f"no such {kind}")
        await self._clear(user_id, outlet_id)

    async def remove_all(self, user_id: int, kind: Kind) -> int:
        return len(await self._pool.fetch(SQL["remove_all"], user_id, kind))

    async def test(self, user_id: int, outlet_id: int) -> str:
        """The id of a message that is on its way."""
        test_id = f"test_{outlet_id}_{compact.encode(self._entropy.randbytes(9))}"
        if await self._pool.fetchval(SQL["test"], user_id, outlet_id, test_id) is None:
            raise NotFound("no such webhook")
        return test_id

    async def replay(self, user_id: int, outlet_id: int, after: int | None) -> int:
        """Send what follows a watermark, or what is left; also goes on after a pause. The new cursor."""
        row = await self._pool.fetchrow(SQL["replay"], user_id, outlet_id, after, NOTIFICATIONS, self._clock())
        if row is None:
            raise NotFound("no such webhook")
        if not row["is_there"]:
            raise Invalid([Issue("after", "The after field is above everything that was ever told.")])
        await self._clear(user_id, outlet_id)
        cursor: int = row["cursor"]
        return cursor

    async def attempts(self, user_id: int, outlet_id: int) -> Sequence[Attempt]:
        """Newest first."""
        rows = await self._pool.fetch(SQL["attempts"], user_id, outlet_id)
        if not rows:
            raise NotFound("no such webhook")
        return [Attempt(**row) for row in rows if row["message_id"]]

    async def _add(self, user_id: int, kind: Kind, name: str, address: str, keys: dict[str, str]) -> int:
        told = (user_id, kind, name, address, msgspec.json.encode(keys).decode(), self._clock(), NOTIFICATIONS)
        outlet_id: int | None = await self._pool.fetchval(SQL["add"], *told, MAX_OF_A_KIND)
        if outlet_id is None:
            raise Conflict(f"there are {MAX_OF_A_KIND} already")
        return outlet_id

    async def _clear(self, user_id: int, outlet_id: int) -> None:
        """Whoever acts on it knows that it was paused."""
        name, owner = notices.webhook_notification_id(outlet_id), user_owner(user_id)
        stream = notification_stream(owner, name)
        await self._log.execute(notifications.DECIDER, stream, owner, [Item(Clear(name))])

    def _check(self, field: str, url: str) -> None:
        """An early word; the address that its name stands for is looked at with every message."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise Invalid([Issue(field, f"The {field} field must be an http or https address without a user.")])
        if not self.settings.private_addresses and _is_private(host):
            raise Invalid([Issue(field, f"The {field} field must be an address of the public internet.")])


def _is_private(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
