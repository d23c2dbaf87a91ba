"""What the last audits found, kept for whoever asks: one row, shared by all processes."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    from processors.audit.audit import Report

    Queried = asyncpg.Pool[Any] | asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)

RECENT = 10_000
"""Where the first audit of all begins: so many positions before the end of the log."""


class LastAudit(NamedTuple):
    """`differences` were found, first after `found_after`, and not seen gone; looked at up to `position`."""

    position: int
    differences: int
    first: list[str]
    agreed_at: datetime | None
    found_after: int | None
    begun_at: datetime


async def claim(pool: "asyncpg.Pool[Any]", period: timedelta) -> int | None:
    """After which position to audit; None when somebody else has begun to within the period."""
    position: int | None = await pool.fetchval(SQL["claim"], period, RECENT)
    return position


async def record(pool: "asyncpg.Pool[Any]", report: "Report") -> None:
    await pool.execute(SQL["record"], report.after, report.up_to, report.differences, report.first)


async def last(pool: "Queried") -> LastAudit | None:
    row = await pool.fetchrow(SQL["last"])
    return LastAudit(*row) if row else None
