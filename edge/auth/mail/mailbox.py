"""The local profile's mail: a table that every edge process writes and `/dev/mailbox` shows."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from edge.auth.clock import Clock
from edge.auth.mail import Mail, MailFailed
from schemas import sql_files
from schemas.lost_connections import LOST_CONNECTION

SQL = sql_files.load(__file__)


@dataclass(frozen=True)
class Received:
    mail: Mail
    at: datetime


class Mailbox:
    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def send(self, mail: Mail) -> None:
        try:
            await self._pool.execute(SQL["add"], mail.to, mail.subject, mail.text, mail.code, self._clock())
        except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
            raise MailFailed(str(error)) from error

    async def newest(self, recipient: str | None, limit: int = 100) -> list[Received]:
        """Newest first, of one address or of all."""
        rows = await self._pool.fetch(SQL["newest"], recipient, limit)
        return [Received(Mail(row["recipient"], row["subject"], row["text"], row["code"]), row["at"]) for row in rows]
