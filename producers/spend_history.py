"""What became of a budget's money, from the log: what is held and for what, what was settled, and what was refused."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from producers.budgets import Budget
from producers.eventlog.reader import recorded
from producers.holds import Hold
from schemas import canonical_json, sql_files
from schemas.events import Payload, Recorded
from schemas.names import budget_stream

if TYPE_CHECKING:
    import asyncpg

    Pool = asyncpg.Pool[Any]

_SQL = sql_files.load(__file__)
_PAGE: Final = 200
_NEWEST: Final = 2**63 - 1


async def open_holds(pool: "Pool", owner: str, authorization_id: str, limit: int) -> list[Hold]:
    """Those on the budget and on budgets below it, last changed first: a hold is taken on the whole path."""
    return _holds(await pool.fetch(_SQL["open_holds"], owner, authorization_id, limit))


async def settled_holds(pool: "Pool", authorization_id: str, limit: int) -> list[Hold]:
    """Those that were committed or released, the last settled first, as the budget's own stream tells of them."""
    return _holds(await pool.fetch(_SQL["settled_holds"], budget_stream(authorization_id), limit))


async def children(pool: "Pool", owner: str, authorization_id: str, limit: int) -> list[Budget]:
    """The budgets right below."""
    rows = await pool.fetch(_SQL["children"], owner, authorization_id, limit)
    return [canonical_json.decode_as(row["state"], Budget) for row in rows]


async def denials(pool: "Pool", owner: str, authorization_id: str, limit: int) -> list[Recorded]:
    """Decisions that refused a call on this budget, or by this budget one on a budget below it; newest first.

    All of the owner's are looked at until there are enough: refusals are few, for the same twice in a row is one.
    """
    found: list[Recorded] = []
    before = _NEWEST
    while len(found) < limit:
        page = [recorded(row) for row in await pool.fetch(_SQL["denials"], owner, before, _PAGE)]
        found += [event for event in page if _is_about(event, authorization_id)]
        if len(page) < _PAGE:
            break
        before = page[-1].position
    return found[:limit]


def refused_by(told: Payload) -> Payload | None:
    """The budget of the path that refused, as it was then."""
    inputs = told.get("inputs")
    found = inputs.get("refused_by") if isinstance(inputs, dict) else None
    return found if isinstance(found, dict) else None


def _is_about(event: Recorded, authorization_id: str) -> bool:
    """What clients wrote decided nothing."""
    by = refused_by(event.payload) or {}
    return event.version > 0 and authorization_id in (
        event.payload.get("authorization_id"),
        by.get("authorization_id"),
    )


def _holds(rows: Iterable[Any]) -> list[Hold]:
    return [canonical_json.decode_as(row["state"], Hold) for row in rows]
