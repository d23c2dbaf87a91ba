"""Reading streams' inline states: snapshots and lists that see every command answered before (runtime §2.18)."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import asyncpg

from producers.eventlog.commands import Decider
from schemas import canonical_json, sql_files

S = TypeVar("S")
_SQL = sql_files.load(__file__)


class Snapshot(NamedTuple, Generic[S]):
    """A stream's state and version as committed."""

    state: S
    seq: int
    stream: str


class StreamReader:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def get(self, decider: Decider[S, Any], stream: str) -> Snapshot[S] | None:
        row = await self._pool.fetchrow(_SQL["one"], stream)
        return _snapshot(decider, row) if row else None

    async def some(self, decider: Decider[S, Any], streams: Sequence[str]) -> dict[str, Snapshot[S]]:
        """Those of them that exist, by name."""
        rows = await self._pool.fetch(_SQL["some"], streams)
        return {row["stream"]: _snapshot(decider, row) for row in rows}

    async def newest(
        self, decider: Decider[S, Any], owner: str, where: Mapping[str, str], limit: int, before: str | None = None
    ) -> list[Snapshot[S]]:
        """An owner's streams, last changed first, those after `before`; `where` names fields that must be equal."""
        fields, values = list(where), list(where.values())
        rows = await self._pool.fetch(_SQL["newest"], decider.kind, owner, fields, values, limit, before)
        return [_snapshot(decider, row) for row in rows]

    async def oldest_seq(self, stream: str) -> int:
        """Of the events that are kept; 0 when there are none (runtime §2.17)."""
        return int(await self._pool.fetchval(_SQL["oldest_seq"], stream))

    async def worker_is_elsewhere(self, worker_id: str, owner: str) -> bool:
        """Does somebody else have a worker of this id (DEC-44)?"""
        return bool(await self._pool.fetchval(_SQL["worker_elsewhere"], worker_id, owner))


def _snapshot(decider: Decider[S, Any], row: Any) -> Snapshot[S]:
    return Snapshot(canonical_json.decode_as(row["state"], decider.state), row["seq"], row["stream"])
