"""Single things made anew from the log, and the rows of runs counted beside it (runtime §10.2, §10.3)."""

import asyncio
import json
import threading
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import typer
from msgspec import structs
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from ops.commands import register
from processors.audit.audit import Audit
from processors.audit.topics import audited
from processors.reprojecting import Chosen, Outcome, Reprojector
from producers import ownership, runs
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.ownership import CreateRun
from producers.runs import AppendRunEvent
from producers.workers import DECIDER, AppendEvent, CreateWorker
from readmodels import engine
from readmodels.catalogue import VIEWS
from readmodels.engine import View
from readmodels.engine.anew import Judged, judge
from readmodels.engine.fold import Row
from readmodels.journal import JournalReader
from readmodels.run_tables import EVENT_ROWS, MESSAGES, RUN_ROWS, TABLES
from readmodels.runs import SUMMARIES, apply
from readmodels.workers import SUMMARIES as WORKERS
from schemas import names
from tests import services
from tests.conftest import Kafka
from tests.published import publish
from tests.run_events import CREATED, RunLog
from tests.worker_events import delivered

PARTITIONS = 6
OWNER = "user:41"
EVENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("run.started", {}),
    ("run.delta", {"delta": "Bon", "frame_id": "f-1"}),
    ("run.delta", {"delta": " \n", "frame_id": "f-2"}),
    ("text.delta", {"text": "jour"}),
    ("run.finished", {"status": "failed", "reason_class": "execution_failed", "reason": "boom"}),
)
Pool = asyncpg.Pool


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
async def pool(database: str) -> AsyncIterator["Pool[Any]"]:
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as pool:
        await fill(pool)
        yield pool


async def fill(pool: "Pool[Any]") -> None:
    """Three runs of two threads and a worker, all projected."""
    log = EventLog(pool)
    for number, thread in enumerate(("one", "one", "two")):
        run_id = f"run_{number}"
        created: list[Item[ownership.Command]] = [Item(CreateRun(run_id, thread))]
        await log.execute(ownership.DECIDER, names.ownership_stream(run_id), OWNER, created)
        items: list[Item[runs.Command]] = [
            Item(AppendRunEvent(event_type, dict(payload))) for event_type, payload in EVENTS
        ]
        await log.execute(runs.DECIDER, names.run_stream(run_id), OWNER, items)
    worker = names.worker_stream(OWNER, "desk")
    await log.execute(DECIDER, worker, OWNER, [Item(CreateWorker("desk"))])
    await log.execute(DECIDER, worker, OWNER, [Item(AppendEvent("worker.heartbeat", {}))])
    await log.close()
    await project(pool)


async def project(pool: "Pool[Any]", *views: View[Any]) -> None:
    events = await LogReader(pool).read_all(0, 1000)
    for view in views or VIEWS.values():
        of_topic = [event for event in events if event.kind in names.kinds_of(view.topic)]
        await engine.apply_batch(pool, view, 1, delivered(of_topic), no_holes)


async def no_holes(partition: int, after: int, up_to: int) -> list[Any]:
    raise AssertionError("everything was delivered")


def reprojector(pool: "Pool[Any]") -> Reprojector:
    return Reprojector(pool, dict.fromkeys(names.TOPICS, PARTITIONS))


async def digests(pool: "Pool[Any]") -> dict[str, bytes]:
    return {name: await engine.digest(pool, view) for name, view in VIEWS.items()}


RUN_1 = Chosen(run_id="run_1")


async def test_tables_that_are_the_logs_are_in_sync(pool: "Pool[Any]") -> None:
    """runtime §10.3."""
    report = await reprojector(pool).reconcile(Chosen(), dry_run=False, repair=True)
    assert (report.total_runs, report.processed_runs, report.repaired_runs, report.dry_run) == (3, 3, 0, False)
    assert report.results == [Outcome(f"run_{number}", "in_sync") for number in range(3)]


BREAKS = {
    "event_count_mismatch": f"delete from {EVENT_ROWS.table} where doc_key = 'run_1:2'",
    "message_count_mismatch": f"delete from {MESSAGES.table} where document ->> 'run_id' = 'run_1' and doc_version = 2",
    "watermark_behind": f"""
        update {RUN_ROWS.table} set document = replace(document::text, '"watermark":5', '"watermark":4')::json
        where doc_key = 'run_1'""",
}


@pytest.mark.parametrize("reason", BREAKS)
async def test_each_difference_has_its_reason_and_is_repaired(pool: "Pool[Any]", reason: str) -> None:
    """runtime §10.3, §9."""
    before = await digests(pool)
    await pool.execute(BREAKS[reason])
    ours, counted = reprojector(pool), drifts(reason)

    async def told(**how: bool) -> tuple[list[Outcome], int]:
        report = await ours.reconcile(RUN_1, **how)
        return report.results, report.repaired_runs

    assert await told(dry_run=True, repair=True) == ([Outcome("run_1", "dry_run_detected_drift", [reason])], 0)  # type: ignore[list-item]
    assert await told(dry_run=False, repair=False) == ([Outcome("run_1", "drift_detected_no_repair", [reason])], 0)  # type: ignore[list-item]
    assert await digests(pool) != before
    assert await told(dry_run=False, repair=True) == ([Outcome("run_1", "repaired", [reason])], 1)  # type: ignore[list-item]
    assert await digests(pool) == before
    assert drifts(reason) == counted + 1
    assert await told(dry_run=False, repair=True) == ([Outcome("run_1", "in_sync")], 0)


def drifts(reason: str) -> float:
    name = "openagents_runtime_khala_projection_drift_count_total"
    views = {view.name for view in TABLES}
    found = (REGISTRY.get_sample_value(name, {"projection": view, "reason_class": reason}) for view in views)
    return sum(value or 0.0 for value in found)


async def test_what_was_never_delivered_is_behind_and_is_read_from_the_log(pool: "Pool[Any]") -> None:
    """runtime §10.3: `watermark_behind`."""
    before = await digests(pool)
    for view in TABLES:
        await pool.execute(f"delete from {view.table}")
        await pool.execute("delete from checkpoints where view = $1", view.name)
    report = await reprojector(pool).reconcile(Chosen(), dry_run=False, repair=True)
    assert [(one.action, len(one.reasons)) for one in report.results] == [("repaired", 3)] + 2 * [("repaired", 3)]
    assert await digests(pool) == before


async def test_a_row_too_many_is_told_and_left_to_a_rebuild(pool: "Pool[Any]") -> None:
    """runtime §10.3: a row that no event of the log makes."""
    await pool.execute(
        f"insert into {EVENT_ROWS.table} select owner, 'run_1:99', document, 99, last_position, projected_at"
        f" from {EVENT_ROWS.table} where doc_key = 'run_1:1'"
    )
    report = await reprojector(pool).reconcile(RUN_1, dry_run=False, repair=True)
    assert report.results == [Outcome("run_1", "drift_detected_no_repair", ["event_count_mismatch"])]


async def test_a_dry_reprojection_changes_nothing_and_a_wet_one_makes_the_rows_anew(pool: "Pool[Any]") -> None:
    """runtime §10.3."""
    right = await digests(pool)
    await pool.execute(f"update {EVENT_ROWS.table} set document = replace(document::text, 'Bon', 'Mal')::json")
    wrong, ours = await digests(pool), reprojector(pool)
    report = await ours.reproject(Chosen(), dry_run=True)
    assert ({one.action for one in report.results}, report.dry_run) == ({"dry_run_reproject"}, True)
    assert await digests(pool) == wrong
    report = await ours.reproject(Chosen(), dry_run=False)
    assert ({one.action for one in report.results}, report.repaired_runs) == ({"reprojected"}, 3)
    assert await digests(pool) == right


async def test_a_reprojection_that_fails_says_so_and_others_go_on(pool: "Pool[Any]") -> None:
    """runtime §10.3: `reproject_failed:*`."""
    await pool.execute(f"update {RUN_ROWS.table} set document = '{{}}' where doc_key = 'run_1'")
    report = await reprojector(pool).reproject(Chosen(), dry_run=False)
    assert [one.action for one in report.results] == ["reprojected", "reproject_failed:ValidationError", "reprojected"]


async def test_runs_are_chosen_by_thread_time_and_number(pool: "Pool[Any]") -> None:
    """runtime §10.3: filters."""

    async def told(chosen: Chosen) -> tuple[list[str], int]:
        report = await reprojector(pool).reproject(chosen, dry_run=True)
        return [one.run_id for one in report.results], report.total_runs

    moment = await pool.fetchval("select updated_at from streams where stream = 'run/run_1'")
    assert await told(Chosen(thread_id="one")) == (["run_0", "run_1"], 2)
    assert await told(Chosen(thread_id="one", limit=1)) == (["run_0"], 2)
    assert await told(Chosen(since=moment)) == (["run_1", "run_2"], 2)
    assert await told(Chosen(until=moment)) == (["run_0"], 1)
    assert await told(Chosen(since=moment + timedelta(days=1))) == ([], 0)


async def test_a_blanked_event_leaves_no_words_in_the_tables(pool: "Pool[Any]") -> None:
    """ADR 12: what goes from the log goes from the rows; they are what a rebuild makes."""
    await pool.execute("update events set payload = '{}' where stream = 'run/run_1' and seq <= 4")
    await reprojector(pool).tables_of("run_1")
    rows = await pool.fetch("select payload::text from run_event_rows where run_id = 'run_1' order by seq")
    assert [row["payload"] for row in rows[:4]] == ["{}"] * 4
    assert await pool.fetchval("select count(*) from run_messages where run_id = 'run_1'") == 0
    assert await pool.fetchval("select count(*) from run_messages where run_id = 'run_2'") == 2


async def test_the_tables_read_as_tables(pool: "Pool[Any]") -> None:
    """runtime §10.3."""
    row = await pool.fetchrow("select * from run_rows where run_id = 'run_1'")
    assert row is not None
    assert (row["thread_id"], row["status"], row["error_text"], row["watermark"]) == ("one", "failed", "boom", 5)
    assert row["started_at"] <= row["completed_at"]
    said = await pool.fetch("select seq, role, text from run_messages where run_id = 'run_1' order by seq")
    assert [tuple(one) for one in said] == [(2, "assistant", "Bon"), (4, "assistant", "jour")]
    types = await pool.fetch("select event_type from run_event_rows where run_id = 'run_1' order by seq")
    assert [one["event_type"] for one in types] == [event_type for event_type, _ in EVENTS]


# --- one summary (runtime §10.2) ------------------------------------------------------------------------------------

SPOILED = {
    "summary_hash_mismatch": ('"status":"failed"', '"status":"running"', 5),
    "projection_version_changed": ("khala_summary_v1", "khala_summary_v0", 5),
    "checkpoint_ahead": ('"status":"failed"', '"status":"running"', 9),
    None: ('"latest_seq":5', '"latest_seq":4', 4),
}


@pytest.mark.parametrize(("reason", "spoiled"), SPOILED.items(), ids=str)
async def test_a_rebuilt_summary_is_the_logs_whatever_it_said(
    pool: "Pool[Any]", reason: str | None, spoiled: tuple[str, str, int]
) -> None:
    """runtime §10.2: rebuild deletes the checkpoint and projects again from history."""
    before, (says, said, version) = await digests(pool), spoiled
    assert [told(one) for one in await reprojector(pool).rebuild_run("run_1")] == [("ok", False, "idempotent")]
    await pool.execute(
        f"update {SUMMARIES.table} set document = replace(document::text, $1, $2)::json, doc_version = $3"
        " where doc_key like '%run_1'",
        *(says, said, version),
    )
    head = await JournalReader(pool).head(names.RUN_SUMMARIES)
    [rebuilt] = await reprojector(pool).rebuild_run("run_1")
    assert (rebuilt.scope, rebuilt.entity_id, *told(rebuilt)) == ("run", "run_1", "ok", True, reason)
    assert rebuilt.duration_ms >= 0
    assert await digests(pool) == before
    [news] = await JournalReader(pool).read_all(names.RUN_SUMMARIES, head, 10)
    assert (news.doc_version, (news.payload or {})["status"]) == (5, "failed")


def told(rebuilt: Any) -> tuple[str, bool, str | None]:
    return rebuilt.result, rebuilt.write, rebuilt.reason


async def test_a_summary_that_is_gone_comes_back_and_a_workers_is_no_different(pool: "Pool[Any]") -> None:
    """runtime §10.2: no checkpoint."""
    before = await digests(pool)
    await pool.execute(f"delete from {WORKERS.table}")
    assert [told(one) for one in await reprojector(pool).rebuild_worker("desk")] == [("ok", True, None)]
    assert await digests(pool) == before


async def test_what_nobody_knows_is_not_rebuilt(pool: "Pool[Any]") -> None:
    assert await reprojector(pool).rebuild_run("run_9") == []
    assert await reprojector(pool).rebuild_worker("des") == []


async def test_a_rebuild_that_fails_is_an_error_with_a_reason(pool: "Pool[Any]") -> None:
    """runtime §10.2, §9."""
    await pool.execute(f"update {SUMMARIES.table} set document = '{{}}' where doc_key like '%run_1'")
    labels, name = {"scope": "run", "result": "error"}, "openagents_runtime_khala_projection_replay_count_total"
    before = REGISTRY.get_sample_value(name, labels) or 0.0
    [rebuilt] = await reprojector(pool).rebuild_run("run_1")
    assert (rebuilt.result, rebuilt.write) == ("error", False)
    assert REGISTRY.get_sample_value(name, labels) == before + 1
    assert "ValidationError" in str(rebuilt.reason)


@pytest.mark.invariant("I5")
async def test_a_batch_that_read_what_was_there_before_a_rebuild_reads_again(pool: "Pool[Any]", database: str) -> None:
    """runtime §10.2, "under a lock": the rebuild comes between a batch's look and its write."""
    await pool.execute(f"update {SUMMARIES.table} set document = replace(document::text, 'one', 'odd')::json")
    log = EventLog(pool)
    items = [Item(AppendRunEvent("run.note", {}))]
    await log.execute(runs.DECIDER, names.run_stream("run_1"), OWNER, items)
    await log.close()
    looks: list[str] = []

    def apply_slowly(summary: Any, event: Any) -> Any:
        looks.append(summary.thread_id)
        if len(looks) == 1:
            rebuild_elsewhere(database)
        return apply(summary, event)

    await project(pool, replace(SUMMARIES, apply=apply_slowly))
    row = await pool.fetchrow(f"select document::text, doc_version from {SUMMARIES.table} where doc_key like '%run_1'")
    assert row is not None
    assert looks == ["odd", "one"]
    assert (row["doc_version"], '"thread_id":"one"' in row["document"]) == (6, True)


def rebuild_elsewhere(database: str) -> None:
    async def rebuild() -> None:
        async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
            await reprojector(pool).rebuild_run("run_1")

    thread = threading.Thread(target=asyncio.run, args=(rebuild(),))
    thread.start()
    thread.join()


# --- the table of runtime §10.2 -------------------------------------------------------------------------------------


def row(doc_version: int, **changes: Any) -> Row[Any]:
    summary = apply(None, RunLog().append(CREATED))
    return Row(structs.replace(summary, **changes), doc_version, 1)


@pytest.mark.parametrize(
    ("before", "judged"),
    [
        (None, Judged(True, None, 5)),
        (row(6), Judged(False, "checkpoint_ahead")),
        (row(5), Judged(False, "idempotent")),
        (row(5, projected_at="later"), Judged(False, "idempotent")),
        (row(5, status="failed"), Judged(True, "summary_hash_mismatch")),
        (row(5, status="failed", projection_version="v0"), Judged(True, "projection_version_changed")),
        (row(3), Judged(True, None, 2)),
    ],
)
def test_a_document_beside_the_logs_is_judged(before: Row[Any] | None, judged: Judged) -> None:
    """runtime §10.2."""
    assert judge(before, row(5)) == judged


# --- the audit ------------------------------------------------------------------------------------------------------

DIFFERENCES = {
    "run_event_rows user:41 run_1:2: is not the fold of its events": (
        f"update {EVENT_ROWS.table} set document = replace(document::text, 'Bon', 'Mal')::json"
        " where doc_key = 'run_1:2'"
    ),
    "run_messages user:41 rtmsg_": f"delete from {MESSAGES.table} where document ->> 'run_id' = 'run_1'",
    "run_rows user:41 run_1: is not the fold of its events": (
        f"update {RUN_ROWS.table} set document = replace(document::text, 'boom', 'bang')::json where doc_key = 'run_1'"
    ),
    "run_summaries user:41 runtime/run_summary:run_1: is version 4": (
        f"update {SUMMARIES.table} set doc_version = 4 where doc_key like '%run_1'"
    ),
    "runtime.run_summaries 1: is not what its hash says": (
        "update journal set payload_hash = '' where topic = 'runtime.run_summaries' and watermark = 1"
    ),
    "run/run_1: the state is not the fold of its events": (
        "update streams set state = replace(state::text, 'boom', 'bang')::json where stream = 'run/run_1'"
    ),
}


async def test_the_audit_knows_every_kind_and_view_of_a_topic(pool: "Pool[Any]", kafka: Kafka) -> None:
    """I5, I9."""
    prefix = f"{kafka.prefix}{uuid.uuid4().hex[:6]}."
    events = await LogReader(pool).read_all(0, 1000)
    for topic in ("oa.workers", "oa.runs"):
        of_topic = [event for event in events if event.kind in names.kinds_of(topic)]
        await publish(kafka.bootstrap, prefix + topic, delivered(of_topic))
        await pool.execute(
            "insert into relay_progress select $1, n, position, position, 1 from log_head, generate_series(0, 5) n",
            prefix + topic,
        )
    partitions = dict.fromkeys(("oa.workers", "oa.runs"), PARTITIONS)
    audit = Audit(pool, kafka.bootstrap, audited(prefix, 1, partitions))
    report = await audit.run(0)
    assert (report.first, report.behind, report.records, report.unfolded) == ([], 0, len(events), 0)
    assert report.documents > len(events)
    for difference, breaking in DIFFERENCES.items():
        async with pool.acquire() as connection:
            kept = await snapshot_of(connection)
            await connection.execute(breaking)
        assert [one for one in (await audit.run(0)).first if one.startswith(difference)], difference
        await restore(pool, kept)
    assert (await audit.run(0)).first == []


TABLE_NAMES = (*(view.table for view in VIEWS.values()), "journal", "streams")


async def snapshot_of(connection: Any) -> dict[str, list[Any]]:
    return {table: await connection.fetch(f"select * from {table}") for table in TABLE_NAMES}


async def restore(pool: "Pool[Any]", kept: dict[str, list[Any]]) -> None:
    for table, rows in kept.items():
        await pool.execute(f"delete from {table}")
        for row in rows:
            marks = ", ".join(f"${number + 1}" for number in range(len(row)))
            await pool.execute(f"insert into {table} values ({marks})", *row)


# --- oa projections -------------------------------------------------------------------------------------------------


def oa(database: str, *words: str) -> tuple[int, str]:
    runner = CliRunner()
    environment = {"OA_DATABASE_URL": database, "OA_KAFKA_BOOTSTRAP": "nobody:1"}
    answer = runner.invoke(app(), ["projections", *words], env=environment)
    return answer.exit_code, answer.output


def app() -> typer.Typer:
    commands = typer.Typer()
    register(commands)
    return commands


def test_the_operator_reconciles_reprojects_and_rebuilds_one_thing(database: str) -> None:
    """runtime §10.2, §10.3."""
    services.run(_filled(database, BREAKS["message_count_mismatch"]))
    code, text = oa(database, "reconcile", "--dry-run")
    assert (code, text.splitlines()[0].split()) == (1, ["run_1", "dry_run_detected_drift", "message_count_mismatch"])
    code, text = oa(database, "reconcile", "--thread", "one", "--json")
    found = {"total_runs": 2, "processed_runs": 2, "repaired_runs": 1, "dry_run": False}
    results = [
        {"run_id": "run_0", "action": "in_sync", "reasons": []},
        {"run_id": "run_1", "action": "repaired", "reasons": ["message_count_mismatch"]},
    ]
    assert (code, json.loads(text)) == (0, found | {"results": results})
    assert oa(database, "reconcile") == (0, "3 of 3 runs, 0 made anew\n")
    code, text = oa(database, "reproject", "--run", "run_2", "--since", "2026-01-01")
    assert (code, text.splitlines()[-1]) == (0, "1 of 1 runs, 1 made anew")
    code, text = oa(database, "rebuild", "--run", "run_0", "--worker", "desk", "--json")
    told = [(one["scope"], one["entity_id"], one["result"], one["write"], one["reason"]) for one in json.loads(text)]
    assert (code, told) == (
        0,
        [("run", "run_0", "ok", False, "idempotent"), ("worker", "desk", "ok", False, "idempotent")],
    )
    assert oa(database, "rebuild", "--run", "run_9")[0] == 1
    assert oa(database, "rebuild")[0] == 2


async def _filled(database: str, breaking: str) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        await fill(pool)
        await pool.execute(breaking)
