"""What operators see at one look: who runs, how far each part is behind the log, what is parked, what audits found."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from edge.operations import Tails
from ops.attention import attention
from processors.audit import last
from processors.log_source import LogSource, oldest_unapplied
from processors.quarantine import GENERATION, everything, identity, recorded, summary
from producers import presence
from producers.eventlog.reader import LogReader
from readmodels.catalogue import VIEWS
from readmodels.engine import versions
from schemas import sql_files
from schemas.times import iso6

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)

Applied = dict[tuple[int, str, int | None], int]
"""By epoch, name and version."""


class Head(NamedTuple):
    """Where the log ends, and when that was looked at, by Postgres' clock."""

    epoch: int
    position: int
    suspended: str | None
    recorded_at: datetime | None
    now: datetime

    def lag(self, position: int, since: datetime | None) -> dict[str, Any]:
        """Behind by so many positions, the oldest of which was recorded at `since`."""
        behind = max(self.position - position, 0)
        seconds = max((self.now - since).total_seconds(), 0.0) if behind and since else 0.0
        return {"lag_positions": behind, "lag_seconds": round(seconds, 3)}


class Follower(NamedTuple):
    """Whoever takes the records of a topic: a view's live version, or a consumer that reacts."""

    kind: str
    name: str
    version: int | None
    topic: str
    feeds: str | None
    checkpoints: dict[int, int]


class Overview:
    """All of a look is of one moment of the database, so no number contradicts another."""

    def __init__(self, pool: "asyncpg.Pool[Any]", topic_prefix: str = "") -> None:
        self._pool = pool
        self._prefix = topic_prefix
        self._applied: Applied = {}

    async def look(self, tails: Callable[[], Tails]) -> dict[str, Any]:
        """`tails` are those of the edge that is asked; they are read after the heads."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await connection.fetchrow(SQL["head"])
            assert row is not None, "migrations make the head"
            look = _Look(self._pool, connection, Head(*row), self._applied)
            told = await look.told(self._prefix, tails())
        return {"at": iso6(look.head.now), "attention": attention(told), **told}


@dataclass(frozen=True)
class _Look:
    """`applied`: up to where earlier looks have seen all of a follower's events applied."""

    pool: "asyncpg.Pool[Any]"
    connection: "Connection"
    head: Head
    applied: Applied

    async def told(self, prefix: str, tails: Tails) -> dict[str, Any]:
        topics = _topics(await self.connection.fetch(SQL["progress"], prefix), prefix)
        fed = [partition["position"] for topic in topics for partition in topic["partitions"]]
        partitions = {topic["topic"]: len(topic["partitions"]) for topic in topics}
        heads = await self.connection.fetch(SQL["journal_heads"])
        return {
            "log": await self._log(),
            "relay": await self._reader(min(fed, default=0)),
            "followers": [await self._follower(one, partitions) for one in await self._followers(prefix)],
            "journal": [await self._journal(row["topic"], row["watermark"], tails) for row in heads],
            "tail": await self._reader(tails.log),
            "processes": [_process(one) for one in await presence.everybody(self.connection)],
            "topics": topics,
            "quarantine": [_parked(one) for one in await everything(self.connection)],
            "audit": _audit(await last.last(self.connection), self.head.now),
        }

    async def _log(self) -> dict[str, Any]:
        return {
            "position": self.head.position,
            "epoch": self.head.epoch,
            "suspended": self.head.suspended,
            "recorded_at": _time(self.head.recorded_at),
            "epochs": [_with_times(row) for row in await self.connection.fetch(SQL["epochs"])],
            "timers_overdue": await self.connection.fetchval(SQL["timers_overdue"]),
        }

    async def _reader(self, position: int) -> dict[str, Any]:
        """Somebody who has read all of the log up to there."""
        since = await self.connection.fetchval(SQL["recorded_after"], position)
        return {"position": position, **self.head.lag(position, since)}

    async def _followers(self, prefix: str) -> list[Follower]:
        checkpoints = await self.connection.fetch(SQL["checkpoints"], GENERATION)
        found = [await versions.live(self.connection, view) for view in VIEWS.values()]
        views = [
            Follower("view", live.name, live.version, live.topic, live.feeds, _of(checkpoints, live.name, live.version))
            for live in found
            if live
        ]
        reactions = await self.connection.fetch(SQL["reactions"], GENERATION)
        topics = {row["name"]: row["topic"].removeprefix(prefix) for row in reactions}
        return [
            *views,
            *(Follower("reaction", name, None, topic, None, _of(reactions, name)) for name, topic in topics.items()),
        ]

    async def _follower(self, one: Follower, partitions: Mapping[str, int]) -> dict[str, Any]:
        """Behind from the oldest event of its topic that it has not applied; a quiet partition is no lag."""
        number = max(partitions.get(one.topic, 0), max(one.checkpoints, default=0) + 1)
        checkpoints = dict.fromkeys(range(number), 0) | one.checkpoints
        known = (self.head.epoch, one.name, one.version)
        after = max(self.applied.get(known, 0), min(checkpoints.values()))
        source = LogSource(LogReader(self.pool), one.topic, number)
        reached, oldest = await oldest_unapplied(self.connection, source, checkpoints, after)
        self.applied[known] = reached if oldest else max(reached, self.head.position)
        through, since = (oldest.position - 1, oldest.recorded_at) if oldest else (self.head.position, None)
        told = {name: getattr(one, name) for name in ("kind", "name", "version", "topic", "feeds")}
        return {**told, "position": max(checkpoints.values()), **self.head.lag(through, since)}

    async def _journal(self, topic: str, watermark: int, tails: Tails) -> dict[str, Any]:
        since = await self.connection.fetchval(SQL["journalled_after"], topic, tails.journal[topic])
        lag = self.head._replace(position=watermark).lag(tails.journal[topic], since)
        return {"topic": topic, "watermark": watermark, "tail": tails.journal[topic], **lag}


def _topics(rows: Iterable["asyncpg.Record"], prefix: str) -> list[dict[str, Any]]:
    """Of each partition `last_position` is its newest record's, `position` up to where it has no other."""
    topics: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        told = {name: row[name] for name in ("partition", "position", "last_position", "epoch")}
        topics.setdefault(row["topic"].removeprefix(prefix), []).append(told)
    return [{"topic": topic, "partitions": partitions} for topic, partitions in topics.items()]


def _of(rows: Iterable["asyncpg.Record"], name: str, version: int | None = None) -> dict[int, int]:
    return {row["partition"]: row["position"] for row in rows if (row["name"], row["version"]) == (name, version)}


def _process(one: presence.Seen) -> dict[str, Any]:
    return {**one._asdict(), "runs": one.runs}


def _parked(one: Any) -> dict[str, Any]:
    return {"id": identity(one), **summary(one), "record": recorded(one)}


def _audit(audit: last.LastAudit | None, now: datetime) -> dict[str, Any] | None:
    if audit is None:
        return None
    agreed_s = (now - audit.agreed_at).total_seconds() if audit.agreed_at else None
    return {
        "position": audit.position,
        "differences": audit.differences,
        "found_after": audit.found_after,
        "first": audit.first,
        "begun_at": iso6(audit.begun_at),
        "agreed_at": _time(audit.agreed_at),
        "agreed_seconds_ago": agreed_s,
    }


def _with_times(row: "asyncpg.Record") -> dict[str, Any]:
    return {name: iso6(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _time(moment: datetime | None) -> str | None:
    return iso6(moment) if moment else None
