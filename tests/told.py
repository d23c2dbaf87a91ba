"""Notifications in the journal, as the projector writes them, and outlets that follow them."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec

from edge.auth.accounts import sign_in_user
from edge.outlets import Outlets as OwnersOutlets
from edge.outlets import OutletSettings as EdgeSettings
from processors.outlet_messages import Links
from processors.outlets import Outlets, OutletSettings
from producers.eventlog.log import EventLog
from readmodels import journal, notifications
from readmodels.journal import News
from schemas import canonical_json
from schemas.events import Payload, Recorded
from schemas.names import NOTIFICATION, NOTIFICATIONS, notification_stream, user_owner
from schemas.times import iso6

LINKS: Final = Links("https://edge.test", "answer-link-key-of-the-tests")
QUICK: Final = OutletSettings(
    links=LINKS,
    private_addresses=True,
    look_every_s=0.02,
    first_pause=timedelta(milliseconds=10),
    longest_pause=timedelta(milliseconds=50),
)


_SHOWN: Final = """
    insert into rm_notifications_v1.documents (owner, doc_key, document, doc_version, last_position, projected_at)
    values ($1, $2, $3, $4, $4, $5)
    on conflict (owner, doc_key) do update set document = excluded.document, doc_version = excluded.doc_version
"""


def now() -> datetime:
    return datetime.now(UTC)


class Owner:
    """A user, what is told them, and their outlets."""

    def __init__(self, pool: "asyncpg.Pool[Any]", user_id: int, log: EventLog) -> None:
        self.pool = pool
        self.user_id = user_id
        edge = EdgeSettings(private_addresses=True)
        self.outlets = OwnersOutlets(pool, log, edge, now, random.SystemRandom())
        self._seq = 0

    @property
    def owner(self) -> str:
        return user_owner(self.user_id)

    async def webhook(self, url: str) -> tuple[int, str]:
        return await self.outlets.add_webhook(self.user_id, url, "")

    async def tell(self, *names: str, status: str = "open", cause: str = "worker_lost", **subject: Any) -> None:
        """One notification each, raised or cleared."""
        documents = [self._document(name, status, cause, subject) for name in names]
        async with self.pool.acquire() as connection, connection.transaction():
            await journal.append(connection, NOTIFICATIONS, documents)
            for one in documents:
                await connection.execute(_SHOWN, one.owner, one.doc_key, one.payload, one.doc_version, now())

    async def ask(self, approval_id: str, worker_id: str = "wk1", within: timedelta = timedelta(minutes=5)) -> None:
        subject = {"worker_id": worker_id, "approval_id": approval_id, "expires_at": iso6(now() + within)}
        await self.tell(f"approval/{worker_id}/{approval_id}", cause="approval_waiting", **subject)

    async def stands(self) -> dict[str, Any]:
        """The only webhook's row."""
        return dict(await self.pool.fetchrow("select * from outlets where user_id = $1", self.user_id) or {})

    async def attempts(self) -> list[tuple[str, int, int | None]]:
        """Message, its attempt, its status; in order."""
        rows = await self.pool.fetch(
            "select a.* from outlet_attempts a join outlets o on o.id = outlet_id where user_id = $1 order by a.id",
            self.user_id,
        )
        return [(row["message_id"], row["attempt"], row["status"]) for row in rows]

    def _document(self, name: str, status: str, cause: str, subject: Payload) -> News:
        self._seq += 1
        payload = {"notification_id": name, "cause": cause, "title": name, "subject": subject}
        event = Recorded(
            *(self._seq, NOTIFICATION, notification_stream(self.owner, name), self._seq),
            *("notification.raised" if status == "open" else "notification.cleared", 1, self.owner, payload),
            *(b"", {}, now()),
        )
        document = msgspec.structs.replace(notifications.apply(None, event), cause=cause, title=name, subject=subject)
        told = canonical_json.encode(msgspec.to_builtins(document)).decode()
        return News(self.owner, notifications.document_id(name), self._seq, self._seq, told)


async def owner_of(pool: "asyncpg.Pool[Any]", log: EventLog, email: str) -> Owner:
    async with pool.acquire() as connection:
        return Owner(pool, (await sign_in_user(connection, email, now())).id, log)


@asynccontextmanager
async def delivering(
    pool: "asyncpg.Pool[Any]", log: EventLog, settings: OutletSettings = QUICK, name: str = "here", **other: Any
) -> AsyncIterator[Outlets]:
    """As in the processors."""
    outlets = Outlets(pool, log, replace(settings, **other), name, now, random.Random(7))
    task = asyncio.create_task(outlets.run())
    try:
        yield outlets
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
