"""`oa projections …`: versions of the views beside each other and the log, and single things made anew (DESIGN §7)."""

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer
from rich.markup import escape
from rich.table import Column, Table

from ops.commands.connection import connected
from ops.commands.options import Data, screen, telling_errors
from ops.settings import Settings, of_this_process
from ops.stack.processes import StackError
from processors.rebuilding import From, Rebuilder, Topic, Verdict
from processors.reprojecting import Chosen, Rebuilt, Report, Reprojector
from processors.sources import LogPages
from producers.eventlog.reader import LogReader
from producers.relay.progress import partition_count
from readmodels import engine
from readmodels.catalogue import VIEWS
from readmodels.engine import View, versions
from readmodels.engine.compare import Difference
from readmodels.engine.rebuild import Progress

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

TOLD_EVERY_S = 2.0
INTERRUPTED = 130
STILL = ("drift_detected_no_repair", "dry_run_detected_drift")
ALLOCATIONS_A_COLLECTION = 200_000
"""Events and documents have no cycles; looking for some in all of them costs a third of a rebuild."""

projections = typer.Typer(no_args_is_help=True, help="Versions of the read models: list, rebuild, verify, drop.")


class Source(StrEnum):
    POSTGRES = "postgres"
    KAFKA = "kafka"


Name = Annotated[str, typer.Argument(metavar="VIEW")]
AnyName = Annotated[str | None, typer.Argument(metavar="[VIEW]", show_default=False)]
SomeRun = Annotated[str | None, typer.Option("--run", metavar="ID", help="Of this run only.", show_default=False)]
SomeWorker = Annotated[
    str | None, typer.Option("--worker", metavar="ID", help="Of this worker only.", show_default=False)
]
SomeThread = Annotated[str | None, typer.Option("--thread", metavar="ID", help="Its runs.", show_default=False)]
Since = Annotated[datetime | None, typer.Option("--since", help="Written then or later (UTC).", show_default=False)]
Until = Annotated[datetime | None, typer.Option("--until", help="Written before (UTC).", show_default=False)]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many runs.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
OneSource = Annotated[Source, typer.Option("--from", help="Where the events come from.")]
SomeSource = Annotated[Source | None, typer.Option("--from", help="Only this source; else both.", show_default=False)]
ToVersion = Annotated[
    int | None, typer.Option("--to", metavar="VERSION", help="The unfinished one, else a new one.", show_default=False)
]
CutOver = Annotated[bool, typer.Option("--cut-over", help="Make it the version that readers see.")]
Rate = Annotated[int | None, typer.Option("--rate", metavar="N", help="At most N events a second.", show_default=False)]


def register(app: typer.Typer) -> None:
    app.add_typer(projections, name="projections")


@dataclass(frozen=True)
class Listed:
    """A version of a view; `lag` counts positions from its oldest unapplied event to the log's head."""

    view: str
    version: int
    live: bool
    rows: int
    lowest_checkpoint: int
    highest_checkpoint: int
    lag: int
    quarantined: int
    verified_digest: str | None
    verified_s_ago: float | None


@projections.command("list")
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """Every version there is: which is live, how far each is, and when the live one was last proved."""
    listed = _run(data, _list)
    if as_json:
        print(json.dumps([asdict(one) for one in listed]))
    else:
        screen.print(_table(listed))


@projections.command()
def rebuild(
    view: AnyName = None,
    source: OneSource = Source.POSTGRES,
    to: ToVersion = None,
    cut_over: CutOver = False,
    rate: Rate = None,
    run: SomeRun = None,
    worker: SomeWorker = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Fill a version of a view beside the live one; the same command goes on where a stopped one ended.

    With --run or --worker: make its summary anew where readers see it.
    """
    if run or worker:
        _rebuild_one(data, run, worker, as_json=as_json)
    elif view:
        _rebuild_view(view, source, to, data, cut_over=cut_over, rate=rate, as_json=as_json)
    else:
        raise typer.BadParameter("name a view, or --run or --worker")


def _rebuild_view(
    view: str, source: Source, to: int | None, data: Path | None, *, cut_over: bool, rate: int | None, as_json: bool
) -> None:
    async def work(settings: Settings, pool: "asyncpg.Pool[Any]") -> dict[str, Any]:
        found = await _found(pool, view)
        version = await _version(pool, found, to)
        rebuilder = Rebuilder(pool, found, await _topic(settings, pool, found, source))
        meter = Meter(f"{view} v{version}", quiet=as_json)
        progress = await rebuilder.rebuild(version, source.value, meter.told, rate)
        built = {"view": view, "version": version, "seconds": meter.elapsed_s} | progress._asdict()
        differing = await rebuilder.cut_over(version) if cut_over else None
        return built | {"live": cut_over, "journalled": differing}

    done = _run(data, work)
    if as_json:
        print(json.dumps(done))
        return
    applied = f"{done['events']:,} events applied in {done['seconds']:.1f} s"
    screen.print(f"{view} v{done['version']}: {applied}, {done['failures']} documents parked")
    if cut_over:
        screen.print(f"it is live now; {done['journalled']} documents differed and were journalled")
    else:
        screen.print(f"make it live with: oa projections rebuild {view} --to {done['version']} --cut-over")


def _rebuild_one(data: Path | None, run: str | None, worker: str | None, *, as_json: bool) -> None:
    async def work(settings: Settings, pool: "asyncpg.Pool[Any]") -> list[Rebuilt]:
        ours = await reprojector(settings, pool)
        of_run = await ours.rebuild_run(run) if run else []
        return of_run + (await ours.rebuild_worker(worker) if worker else [])

    rebuilt = _run(data, work)
    if as_json:
        print(json.dumps(msgspec.to_builtins(rebuilt)))
    for one in [] if as_json else rebuilt:
        screen.print(escape(_line(one)))
    if not rebuilt or any(one.result == "error" for one in rebuilt):
        raise typer.Exit(1)


def _line(one: Rebuilt) -> str:
    done = one.result if one.result == "error" else "made anew" if one.write else "left as it is"
    return f"{one.scope} {one.entity_id}: {done}{f' ({one.reason})' if one.reason else ''}, {one.duration_ms} ms"


@projections.command()
def reproject(
    run: SomeRun = None,
    thread: SomeThread = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 500,
    dry_run: DryRun = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make the rows of runs (run, events, messages) anew from the log; 1 when one of them cannot be."""
    chosen = _chosen(run, thread, since, until, limit)

    async def work(settings: Settings, pool: "asyncpg.Pool[Any]") -> Report:
        return await (await reprojector(settings, pool)).reproject(chosen, dry_run=dry_run)

    _report(_run(data, work), as_json=as_json)


@projections.command()
def reconcile(
    run: SomeRun = None,
    thread: SomeThread = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 500,
    dry_run: DryRun = False,
    repair: Annotated[bool, typer.Option("--repair/--no-repair", help="Make what differs anew.")] = True,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Count the rows of runs beside the log, and make those anew that differ; 1 when some still do."""
    chosen = _chosen(run, thread, since, until, limit)

    async def work(settings: Settings, pool: "asyncpg.Pool[Any]") -> Report:
        return await (await reprojector(settings, pool)).reconcile(chosen, dry_run=dry_run, repair=repair)

    _report(_run(data, work), as_json=as_json)


def _chosen(run: str | None, thread: str | None, since: datetime | None, until: datetime | None, limit: int) -> Chosen:
    since, until = (moment.replace(tzinfo=UTC) if moment else None for moment in (since, until))
    return Chosen(run, thread, since, until, limit)


def _report(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(msgspec.to_builtins(report)))
    else:
        for outcome in report.results:
            if outcome.action != "in_sync":
                screen.print(escape(f"{outcome.run_id}  {outcome.action}  {', '.join(outcome.reasons)}"))
        screen.print(f"{report.processed_runs} of {report.total_runs} runs, {report.repaired_runs} made anew")
    if any(outcome.action in STILL or outcome.action.startswith("reproject_failed") for outcome in report.results):
        raise typer.Exit(1)


async def remake(settings: Settings, pool: "asyncpg.Pool[Any]") -> None:
    """Every view from the log into its next version, which becomes the live one."""
    for name in VIEWS:
        view = await _found(pool, name)
        version = await _version(pool, view, None)
        rebuilder = Rebuilder(pool, view, await _topic(settings, pool, view))
        await rebuilder.rebuild(version, "postgres", Meter(f"{name} v{version}", quiet=False).told)
        differing = await rebuilder.cut_over(version)
        screen.print(f"{name} v{version} is made from the log and live; {differing} documents differed")


@projections.command()
def verify(view: AnyName = None, source: SomeSource = None, data: Data = None, as_json: AsJson = False) -> None:
    """Compare the live version with ones rebuilt from Postgres and from Kafka; 1 when they differ."""

    async def work(settings: Settings, pool: "asyncpg.Pool[Any]") -> list[Verdict]:
        return [await _verified(settings, pool, name, source, quiet=as_json) for name in ([view] if view else VIEWS)]

    verdicts = _run(data, work)
    if as_json:
        print(json.dumps([_object(verdict) for verdict in verdicts]))
    else:
        for verdict in verdicts:
            _tell(verdict)
    if any(verdict.differences for verdict in verdicts):
        raise typer.Exit(1)


@projections.command()
def drop(view: Name, version: Annotated[int, typer.Argument()], data: Data = None) -> None:
    """Forget a version that is not live."""

    async def work(_settings: Settings, pool: "asyncpg.Pool[Any]") -> None:
        found = await _found(pool, view)
        await _refuse_live(pool, found, version)
        await versions.drop(pool, replace(found, version=version))

    _run(data, work)
    screen.print(f"{view} v{version} is gone")


class Meter:
    """Tells progress every few seconds: share, pace, time left."""

    def __init__(self, about: str, *, quiet: bool) -> None:
        self._about = about
        self._quiet = quiet
        self._started = self._told_at = time.monotonic()
        self._first: Progress | None = None

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def told(self, progress: Progress) -> None:
        now = time.monotonic()
        self._first = self._first or progress
        if self._quiet or now - self._told_at < TOLD_EVERY_S:
            return
        self._told_at = now
        elapsed_s = now - self._started
        share = progress.share - self._first.share
        left = f"{elapsed_s * (1 - progress.share) / share:,.0f} s left" if share > 0 else "…"
        pace = progress.events / elapsed_s
        screen.print(f"{self._about}: {progress.share:.0%} · {progress.events:,} events · {pace:,.0f}/s · {left}")


def _run(data: Path | None, work: Callable[[Settings, "asyncpg.Pool[Any]"], Awaitable[T]]) -> T:
    """What the command does, with settings and a pool."""

    async def with_pool(settings: Settings) -> T:
        async with connected(settings) as pool:
            return await work(settings, pool)

    with telling_errors():
        settings = of_this_process(data)
        gc.set_threshold(ALLOCATIONS_A_COLLECTION)
        return _until_interrupted(with_pool(settings))


def _until_interrupted(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        screen.print("stopped; the same command goes on from here")
        raise typer.Exit(INTERRUPTED) from None


async def _found(pool: "asyncpg.Pool[Any]", name: str) -> View[Any]:
    if name not in VIEWS:
        raise StackError(f"no view {name!r}: there are {', '.join(VIEWS)}")
    return await engine.prepare(pool, VIEWS[name])


async def _version(pool: "asyncpg.Pool[Any]", live: View[Any], to: int | None) -> int:
    """The one that is asked for, or one above the live one that is there, or the next."""
    if to is not None:
        await _refuse_live(pool, live, to)
        return to
    existing = [one.version for one in await versions.existing(pool, live)]
    return existing[-1] if existing[-1] > live.version else existing[-1] + 1


async def _refuse_live(pool: "asyncpg.Pool[Any]", view: View[Any], version: int) -> None:
    live = await engine.live(pool, view)
    if live and live.version == version:
        raise StackError(f"version {version} of {view.name} is live: readers see it and the processors write it")
    if version < 1:
        raise StackError("versions count from 1")


async def reprojector(settings: Settings, pool: "asyncpg.Pool[Any]") -> Reprojector:
    values = settings.values
    when_new = values.number("OA_KAFKA_PARTITIONS", least=1)
    return await Reprojector.of(pool, values.text("OA_KAFKA_TOPIC_PREFIX"), when_new)


async def _topic(settings: Settings, pool: "asyncpg.Pool[Any]", view: View[Any], *sources: str) -> Topic:
    """A topic that was never fed has the partitions it will be made with."""
    values = settings.values
    name = values.text("OA_KAFKA_TOPIC_PREFIX") + view.topic
    partitions = await partition_count(pool, name) or values.number("OA_KAFKA_PARTITIONS", least=1)
    brokers = values.required("OA_KAFKA_BOOTSTRAP") if Source.KAFKA in sources else ""
    return Topic(brokers, name, partitions)


async def _list(settings: Settings, pool: "asyncpg.Pool[Any]") -> list[Listed]:
    head = (await LogReader(pool).head()).position
    return [
        await _listed(pool, version, live, await _topic(settings, pool, live), head)
        for name in VIEWS
        for live in [await _found(pool, name)]
        for version in await versions.existing(pool, live)
    ]


async def _listed(pool: "asyncpg.Pool[Any]", view: View[Any], live: View[Any], topic: Topic, head: int) -> Listed:
    reached = dict.fromkeys(range(topic.partitions), 0) | await engine.checkpoints(pool, view, topic.generation)
    noted = await versions.noted_digest(pool, view)
    return Listed(
        view=view.name,
        version=view.version,
        live=view.version == live.version,
        rows=await versions.row_count(pool, view),
        lowest_checkpoint=min(reached.values()),
        highest_checkpoint=max(reached.values()),
        lag=await LogPages(pool, view.topic, topic.partitions).lag(reached, head),
        quarantined=len(await versions.broken(pool, view)),
        verified_digest=noted.digest.hex() if noted else None,
        verified_s_ago=(datetime.now(UTC) - noted.verified_at).total_seconds() if noted else None,
    )


def _table(listed: list[Listed]) -> Table:
    table = Table(Column("version", no_wrap=True), "rows", "checkpoints", "lag", "parked", "proved")
    for one in listed:
        name = f"{one.view} v{one.version}{', live' if one.live else ''}"
        checkpoints = f"{one.lowest_checkpoint}–{one.highest_checkpoint}"
        proved = f"{one.verified_digest[:12]} {one.verified_s_ago:,.0f} s ago" if one.verified_digest else ""
        table.add_row(name, str(one.rows), checkpoints, str(one.lag), str(one.quarantined), proved)
    return table


async def _verified(
    settings: Settings, pool: "asyncpg.Pool[Any]", name: str, source: Source | None, *, quiet: bool
) -> Verdict:
    found = await _found(pool, name)
    sources: list[From] = [source.value] if source else ["postgres", "kafka"]
    meters = {one: Meter(f"{name} from {one}", quiet=quiet) for one in sources}
    rebuilder = Rebuilder(pool, found, await _topic(settings, pool, found, *sources))
    return await rebuilder.verify(sources, lambda one, progress: meters[one].told(progress))


def _object(verdict: Verdict) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(verdict, str_keys=True)
    return {"equal": not verdict.differences, **built}


def _tell(verdict: Verdict) -> None:
    up_to = max(verdict.positions.values(), default=0)
    screen.print(f"{verdict.view} v{verdict.version}: {verdict.rows} rows up to position {up_to}")
    for name, digest in verdict.digests.items():
        mark = "[red]differs[/]" if name in verdict.differences else "[green]equal[/]  "
        screen.print(f"  {name:<8} {mark if name != 'live' else '       '} {digest}", soft_wrap=True)
    for name, difference in verdict.differences.items():
        _tell_difference(name, difference)


def _tell_difference(source: str, difference: Difference) -> None:
    screen.print(f"{difference.rows} rows differ between live and {source}; the first: ", style="red", end="")
    screen.print(escape(f"{difference.owner} {difference.doc_key}"), soft_wrap=True)
    for field, (live, rebuilt) in difference.fields.items():
        screen.print(escape(f"  {field}: live {json.dumps(live)}, {source} {json.dumps(rebuilt)}"), soft_wrap=True)
