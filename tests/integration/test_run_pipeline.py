"""Runs from frame to stream through all that is between: edge, log, relay, Kafka, executor (runtime §2.18, §13)."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.conftest import Kafka
from tests.faults.pipeline import Pipeline
from tests.nodes import Node, node
from tests.run_calls import RunCalls

Pool = asyncpg.Pool


@pytest.fixture
async def here(pool: "Pool[Any]", database: str, kafka: Kafka) -> AsyncIterator[Node]:
    pipeline = Pipeline(pool, kafka.bootstrap, database, f"{kafka.prefix}{uuid.uuid4().hex[:6]}.")
    async with pipeline.relaying(), pipeline.projecting(), node(pool) as running:
        yield running


async def created(here: Node, name: str) -> RunCalls:
    run = RunCalls(here.ada, f"run_{name}_{uuid.uuid4().hex[:8]}")
    assert (await run.create()).status_code == 202
    return run


async def until_done(run: RunCalls) -> list[tuple[int, Any]]:
    """Everything of the run's stream, once its end is there."""
    async with asyncio.timeout(60):
        while not (frames := await run.frames_above(0, tail_ms=500)) or frames[-1][1] != "[DONE]":
            pass
    return frames


async def test_a_whole_run_as_a_client_sees_it(here: Node) -> None:
    """Runtime A.2, §2.18: the terminal frame ends the run, also for the snapshot."""
    run = await created(here, "whole")
    tailing = asyncio.create_task(until_done(run))
    assert (await run.frame("f-1", payload={"text": "Bon"})).status_code == 202
    assert (await run.frame("f-2", "note", {"k": 1})).status_code == 202
    assert (await run.frame("f-3", "complete")).status_code == 202
    told, consumed = {"runId": run.run_id}, {"frame_id": "f-2", "frame_type": "note", "payload": {"k": 1}}
    end = {"status": "succeeded", "reason_class": "completed", "reason": "completed", "frame_id": "f-3"}
    assert await tailing == [
        (1, {"type": "start", "meta": {}} | told),
        (2, {"type": "text-delta", "delta": "Bon"} | told),
        (3, {"type": "event", "eventType": "run.frame_consumed", "payload": consumed} | told),
        (4, {"type": "finish", "meta": end} | told),
        (4, "[DONE]"),
    ]
    snapshot = await run.snapshot()
    assert (snapshot["status"], snapshot["latestSeq"]) == ("succeeded", 4)
    assert [(await run.frame("f-late")).status_code for _ in range(2)] == [202, 200]
    late = await run.cancel()
    assert (late.status_code, late.json()["status"]) == (200, "succeeded")


async def test_thirty_frames_at_once_are_thirty_events_and_eight_streams_see_them_all(here: Node) -> None:
    """Runtime §13: seq stays contiguous, every frame is consumed once, all streams see the same until `[DONE]`."""
    run = await created(here, "crowded")
    streams = [asyncio.create_task(until_done(run)) for _ in range(8)]
    answers = await asyncio.gather(*(run.frame(f"f-{n}", payload={"text": f"{n}"}) for n in range(30)))
    assert {answer.status_code for answer in answers} == {202}
    await run.frame("f-end", "complete")
    first, *others = [await stream for stream in streams]
    assert [seq for seq, _ in first] == [*range(1, 33), 32]
    assert sorted(data["delta"] for _, data in first[1:-2]) == sorted(str(n) for n in range(30))
    assert others == [first] * 7


async def test_thirty_cancels_over_ten_runs_are_ten_canceled_finishes(here: Node) -> None:
    """Runtime §13, DEC-8: whether a frame came before or not."""
    runs = [await created(here, f"canceled-{n}") for n in range(10)]
    await asyncio.gather(*(run.frame("f-1", payload={"text": "hi"}) for run in runs[::2]))
    answers = await asyncio.gather(*(run.cancel() for run in runs * 3))
    assert sorted(answer.status_code for answer in answers) == [200] * 20 + [202] * 10
    for run in runs:
        frames = await until_done(run)
        ends = [data["meta"]["status"] for _, data in frames[:-1] if data["type"] == "finish"]
        asked = [data for _, data in frames[:-1] if data.get("eventType") == "run.cancel_requested"]
        assert (ends, len(asked)) == (["canceled"], 1)
