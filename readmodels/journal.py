"""The journal of document topics: what changed for readers, each row with a watermark of its own (DESIGN §7)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from schemas import canonical_json, sql_files
from schemas.history import Epoch, History

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)


class News(msgspec.Struct, frozen=True):
    """A changed document on its way into the journal; `payload` is canonical JSON, which its hash is over."""

    owner: str
    doc_key: str
    doc_version: int
    position: int
    payload: str


class JournalRow(msgspec.Struct, frozen=True):
    """A row as sockets deliver it (sync §13); `payload_hash` is the raw SHA-256."""

    topic: str
    watermark: int
    doc_key: str
    doc_version: int
    payload: dict[str, Any] | None
    payload_hash: bytes
    owner: str
    position: int


class JournalPage(msgspec.Struct, frozen=True):
    """Rows after a cursor; the owner has no other up to and including `through`."""

    rows: list[JournalRow]
    through: int


async def install(connection: "Connection") -> None:
    """Create or replace the function that appends; runs with the migrations."""
    await connection.execute(SQL["install"])


async def append(connection: "Connection", topic: str, news: Sequence[News]) -> None:
    """Write one row each and wake the tails, within the caller's transaction and as its last lock."""
    await connection.execute(SQL["append"], topic, *columns(news))


def columns(news: Sequence[News]) -> list[list[Any]]:
    """The arguments of `journal_append` after its topic."""
    return [[getattr(one, name) for one in news] for name in News.__struct_fields__]


class JournalReader:
    """Plain cursors over committed rows."""

    def __init__(self, pool: "asyncpg.Pool[Any]") -> None:
        self._pool = pool

    async def read_owner(self, topic: str, owner: str, after: int, limit: int) -> JournalPage:
        """One owner's rows; `through` is the topic's head when there are no more, else the last row's watermark."""
        return _page(await self._pool.fetch(SQL["read_owner"], topic, owner, after, limit), limit)

    async def read_around(self, topic: str, owner: str, watermark: int, rows: int) -> tuple[int, JournalPage]:
        """So many of the owner's rows up to `watermark`, as many above it, and the cursor before all of them: 0 when
        there are fewer."""
        records = await self._pool.fetch(SQL["read_around"], topic, owner, watermark, rows)
        return records[0]["start"], _page(records, 2 * rows)

    async def read_all(self, topic: str, after: int, limit: int) -> list[JournalRow]:
        return [_row(record) for record in await self._pool.fetch(SQL["read_all"], topic, after, limit)]

    async def read_on(self, cursors: Mapping[str, int], limit: int) -> list[JournalRow]:
        """The next rows of each topic, at most `limit` of each, topic after topic."""
        return [
            _row(record) for record in await self._pool.fetch(SQL["read_on"], [*cursors], [*cursors.values()], limit)
        ]

    async def head(self, topic: str) -> int:
        """The topic's last watermark, or what its first row will follow."""
        watermark: int = await self._pool.fetchval(SQL["head"], topic)
        return watermark

    async def histories(self) -> dict[str, History]:
        """The epochs of each topic's watermarks; a topic that was never restored has none here."""
        rows = await self._pool.fetch(SQL["histories"])
        of_topic = groupby(rows, lambda row: row["topic"])
        return {topic: History([Epoch(*row[1:]) for row in epochs]) for topic, epochs in of_topic}

    async def watermarks(self) -> dict[str, int]:
        """Every topic's head."""
        return {row["topic"]: row["watermark"] for row in await self._pool.fetch(SQL["watermarks"])}

    async def floor(self, topic: str, owner: str, horizon: datetime) -> int:
        """Watermark of the owner's newest row that is older than the horizon; 0 if none."""
        watermark: int | None = await self._pool.fetchval(SQL["floor"], topic, owner, horizon)
        return watermark or 0


def _page(records: "Sequence[asyncpg.Record]", limit: int) -> JournalPage:
    rows = [_row(record) for record in records if record["watermark"] is not None]
    return JournalPage(rows, rows[-1].watermark if len(rows) == limit else records[0]["head"])


def _row(record: "asyncpg.Record") -> JournalRow:
    return JournalRow(
        topic=record["topic"],
        watermark=record["watermark"],
        doc_key=record["doc_key"],
        doc_version=record["doc_version"],
        payload=None if record["payload"] is None else canonical_json.decode(record["payload"]),
        payload_hash=record["payload_hash"],
        owner=record["owner"],
        position=record["position"],
    )
