"""Budgets audited: what was done to them lately, on top of all that was done before (DESIGN I7)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from processors.audit.evidence import HISTORY_PAGE
from producers.budgets import MAX_PATH
from producers.eventlog.reader import recorded
from producers.ledger import Ledger
from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg

_SQL = sql_files.load(__file__)


async def ledger_differences(pool: "asyncpg.Pool[Any]", after: int, affords: Callable[[int], bool]) -> list[str]:
    """What is wrong about money above a position; nothing when its streams are too long for this audit.

    Also above what is relayed: the log alone is asked, and a transaction's events are all there.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        touched = await connection.fetch(_SQL["touched"], after - MAX_PATH)
        if not touched or not affords(sum(row["seq"] for row in touched)):
            return []
        ledger, found = Ledger(after), list[str]()
        streams = [row["stream"] for row in touched]
        async for row in connection.cursor(_SQL["events"], streams, prefetch=HISTORY_PAGE):
            found += ledger.take(recorded(row))
        return [*found, *ledger.end()]
