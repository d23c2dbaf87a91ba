"""Reading the log for what policy decided, and for the calls that a policy set may be tried on."""

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Final

from producers.eventlog.reader import recorded
from producers.policies import PolicySet
from schemas import canonical_json, sql_files
from schemas.budgets_generated import HoldCommitted, HoldReserved
from schemas.events import Payload, Recorded
from schemas.names import policy_stream
from schemas.runs_generated import PolicyDecision

if TYPE_CHECKING:
    import asyncpg

    Pool = asyncpg.Pool[Any]

Versions = tuple[tuple[str, int], ...]
"""By stream the seq of an owner's sets; they name the owner."""

_SQL = sql_files.load(__file__)
_STRETCH: Final = 20_000
_TYPES: Final = [HoldReserved.type, HoldCommitted.type, PolicyDecision.type, "tool.call"]


async def calls(pool: "Pool", owner: str, after: int, up_to: int) -> AsyncIterator[Recorded]:
    """What an owner's calls left in the positions `(after, up_to]` of the log, in their order."""
    while after < up_to:
        end = min(after + _STRETCH, up_to)
        for row in await pool.fetch(_SQL["calls"], after, end, owner, _TYPES):
            yield recorded(row)
        after = end


async def decision(pool: "Pool", decision_id: str) -> Recorded | None:
    """The newest `policy.decision` of this id (runtime §3.6)."""
    row = await pool.fetchrow(_SQL["decision"], decision_id)
    return recorded(row) if row else None


async def proposed(pool: "Pool", owner: str, name: str, version: int) -> Payload | None:
    """A set's document as it was proposed; None when there is none, or it was erased."""
    row = await pool.fetchrow(_SQL["proposal"], policy_stream(owner, name), version)
    document: Payload | None = recorded(row).payload.get("document") if row else None
    return document


async def versions_of_owner(pool: "Pool", owner: str) -> Versions:
    """Before every decision: without the documents."""
    return _versions(await pool.fetch(_SQL["versions_of_owner"], owner))


async def sets_of_owner(pool: "Pool", owner: str) -> tuple[Versions, list[PolicySet]]:
    """Active or not."""
    rows = await pool.fetch(_SQL["sets_of_owner"], owner)
    return _versions(rows), _states(rows)


async def every_set(pool: "Pool") -> list[PolicySet]:
    return _states(await pool.fetch(_SQL["every_set"]))


def _versions(rows: Iterable[Any]) -> Versions:
    return tuple((row["stream"], row["seq"]) for row in rows)


def _states(rows: Iterable[Any]) -> list[PolicySet]:
    return [canonical_json.decode_as(row["state"], PolicySet) for row in rows]
