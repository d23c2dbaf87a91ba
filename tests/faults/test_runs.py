"""Runs under everything that can happen to whoever executes them (runtime §4, §13)."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from oa_client.client import Client
from oa_client.errors import TRANSIENT
from oa_client.runs import Run
from oa_client.signed import Signed

from ops.database import open_pool
from processors.executor import FRAMES_OF_A_PASS
from tests.conftest import Say
from tests.faults import kills, stack
from tests.faults.pipeline import Pipeline
from tests.faults.victims import Victims
from tests.run_log import RunLog, run_log

Pool = asyncpg.Pool


@pytest.fixture
async def run(pool: "Pool[Any]") -> AsyncIterator[RunLog]:
    async with run_log(pool) as run:
        yield run


async def until_ended(run: RunLog, names: Sequence[str], within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        for name in names:
            while "run.finished" not in await run.types(name):  # noqa: ASYNC110 what is waited for is elsewhere
                await asyncio.sleep(0.05)


async def test_a_run_goes_from_its_frames_to_its_end(pipeline: Pipeline, run: RunLog) -> None:
    """runtime §4.1: the example, seq 1..4; §2.18: the run reaches its terminal status"""
    async with pipeline.relaying(), pipeline.projecting():
        await run.create("r")
        await run.say("r", "hi", "there")
        await run.send("r", "f-3", "complete", {})
        await until_ended(run, ["r"])
    assert await run.types("r") == ["run.started", "run.delta", "run.delta", "run.finished"]
    await run.check("r")


async def test_thirty_cancels_over_ten_runs_give_ten_canceled_ends(pipeline: Pipeline, run: RunLog) -> None:
    """runtime §13, §4.2"""
    names = [f"r{number}" for number in range(10)]
    async with pipeline.relaying(), pipeline.projecting():
        for name in names:
            await run.say(name, "hi")
        await asyncio.gather(*(run.cancel(name, "enough") for _ in range(3) for name in names))
        await until_ended(run, names)
    for name in names:
        await run.check(name)
        finished = [event.payload for event in await run.told(name) if event.type == "run.finished"]
        assert [(one["status"], one["reason"]) for one in finished] == [("canceled", "enough")]


async def test_a_run_is_executed_again_from_refed_topics_without_a_trace(pipeline: Pipeline, run: RunLog) -> None:
    """DESIGN I4, runtime §4.5: exactly-once effect"""
    async with pipeline.relaying(), pipeline.projecting():
        await run.say("r", "hi")
        await run.send("r", "f-2", "complete", {})
        await until_ended(run, ["r"])
    before = await run.told("r")
    await run.pool.execute("delete from reactions")
    again = Pipeline(pipeline.pool, pipeline.bootstrap, pipeline.database, f"{pipeline.prefix}again.")
    async with again.relaying(), again.projecting():
        await run.send("s", "f-1", "complete", {})
        await until_ended(run, ["s"])
    assert await run.told("r") == before


@pytest.mark.slow(90)
async def test_processors_that_are_killed_under_load_leave_no_run_behind(
    pipeline: Pipeline, run: RunLog, seed: int, say: Say
) -> None:
    """runtime §13: a lost executor recovers without gaps; no run stuck, nothing told twice, every chain verifies"""
    chance = random.Random(seed)
    victims = Victims(pipeline, chance)
    names = [f"r{number}" for number in range(60)]
    async with pipeline.relaying():
        async with victims.dying():
            await asyncio.gather(*(_live(run, name, random.Random(seed + number)) for number, name in enumerate(names)))
        async with victims.living():
            await until_ended(run, names, within_s=120)
    for name in names:
        await run.check(name)
    counts = [len(await run.told(name)) for name in names]
    say(f"{victims.kills} kills, {len(names)} runs, {sum(counts)} events")


@pytest.mark.slow(60)
async def test_edge_and_processors_that_are_killed_leave_callers_with_every_run_whole(
    tmp_path: Path, seed: int, say: Say
) -> None:
    """runtime §13, §2.6: what was not answered is sent again and counts once; who follows has every event, once"""
    chance = random.Random(seed)
    names = [f"r{number}" for number in range(30)]
    async with stack.running(tmp_path) as started:
        signed = Signed(started.addresses["OA_RUNTIME_SIGNING_KEY"], user_id=41)
        killing = [
            kills.kill(lambda name=name: started.pids(name), kills.moments_s(chance, times, 35))  # type: ignore[misc]
            for name, times in (("edge", 8), ("processors", 4))
        ]
        async with Client(started.url, signed=signed) as client:
            lives = [_live_remotely(client.runs.new("thr", name), random.Random(f"{seed} {name}")) for name in names]
            heard = await asyncio.gather(*lives, *killing)
        async with open_pool(started.addresses["OA_DATABASE_URL"]) as pool, run_log(pool) as log:
            for name, events in zip(names, heard, strict=False):
                await log.check(name)
                assert events == [(event.seq, event.type) for event in await log.told(name)]
        say(f"ended: {dict(started.ends)}, {len(names)} runs, {sum(len(events) for events in heard if events)} events")
    assert started.ends["edge"] >= 8


async def _live_remotely(run: Run, chance: random.Random) -> list[tuple[int, str]]:
    """What somebody who follows the run is told while somebody sends frames, each until it is answered."""
    await _until_answered(run.start)
    following = asyncio.create_task(_followed(run))
    for number in range(12):
        await asyncio.sleep(chance.uniform(0, 5))
        await _until_answered(lambda: run.frame("user_message", {"text": "hi"}, frame_id=f"f-{number}"))  # noqa: B023
    await _until_answered(run.cancel if chance.random() < 0.5 else lambda: run.frame("complete", {}, frame_id="f-end"))
    async with asyncio.timeout(60):
        return await following


async def _followed(run: Run) -> list[tuple[int, str]]:
    async with aclosing(run.events(after=0)) as events:
        return [(event.seq, event.event_type) async for event in events]


async def _until_answered(call: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await call()
            return
        except TRANSIENT:
            await asyncio.sleep(0.1)


async def _live(run: RunLog, name: str, chance: random.Random) -> None:
    """A run of a fault test: some words now and then, sometimes a flood, sometimes a cancel; always an end."""
    await run.create(name)
    for number in range(chance.randrange(5, 15)):
        await asyncio.sleep(chance.uniform(0, 4))
        size = 2 * FRAMES_OF_A_PASS if chance.random() < 0.1 else 1
        for part in range(size):
            await run.send(name, f"f-{number}-{part}", "user_message", {"text": f"{number} {part}"})
    if chance.random() < 0.5:
        await run.cancel(name)
    else:
        await run.send(name, "f-end", "complete", {})
