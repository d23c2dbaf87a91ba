"""Which runs somebody has, how each is going, what it said last and what it cost, as committed (runtime §2.18)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from producers.eventlog.reader import recorded
from producers.ownership import Ownership
from producers.runs import Run
from schemas import canonical_json, sql_files
from schemas.events import Recorded
from schemas.names import run_id_of, run_stream

if TYPE_CHECKING:
    import asyncpg

    Pool = asyncpg.Pool[Any]

_SQL = sql_files.load(__file__)
_LAST_EVENTS: Final = 20


class Picked(NamedTuple):
    """Which of an owner's runs; None picks all."""

    status: str | None = None
    thread_id: str | None = None
    run_id: str | None = None


class Listed(NamedTuple):
    """A run; None when it has no events yet."""

    run_id: str
    ownership: Ownership
    run: Run | None


class Cost(NamedTuple):
    """Of all holds that were taken for a run, whoever asked for them."""

    spent_msats: int = 0
    held_msats: int = 0


async def runs_of(pool: "Pool", owner: str, picked: Picked, limit: int) -> list[Listed]:
    """The last created first."""
    rows = await pool.fetch(_SQL["runs"], owner, *picked, limit)
    return [_listed(row) for row in rows]


async def last_events(pool: "Pool", run_ids: Sequence[str]) -> dict[str, list[Recorded]]:
    """The newest of each run, oldest first."""
    found: dict[str, list[Recorded]] = {run_id: [] for run_id in run_ids}
    for row in await pool.fetch(_SQL["last_events"], list(map(run_stream, run_ids)), _LAST_EVENTS):
        found[run_id_of(row["stream"])].append(recorded(row))
    return found


async def costs(pool: "Pool", owner: str, run_ids: Sequence[str]) -> dict[str, Cost]:
    """By run; one that nothing was held for is left out."""
    rows = await pool.fetch(_SQL["costs"], owner, run_ids)
    return {row["run_id"]: Cost(row["spent_msats"], row["held_msats"]) for row in rows}


def _listed(row: Any) -> Listed:
    run = canonical_json.decode_as(row["run"], Run) if row["run"] else None
    return Listed(run_id_of(row["stream"]), canonical_json.decode_as(row["ownership"], Ownership), run)
