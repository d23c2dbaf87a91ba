"""What a log holds, told cheaply: its ends exactly, its composition from a sample when it is long."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg

_SQL = sql_files.load(__file__)
SAMPLED_EVENTS: Final = 300_000


class Share(msgspec.Struct, frozen=True):
    """Events of one kind, type or owner, and the bytes of their payloads."""

    name: str
    events: int
    payload_bytes: int


class Statistics(msgspec.Struct, frozen=True):
    """`estimated`: counts come from a sample of the table, scaled."""

    epoch: int
    head: int
    suspended: str | None
    first_position: int | None
    first_at: datetime | None
    last_at: datetime | None
    table_bytes: int
    index_bytes: int
    estimated: bool
    kinds: list[Share]
    types: list[Share]
    owners: list[Share]


async def statistics(pool: "asyncpg.Pool[Any]", top: int, sampled_events: int = SAMPLED_EVENTS) -> Statistics:
    """The `top` kinds, types and owners with the most events."""
    totals = dict(await pool.fetchrow(_SQL["totals"]) or {})
    part = min(1.0, sampled_events / max(totals.pop("estimated_events"), 1))

    async def shares(statement: str) -> list[Share]:
        return [_scaled(row, part) for row in await pool.fetch(_SQL[statement], 100 * part, top)]

    return Statistics(
        **totals,
        estimated=part < 1,
        kinds=await shares("by_kind"),
        types=await shares("by_type"),
        owners=await shares("by_owner"),
    )


def _scaled(row: "asyncpg.Record", part: float) -> Share:
    return Share(row["name"], round(row["events"] / part), round(row["payload_bytes"] / part))
