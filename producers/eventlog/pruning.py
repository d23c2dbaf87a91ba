"""Taking away what events of a stream say: rows and digests stay, and so order and chains (DESIGN I2, ADR 12)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg

_SQL = sql_files.load(__file__)


async def blank(pool: "asyncpg.Pool[Any]", stream: str, seqs: Sequence[int]) -> None:
    """Payloads and headers become empty; nobody may be served these events any more, and no state be made of them."""
    await pool.execute(_SQL["blank"], stream, seqs)
