"""Makes what read models say of one thing anew from the log: summaries, and tables of runs (runtime §10.2, §10.3)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import asyncpg
import msgspec

from processors import metrics
from processors.log_source import LogSource
from producers.eventlog.reader import LogReader
from producers.relay.progress import partition_count
from readmodels import engine, runs, workers
from readmodels.engine import LogBehind, View
from readmodels.engine.anew import Remade, remake
from readmodels.run_tables import EVENT_ROWS, MESSAGES, RUN_ROWS, TABLES, words
from schemas import names, sql_files

if TYPE_CHECKING:
    from asyncpg import Pool

SQL = sql_files.load(__file__)
PAGE = 1000
GENERATION = 1
REFUSED = (asyncpg.PostgresError, LogBehind, ValueError)

Reason = Literal["event_count_mismatch", "message_count_mismatch", "watermark_behind"]


_OF: Final[Mapping[Reason, View[Any]]] = {
    "event_count_mismatch": EVENT_ROWS,
    "message_count_mismatch": MESSAGES,
    "watermark_behind": RUN_ROWS,
}


class Rebuilt(msgspec.Struct, frozen=True):
    """One thing's summary made anew (runtime §10.2)."""

    scope: str
    entity_id: str
    result: Literal["ok", "error"]
    write: bool
    reason: str | None
    duration_ms: int


class Chosen(msgspec.Struct, frozen=True):
    """Which runs: `since` and `until` are of when they were last written."""

    run_id: str | None = None
    thread_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 500


class Run(msgspec.Struct, frozen=True):
    run_id: str
    owner: str


class Outcome(msgspec.Struct, frozen=True):
    """What was found of a run's tables and done about it."""

    run_id: str
    action: str
    reasons: list[Reason] = []


class Report(msgspec.Struct, frozen=True):
    """Of all runs that were chosen."""

    total_runs: int
    processed_runs: int
    repaired_runs: int
    dry_run: bool
    results: list[Outcome]


class Reprojector:
    """Works on the live versions, whoever else writes them."""

    def __init__(self, pool: "Pool[Any]", partitions: Mapping[str, int]) -> None:
        """`partitions` are every topic's number of them."""
        self._pool = pool
        self._reader = LogReader(pool)
        self._partitions = partitions

    @classmethod
    async def of(cls, pool: "Pool[Any]", prefix: str, when_new: int) -> "Reprojector":
        """With as many partitions as each topic was fed with, or `when_new`."""
        counts = {topic: await partition_count(pool, prefix + topic) or when_new for topic in names.TOPICS}
        return cls(pool, counts)

    async def rebuild_worker(self, worker_id: str) -> list[Rebuilt]:
        """The summaries of everybody's workers of that id."""
        streams = await self._pool.fetch(SQL["workers"], worker_id)
        return [await self._rebuild(workers.SUMMARIES, row["stream"], "worker", worker_id) for row in streams]

    async def rebuild_run(self, run_id: str) -> list[Rebuilt]:
        if not await self._pool.fetchval(SQL["owner"], names.ownership_stream(run_id)):
            return []
        return [await self._rebuild(runs.SUMMARIES, names.run_stream(run_id), "run", run_id)]

    async def _rebuild(self, view: View[Any], stream: str, scope: str, entity_id: str) -> Rebuilt:
        """A document of several events, without what it said: it is projected again from its history."""
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            with metrics.replayed(scope):
                remade = await self._remake(view, stream)
        except REFUSED as error:
            return Rebuilt(scope, entity_id, "error", False, repr(error), round((clock() - started) * 1000))
        took_ms = round((clock() - started) * 1000)
        return Rebuilt(scope, entity_id, "ok", bool(remade.written), _reason(remade), took_ms)

    async def reproject(self, chosen: Chosen, *, dry_run: bool) -> Report:
        """The rows of runs made anew from the log."""
        return await self._each(chosen, self._pretend if dry_run else self._reproject, dry_run=dry_run)

    async def reconcile(self, chosen: Chosen, *, dry_run: bool, repair: bool) -> Report:
        """The rows of runs counted beside the log, and made anew where they differ."""

        async def one(run: Run) -> Outcome:
            if not (found := await self.differences(run)):
                return Outcome(run.run_id, "in_sync")
            if dry_run:
                return Outcome(run.run_id, "dry_run_detected_drift", found)
            if not repair:
                return Outcome(run.run_id, "drift_detected_no_repair", found)
            return await self._repair(run, found)

        return await self._each(chosen, one, dry_run=dry_run)

    async def tables_of(self, run_id: str) -> None:
        """The rows of a run made anew: what was blanked in the log goes from them as well."""
        for view in TABLES:
            await self._remake(view, names.run_stream(run_id))

    async def differences(self, run: Run) -> list[Reason]:
        """Where a run's rows are not what the log has."""
        events = messages = latest = 0
        while page := await self._reader.read_stream(names.run_stream(run.run_id), latest, PAGE):
            events, latest = events + len(page), page[-1].seq
            messages += sum(bool(words(event)) for event in page)
        found = await self._pool.fetchrow(SQL["counted"], run.owner, run.run_id)
        assert found is not None, "counts are one row"
        mismatches: dict[Reason, bool] = {
            "event_count_mismatch": found["events"] != events,
            "message_count_mismatch": found["messages"] != messages,
            "watermark_behind": found["watermark"] < latest,
        }
        return [reason for reason, differs in mismatches.items() if differs]

    async def _each(self, chosen: Chosen, work: Callable[[Run], Awaitable[Outcome]], *, dry_run: bool) -> Report:
        rows = await self._pool.fetch(SQL["chosen"], *msgspec.structs.astuple(chosen))
        results = [await work(Run(row["run_id"], row["owner"])) for row in rows]
        repaired = sum(outcome.action in ("repaired", "reprojected") for outcome in results)
        return Report(rows[0]["total"] if rows else 0, len(rows), repaired, dry_run, results)

    async def _pretend(self, run: Run) -> Outcome:
        return Outcome(run.run_id, "dry_run_reproject", await self.differences(run))

    async def _reproject(self, run: Run) -> Outcome:
        found = await self.differences(run)
        try:
            await self._bring_up(run)
        except REFUSED as error:
            return Outcome(run.run_id, f"reproject_failed:{type(error).__name__}", found)
        return Outcome(run.run_id, "reprojected", found)

    async def _repair(self, run: Run, found: list[Reason]) -> Outcome:
        for reason in found:
            metrics.DRIFTS.labels(_OF[reason].name, reason).inc()
        outcome = await self._reproject(run)
        if outcome.action != "reprojected":
            return outcome
        return Outcome(run.run_id, "drift_detected_no_repair" if await self.differences(run) else "repaired", found)

    async def _bring_up(self, run: Run) -> None:
        """What is not applied yet is read from the log first."""
        stream = names.run_stream(run.run_id)
        last = await self._pool.fetchval(SQL["last_position"], stream) or 0
        for view in TABLES:
            live, source = await self._live(view)
            await engine.catch_up(self._pool, live, GENERATION, source.partition(stream), last, source.fill)
        await self.tables_of(run.run_id)

    async def _remake(self, view: View[Any], stream: str) -> Remade:
        live, source = await self._live(view)
        remade = await remake(self._pool, live, GENERATION, source.entity(live, stream))
        for reason in remade.reasons:
            metrics.DRIFTS.labels(view.name, reason).inc()
        return remade

    async def _live(self, view: View[Any]) -> tuple[View[Any], LogSource]:
        live = await engine.prepare(self._pool, view)
        return live, LogSource(self._reader, view.topic, self._partitions[view.topic])


def _reason(remade: Remade) -> str | None:
    """Nothing was written because nothing differs, or why it was: None when the document was missing or behind."""
    if not remade.written:
        return "idempotent"
    return remade.reasons[0] if remade.reasons else None
