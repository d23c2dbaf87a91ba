"""Which hold a tool call of a run is about: of the authorization that it names, or of one that is found (§3.3)."""

from typing import TYPE_CHECKING, Any, Final

from producers import budgets, ownership, resolution
from producers.budgets import Budget
from producers.errors import NotFound
from producers.eventlog.recent import Recent
from producers.eventlog.streams import StreamReader
from producers.ownership import Ownership
from producers.resolution import Scope
from producers.spending import Target
from schemas import canonical_json, sql_files
from schemas.names import budget_stream, ownership_stream

if TYPE_CHECKING:
    import asyncpg

SQL = sql_files.load(__file__)
_REMEMBERED: Final = 20_000


class Targets:
    """Paths and threads never change, so they are remembered."""

    def __init__(self, pool: "asyncpg.Pool[Any]") -> None:
        self._pool = pool
        self._streams = StreamReader(pool)
        self._paths: Recent[str, tuple[str, ...]] = Recent(_REMEMBERED)
        self._runs: Recent[str, Ownership] = Recent(_REMEMBERED)

    async def named(self, authorization_id: str, run_id: str, tool_call_id: str) -> Target:
        """Whose the authorization is, is the log's to check. Raises NotFound."""
        return Target(await self.path(authorization_id), run_id, tool_call_id)

    async def found(self, run_id: str, tool_call_id: str, autopilot_id: str | None = None) -> Target:
        """Where the call is held already, else of the authorization that wins, whatever its standing.

        Raises NotFound, Denied when there is none.
        """
        run = await self._run(run_id)
        rows = await self._pool.fetch(SQL["budgets"], run.owner)
        candidates = [canonical_json.decode_as(row["state"], Budget) for row in rows]
        paying = resolution.covering(candidates, run, Scope(run_id, run.thread_id, autopilot_id))
        targets = [Target(budget.path, run_id, tool_call_id) for budget in paying]
        rows = await self._pool.fetch(SQL["existing"], [target.hold for target in targets])
        held = {row["stream"] for row in rows}
        return next((target for target in targets if target.hold in held), targets[0])

    async def path(self, authorization_id: str) -> tuple[str, ...]:
        """From the root; raises NotFound."""
        known = self._paths.get(authorization_id)
        if known is None:
            snapshot = await self._streams.get(budgets.DECIDER, budget_stream(authorization_id))
            known = budgets.required(snapshot.state if snapshot else None).path
            self._paths.put(authorization_id, known)
        return known

    async def _run(self, run_id: str) -> Ownership:
        known = self._runs.get(run_id)
        if known is None:
            snapshot = await self._streams.get(ownership.DECIDER, ownership_stream(run_id))
            if snapshot is None:
                raise NotFound("no such run", reason_code=resolution.RUN_NOT_FOUND)
            known = snapshot.state
            self._runs.put(run_id, known)
        return known
