"""The system API: for operators alone, true whatever stands still, and what is parked can be released (ADR 15)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from processors.audit import last
from processors.audit.audit import Report
from processors.log_source import LogSource
from processors.projector import Projector
from producers import presence
from producers.eventlog.epochs import suspend
from producers.eventlog.reader import LogReader
from producers.presence import Process, State
from producers.relay.service import Relay
from producers.relay.settings import RelaySettings
from readmodels.engine import View, skips
from readmodels.workers import SUMMARIES
from schemas import names
from tests.conftest import Kafka
from tests.nodes import SETTINGS, Caller, Node, node
from tests.quarantined import FAULTY, POISON
from tests.worker_events import STARTED, Log, commit, delivered, heartbeat

Pool = asyncpg.Pool
PARTITIONS = 6
POISONED_AT = 2


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@asynccontextmanager
async def operated(pool: "Pool[Any]", prefix: str = "") -> AsyncIterator[Node]:
    """Ada is an operator, however her address is written; Bob is not."""
    async with node(pool, replace(SETTINGS, admin_emails=("Ada@Lane.test",), topic_prefix=prefix)) as running:
        yield running


@pytest.fixture
async def here(pool: "Pool[Any]") -> AsyncIterator[Node]:
    async with operated(pool) as running:
        yield running


async def seen(ada: Caller) -> dict[str, Any]:
    answer = await ada.public("GET", "/system")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()["data"]
    return told


async def comes_true(pool: "Pool[Any]", query: str) -> None:
    async with asyncio.timeout(30):
        while not await pool.fetchval(query):  # noqa: ASYNC110 what is waited for is in Postgres
            await asyncio.sleep(0.02)


async def until(ada: Caller, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while not holds(told := await seen(ada)):  # noqa: ASYNC110 what is waited for is in Postgres
            await asyncio.sleep(0.05)
    return told


def alerts(told: dict[str, Any]) -> list[str]:
    return [one["alert"] for one in told["attention"]]


def follower(told: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = (one for one in told["followers"] if one["name"] == name)
    return dict(one)


async def work(ada: Caller, worker_id: str, events: int) -> None:
    (await ada.public("POST", "/runtime/codex/workers", json={"worker_id": worker_id})).raise_for_status()
    for _ in range(events - 1):
        body = {"event": {"event_type": "worker.event", "payload": {}}}
        (await ada.public("POST", f"/runtime/codex/workers/{worker_id}/events", json=body)).raise_for_status()


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/system"), ("POST", "/system/quarantine/1:x:1/retry"), ("POST", "/system/quarantine/1:x:1/drop")],
)
async def test_it_is_for_operators_alone(here: Node, method: str, path: str) -> None:
    """edge §0, §1.1: before anything else, also for what is not there"""
    answer = await here.bob.public(method, path)
    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})
    assert (await here.http.request(method, f"/api{path}")).status_code == 401


# --- how far everything is -------------------------------------------------------------------------------------------


async def test_a_log_without_anybody_else_says_who_is_missing(here: Node) -> None:
    told = await seen(here.ada)
    assert told["log"]["position"] == told["tail"]["position"] == told["relay"]["position"] == 0
    assert [one["lag_positions"] for one in told["followers"]] == [0] * len(told["followers"])
    assert {one["text"] for one in told["attention"]} == {
        "No process says that it is the edge and runs.",
        "No process says that it is the relay and runs.",
        "No process says that it is the processors and runs.",
    }
    assert (told["quarantine"], told["topics"], told["audit"]) == ([], [], None)


async def test_every_number_is_true_while_the_relay_stands_still(
    pool: "Pool[Any]", database: str, kafka: Kafka
) -> None:
    settings = RelaySettings(database, kafka.bootstrap, topic_prefix=f"{kafka.prefix}s.", heartbeat_s=0.1)
    async with operated(pool, settings.topic_prefix) as here:
        await work(here.ada, "desk", 4)
        await work(here.ada, "phone", 2)
        head = await pool.fetchval("select position from log_head")
        relaying = asyncio.create_task(Relay(settings, pool).run())
        told = await until(here.ada, lambda told: told["relay"]["position"] == head)
        assert (told["relay"]["lag_positions"], told["relay"]["lag_seconds"]) == (0, 0)
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        await work(here.ada, "desk", 3)
        told = await until(here.ada, lambda told: told["tail"]["position"] == told["log"]["position"])
        assert told["relay"]["position"] == head
        assert told["relay"]["lag_positions"] == told["log"]["position"] - head > 0
        assert 0 < told["relay"]["lag_seconds"] < 60
        assert (told["tail"]["lag_positions"], told["tail"]["lag_seconds"]) == (0, 0)
        topic = next(topic for topic in told["topics"] if topic["topic"] == "oa.workers")
        newest = await pool.fetchval("select max(position) from events where kind = 'worker' and position <= $1", head)
        assert max(partition["last_position"] for partition in topic["partitions"]) == newest
        assert len(topic["partitions"]) == PARTITIONS


async def test_a_view_is_behind_from_its_oldest_unapplied_event(pool: "Pool[Any]") -> None:
    """whatever its quiet partitions' checkpoints are, and whatever others write"""
    log = Log()
    for number in range(12):
        log.append(f"w{number % 4}", heartbeat() if number > 3 else STARTED)
    await commit(pool, log.events)
    batch = delivered(log.events[:8])
    await projector(pool).apply(batch)
    await fed(pool)
    async with operated(pool) as here:
        told = await seen(here.ada)
        one = follower(told, SUMMARIES.name)
        assert (one["lag_positions"], one["position"], one["kind"]) == (4, 8, "view")
        waited_s = await pool.fetchval("select extract(epoch from now() - recorded_at) from events where position = 9")
        assert abs(one["lag_seconds"] - float(waited_s)) < 10
        assert alerts(told).count("ProjectionStuck") == len([one for one in told["followers"] if one["lag_positions"]])
        rest = delivered(log.events)
        await projector(pool).apply(rest)
        told = await until(here.ada, lambda told: all(one["lag_positions"] == 0 for one in told["journal"]))
        assert follower(told, SUMMARIES.name)["lag_positions"] == 0
        (topic,) = (one for one in told["journal"] if one["topic"] == names.WORKER_SUMMARIES)
        assert (
            topic["watermark"]
            == topic["tail"]
            == await pool.fetchval("select watermark from journal_heads where topic = $1", names.WORKER_SUMMARIES)
        )


def projector(pool: "Pool[Any]", view: View[Any] = SUMMARIES) -> Projector:
    return Projector(pool, view, 1, LogSource(LogReader(pool), view.topic, PARTITIONS))


async def fed(pool: "Pool[Any]") -> None:
    """As a relay writes down which partitions it feeds."""
    rows = [(SUMMARIES.topic, partition) for partition in range(PARTITIONS)]
    await pool.executemany("insert into relay_progress values ($1, $2, 0, 0, 1)", rows)


async def test_a_reaction_is_behind_like_a_view(pool: "Pool[Any]") -> None:
    log = Log()
    for _ in range(3):
        log.append("w", heartbeat())
    await commit(pool, log.events)
    partition = LogSource(LogReader(pool), SUMMARIES.topic, PARTITIONS).partition(log.events[0].stream)
    await pool.execute("insert into reactions values ('charging', 1, $1, 2, 'oa.workers')", partition)
    await fed(pool)
    async with operated(pool) as here:
        one = follower(await seen(here.ada), "charging")
        assert (one["kind"], one["position"], one["lag_positions"]) == ("reaction", 2, 1)


async def test_what_the_audit_found_is_told(here: Node, pool: "Pool[Any]") -> None:
    await last.record(pool, Report(0, 40, 0, 40, 40, 1, 0, 0, []))
    audit = (await seen(here.ada))["audit"]
    assert (audit["position"], audit["differences"], audit["found_after"]) == (40, 0, None)
    assert audit["agreed_seconds_ago"] < 60


# --- who runs --------------------------------------------------------------------------------------------------------


async def ready() -> State:
    return State(True, 0, 0.0, "publishing")


async def stuck() -> State:
    return State(False, 7, 1.5, "Kafka does not answer")


@asynccontextmanager
async def telling(
    pool: "Pool[Any]", name: str, kind: str, state: Callable[[], Awaitable[State]]
) -> AsyncIterator[None]:
    task = asyncio.create_task(presence.tell(pool, Process(name, kind, "desk", 7), state))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_processes_tell_that_they_run_and_are_missed_when_they_stop(here: Node, pool: "Pool[Any]") -> None:
    async with telling(pool, "a", "relay", ready), telling(pool, "b", "processors", stuck):
        told = await until(here.ada, lambda told: len(told["processes"]) == 2)
        assert "processors on desk (process 7) does not get on: Kafka does not answer" in str(told["attention"])
        assert "relay" not in {one["hop"] for one in told["attention"]}
        (relay,) = (one for one in told["processes"] if one["kind"] == "relay")
        assert (relay["runs"], relay["ready"], relay["state"], relay["pid"]) == (True, True, "publishing", 7)
    await pool.execute(
        "update processes set seen_at = seen_at - interval '11 s', started_at = started_at - interval '1 h'"
    )
    told = await seen(here.ada)
    assert "it is the relay and runs" in str(told["attention"])
    (relay,) = (one for one in told["processes"] if one["kind"] == "relay")
    assert not relay["runs"]
    assert relay["silent_s"] > 10
    assert relay["age_s"] == pytest.approx(3589, abs=1)


async def test_who_was_silent_for_long_is_forgotten(pool: "Pool[Any]") -> None:
    async with telling(pool, "a", "relay", ready):
        await comes_true(pool, "select count(*) = 1 from processes")
    await pool.execute("update processes set seen_at = seen_at - interval '11 minutes'")
    async with telling(pool, "b", "relay", ready):
        await comes_true(pool, "select string_agg(id, ',') = 'b' from processes")


# --- what is parked --------------------------------------------------------------------------------------------------


async def poisoned(pool: "Pool[Any]") -> Log:
    """Of three events the second is poison."""
    log = Log()
    for event in (STARTED, POISON, heartbeat()):
        log.append("w", event)
    await commit(pool, log.events)
    await Projector(pool, FAULTY, 1, LogSource(LogReader(pool), SUMMARIES.topic, PARTITIONS)).apply(
        delivered(log.events)
    )
    await fed(pool)
    return log


async def test_poison_is_seen_and_a_retry_releases_it(pool: "Pool[Any]") -> None:
    log = await poisoned(pool)
    async with operated(pool) as here:
        told = await seen(here.ada)
        (one,) = told["quarantine"]
        assert "QuarantineNotEmpty" in alerts(told)
        assert (one["position"], one["view"], one["error"], one["waiting"]) == (
            POISONED_AT,
            SUMMARIES.name,
            "ValueError('poison')",
            1,
        )
        assert (one["record"]["stream"], one["record"]["seq"]) == (log.events[1].stream, 2)
        assert one["record"]["digest"] == log.events[1].digest.hex()
        assert '"poison"' not in str(one["record"]), "nobody is shown what people wrote"
        answer = await here.ada.public("POST", f"/system/quarantine/{one['id']}/retry")
        assert (answer.status_code, answer.json()) == (200, {"data": {"again": None}})
        assert (await seen(here.ada))["quarantine"] == []
        gone = await here.ada.public("POST", f"/system/quarantine/{one['id']}/retry")
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")


async def test_a_drop_is_logged_with_who_and_why(pool: "Pool[Any]") -> None:
    await poisoned(pool)
    async with operated(pool) as here:
        (one,) = (await seen(here.ada))["quarantine"]
        path = f"/system/quarantine/{one['id']}/drop"
        nameless = await here.ada.public("POST", path, json={"why": " "})
        assert (nameless.status_code, set(nameless.json()["errors"])) == (422, {"why"})
        assert await skips.every(pool) == []
        answer = await here.ada.public("POST", path, json={"why": "a client's mistake"})
        assert (answer.status_code, answer.json()) == (200, {"data": {"again": None}})
    (skip,) = await skips.every(pool)
    assert (skip.position, skip.skipped_by, skip.reason) == (POISONED_AT, "ada@lane.test", "a client's mistake")


async def test_what_cannot_be_released_now_says_why(pool: "Pool[Any]") -> None:
    await poisoned(pool)
    await pool.execute("delete from relay_progress")
    async with operated(pool) as here:
        (one,) = (await seen(here.ada))["quarantine"]
        answer = await here.ada.public("POST", f"/system/quarantine/{one['id']}/retry")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
        assert "has not fed oa.workers" in answer.text


async def test_a_parked_reaction_is_seen_and_tried_by_the_processors(here: Node, pool: "Pool[Any]") -> None:
    await work(here.ada, "desk", 1)
    parked = "insert into parked_reactions values ('charging', 'user:1/desk', 1, 'KeyError()', now())"
    await pool.execute(parked)
    (one,) = (await seen(here.ada))["quarantine"]
    assert (one["id"], one["view"], one["version"], one["doc_key"]) == ("1:charging", "charging", None, "user:1/desk")
    asking = asyncio.create_task(here.ada.public("POST", "/system/quarantine/1:charging/retry"))
    await comes_true(pool, "select asked_at is not null from parked_reactions")
    await pool.execute("delete from parked_reactions")
    assert (await asking).json() == {"data": {"again": None}}


async def test_while_the_log_is_suspended_operators_see_why(here: Node, pool: "Pool[Any]") -> None:
    """everybody else gets 503 (ADR 11)"""
    await suspend(pool, "restored from a backup")
    async with asyncio.timeout(30):
        while (await here.ada.public("GET", "/me")).status_code != 503:  # noqa: ASYNC110 the node looks once a second
            await asyncio.sleep(0.05)
    told = await seen(here.ada)
    assert told["attention"][0] == {"alert": "LogSuspended", "hop": "log", "text": "restored from a backup"}
