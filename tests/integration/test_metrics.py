"""What is counted when something happens (runtime §9)."""

import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from edge.auth.request_token import HEADER
from processors.lag import Watch
from processors.log_source import LogSource
from processors.projector import Projector
from producers import ownership, runs
from producers.eventlog.commands import Item, Part
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.runs import AppendRunEvent
from readmodels.workers import SUMMARIES
from schemas.events import Recorded
from schemas.names import run_stream, user_owner
from tests import services
from tests.nodes import SETTINGS, Node, node, signed_token
from tests.quarantined import FAULTY, POISON
from tests.run_calls import RunCalls
from tests.worker_events import NOON, STARTED, Log, commit, delivered, heartbeat

Pool = asyncpg.Pool
RUNTIME = "openagents_runtime_"
KHALA = f"{RUNTIME}khala_projection_"
VIEW = SUMMARIES.name
EMIT, SESSION = f"{RUNTIME}stream_emit_", f"{RUNTIME}stream_session_"
EMITTED = ("run.started", "run.delta", "other", "run.finished")
SESSION_SUMS = {"emitted_events": 4, "emitted_chunks": 1, "wakeups": 0, "polls": 2}


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def grown(name: str, **labels: str) -> Callable[[], float]:
    """By how much it has grown since."""
    before = sample(name, **labels)
    return lambda: sample(name, **labels) - before


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
async def here(pool: "Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


@pytest.fixture
def log() -> Log:
    log = Log()
    for number in range(5):
        log.append(f"w{number}", STARTED)
    return log


class FailingOnce(LogSource):
    """The log, which does not answer the first time."""

    error: Exception | None = None

    async def fill(self, partition: int, after: int, up_to: int) -> list[Recorded]:
        if error := self.error:
            self.error = None
            raise error
        return await super().fill(partition, after, up_to)


def projector(pool: "Pool[Any]") -> tuple[Projector, FailingOnce]:
    source = FailingOnce(LogReader(pool), SUMMARIES.topic, 6)
    return Projector(pool, SUMMARIES, 1, source), source


def only_last(events: Sequence[Recorded]) -> dict[int, Any]:
    """The last event's delivery; those before it are holes."""
    return {partition: some[-1:] for partition, some in delivered(events).items() if some[-1].event is events[-1]}


async def test_requests_are_counted_and_timed_by_the_class_of_their_status(here: Node) -> None:
    """runtime §9; a probe is no request of anybody's."""
    fine = grown(f"{RUNTIME}http_request_count_total", status_class="2xx")
    refused = grown(f"{RUNTIME}http_request_count_total", status_class="4xx")
    timed = grown(f"{RUNTIME}http_request_duration_ms_count", status_class="4xx")
    assert (await here.ada.public("GET", "/me")).status_code == 200
    assert (await here.ada.public("GET", "/nowhere")).status_code == 404
    assert (await here.http.get("/internal/v1/health")).status_code == 401
    assert (await here.http.get("/livez")).status_code == 200
    assert (fine(), refused(), timed()) == (1, 2, 2)


async def test_queries_and_waits_for_a_connection_are_timed(pool: "Pool[Any]") -> None:
    """runtime §9; also the feature test of the pool's private surface."""
    queries, waits = grown(f"{RUNTIME}db_query_duration_ms_count"), grown(f"{RUNTIME}db_pool_wait_ms_count")
    assert await pool.fetchval("select 1") == 1
    async with pool.acquire() as connection:
        await connection.fetchval("select 1")
        assert sample(f"{RUNTIME}db_pool_connections", state="open") == pool.get_size()
        assert sample(f"{RUNTIME}db_pool_connections", state="idle") == pool.get_idle_size() < pool.get_size()
    await services.eventually(lambda: queries() == 2)
    assert waits() == 2


def test_memory_of_the_process_is_told() -> None:
    """runtime §9."""
    assert sample("process_resident_memory_bytes") > 10 * 1024 * 1024


async def test_minted_tokens_are_told_from_those_that_cannot_be(pool: "Pool[Any]", here: Node) -> None:
    """runtime §9, TokenMintFailureRatioHigh."""
    minted = grown("oa_token_mints_total", token="sync", outcome="minted")
    unavailable = grown("oa_token_mints_total", token="khala", outcome="unavailable")
    assert (await here.ada.public("POST", "/sync/token")).status_code == 200
    assert (await here.ada.public("POST", "/sync/token", json={"scopes": ["nonsense"]})).status_code == 422
    auth = dataclasses.replace(
        SETTINGS.auth, khala_token=dataclasses.replace(SETTINGS.auth.khala_token, signing_key="")
    )
    async with node(pool, dataclasses.replace(SETTINGS, auth=auth)) as keyless:
        assert (await keyless.ada.public("POST", "/khala/token")).status_code == 503
    assert (minted(), unavailable()) == (1, 1)


async def test_a_suspended_log_is_told(pool: "Pool[Any]") -> None:
    reader = LogReader(pool)
    await reader.head()
    assert sample("oa_log_suspended") == 0
    await pool.execute("update log_head set suspended = 'restored'")
    await reader.head()
    assert sample("oa_log_suspended") == 1


async def test_documents_written_are_counted_and_batches_that_bring_nothing(pool: "Pool[Any]", log: Log) -> None:
    """runtime §9."""
    await commit(pool, log.events)
    written, skipped = (grown(f"{KHALA}write_count_total", projection=VIEW, result=how) for how in ("ok", "skipped"))
    timed = grown(f"{KHALA}write_duration_ms_count", projection=VIEW, result="ok")
    work, _ = projector(pool)
    for _ in range(2):
        await work.apply(delivered(log.events))
    assert (written(), skipped(), timed()) == (5, 1, 1)


@pytest.mark.parametrize(
    ("error", "reason_class"),
    [
        (ConnectionResetError(), "connection"),
        (asyncpg.DeadlockDetectedError(), "postgres"),
        (ValueError(), "other"),
    ],
)
async def test_a_batch_that_fails_counts_by_its_reason_and_is_tried_again(
    pool: "Pool[Any]", log: Log, error: Exception, reason_class: str
) -> None:
    """runtime §9."""
    await commit(pool, log.events)
    failed = grown(f"{KHALA}write_failure_count_total", projection=VIEW, reason_class=reason_class)
    in_all, written = (grown(f"{KHALA}write_count_total", projection=VIEW, result=how) for how in ("error", "ok"))
    work, source = projector(pool)
    source.error = error
    log.append("w4", heartbeat())
    await commit(pool, log.events[5:])
    await work.apply(only_last(log.events))
    assert (failed(), in_all(), written()) == (1, 1, 1)


async def test_a_document_that_an_event_cannot_be_applied_to_counts_as_refused(pool: "Pool[Any]", log: Log) -> None:
    """runtime §9, ProjectionWriteFailureRatioHigh."""
    log.append("w0", POISON)
    await commit(pool, log.events)
    refused = grown(f"{KHALA}write_failure_count_total", projection=VIEW, reason_class="refused")
    in_all = grown(f"{KHALA}write_count_total", projection=VIEW, result="error")
    await Projector(pool, FAULTY, 1, projector(pool)[1]).apply(delivered(log.events))
    assert (refused(), in_all()) == (1, 1)


async def test_lag_is_observed_at_each_look(pool: "Pool[Any]", log: Log) -> None:
    """runtime §9, ProjectionLagP95High: positions from the oldest unapplied event."""
    await commit(pool, log.events)
    looks = grown(f"{KHALA}lag_events_count", projection=VIEW, result="ok")
    events = grown(f"{KHALA}lag_events_sum", projection=VIEW, result="ok")
    watch = Watch(pool, projector(pool)[0], partitions=6, topic="oa.workers", clock=lambda: NOON)
    await watch.refresh()
    assert (looks(), events()) == (1, 5)


async def test_failures_are_there_before_the_first(pool: "Pool[Any]") -> None:
    """An alert on the growth of a counter misses what the counter begins with."""
    other = dataclasses.replace(SUMMARIES, name="never_seen")
    Projector(pool, other, 1, projector(pool)[1])
    never = REGISTRY.get_sample_value
    for name, labels in {
        f"{KHALA}write_failure_count_total": {"projection": other.name, "reason_class": "refused"},
        f"{KHALA}write_count_total": {"projection": other.name, "result": "error"},
        f"{KHALA}drift_count_total": {"projection": other.name, "reason_class": "audit"},
    }.items():
        assert never(name, labels) == 0
    assert never(f"{KHALA}replay_count_total", {"scope": "partition", "result": "error"}) is not None
    assert never("oa_token_mints_total", {"token": "sync", "outcome": "unavailable"}) is not None
    assert never(f"{RUNTIME}http_request_count_total", {"status_class": "5xx"}) is not None


async def test_reading_the_log_for_what_never_arrived_is_counted(pool: "Pool[Any]", log: Log) -> None:
    """runtime §9, ProjectionReplayFailures."""
    await commit(pool, log.events)
    fine, failed = (grown(f"{KHALA}replay_count_total", scope="partition", result=how) for how in ("ok", "error"))
    timed = grown(f"{KHALA}replay_duration_ms_count", scope="partition", result="ok")
    work, source = projector(pool)
    partition = next(iter(delivered(log.events)))
    source.error = ConnectionResetError()
    with pytest.raises(ConnectionResetError):
        await work.catch_up(partition, 5)
    await work.catch_up(partition, 5)
    assert (fine(), failed(), timed()) == (1, 1, 1)


@pytest.fixture
async def run(here: Node, pool: "Pool[Any]") -> RunCalls:
    """A run of four events, one of a type that a client made up; it has ended."""
    run = RunCalls(here.ada, "run_metered")
    assert (await run.create()).status_code == 202
    types = ("run.started", "run.delta", "made.up", "run.finished")
    part = Part(run_stream(run.run_id), user_owner(run.caller.user_id), runs.DECIDER)
    rules, parts = ownership.owned(run.run_id, part)
    log = EventLog(pool)
    await log.execute_together(rules, parts, [Item(AppendRunEvent(one, {"status": "failed"})) for one in types])
    await log.close()
    return run


async def test_a_run_stream_tells_what_it_sent_and_how_it_ended(run: RunCalls) -> None:
    """runtime §9: types that clients choose are no labels; the end of a run is two frames (DEC-16)."""
    emitted = {kind: grown(f"{EMIT}count_total", event_type=kind, outcome="ok") for kind in EMITTED}
    frames = grown(f"{EMIT}frames_sum", event_type="run.finished", outcome="ok")
    sums = {name: grown(f"{SESSION}{name}_sum", outcome="tail_timeout") for name in SESSION_SUMS}
    sessions = grown(f"{SESSION}count_total", outcome="tail_timeout")
    lasted = grown(f"{SESSION}duration_ms_sum", outcome="tail_timeout")
    await run.frames_above(0)
    assert {kind: count() for kind, count in emitted.items()} == dict.fromkeys(EMITTED, 1)
    assert (sessions(), frames()) == (1, 2)
    assert {name: told() for name, told in sums.items()} == SESSION_SUMS
    assert lasted() > 0


async def test_a_client_that_leaves_is_told_from_a_window_that_ended(run: RunCalls) -> None:
    """runtime §9."""
    left = grown(f"{SESSION}count_total", outcome="client_closed")
    stayed = grown(f"{SESSION}count_total", outcome="tail_timeout")
    token = signed_token(user_id=run.caller.user_id, run_id=run.run_id, thread_id=run.thread_id)
    headers = {HEADER: token, "x-oa-user-id": str(run.caller.user_id)}
    query = {"thread_id": run.thread_id, "cursor": "0", "tail_ms": "60000"}
    url = f"/internal/v1/runs/{run.run_id}/stream"
    async with run.caller.http.stream("GET", url, params=query, headers=headers) as stream:
        assert stream.status_code == 200
    await services.eventually(lambda: left() == 1)
    assert stayed() == 0


async def test_commits_that_wake_readers_of_runs_are_counted(here: Node) -> None:
    """runtime §9: what is written otherwise wakes nobody who follows a run."""
    notified = grown(f"{RUNTIME}run_events_notify_count_total")
    run = RunCalls(here.ada, "run_notified")
    assert (await run.create()).status_code == 202
    assert notified() == 0
    assert (await run.cancel()).status_code == 202
    assert notified() == 1
