"""Spend requests under everything that can happen to whoever answers them (runtime §3.5, §13; ADR 14)."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest

from producers import budgets
from producers.budgets import Authorize, Terms
from producers.eventlog.commands import Item
from schemas.names import budget_stream
from tests.conftest import Say
from tests.faults.pipeline import Pipeline
from tests.faults.victims import Victims
from tests.run_log import OWNER, RunLog, run_log

Pool = asyncpg.Pool
CAP_SATS = 1000
SUMS = """
select (select json_build_object('held', coalesce((state ->> 'held_msats')::bigint, 0),
                                 'spent', coalesce((state ->> 'spent_msats')::bigint, 0))
          from streams where stream = 'budget/root')::text as root,
       json_build_object('held', coalesce(sum((state ->> 'amount_msats')::bigint)
                                   filter (where state ->> 'status' in ('reserved', 'reconcile_required')), 0),
                         'spent', coalesce(sum((state ->> 'spent_msats')::bigint), 0))::text as holds
  from streams where kind = 'hold'
"""


@pytest.fixture
async def run(pool: "Pool[Any]") -> AsyncIterator[RunLog]:
    """A log with a budget of which all runs live: each has a part of it."""
    async with run_log(pool) as run:
        for path in (("root",), ("root", "part")):
            command = Authorize(path[-1], path, Terms(max_total_sats=CAP_SATS))
            await run.log.execute(budgets.DECIDER, budget_stream(path[-1]), OWNER, [Item(command)])
        yield run


async def spend(run: RunLog, name: str, chance: random.Random, *, calls: int, pause_s: float) -> None:
    """Calls of tools: most are held and settled, some are never settled, some ask what nobody can."""
    await run.create(name)
    for number in range(calls):
        call = {"tool_call_id": f"tc-{number}"}
        operations: list[dict[str, Any]] = [
            {"operation": "reserve", "amount_sats": chance.randrange(1, 30)},
            chance.choice([{"operation": "commit"}, {"operation": "release"}, {"operation": "what"}]),
        ]
        for part, operation in enumerate(operations):
            await asyncio.sleep(chance.uniform(0, pause_s))
            await run.send(name, f"f-{number}-{part}", "spend_request", call | operation)


async def until_answered(run: RunLog, names: Sequence[str], frames: int, within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        for name in names:
            while len(await answers(run, name)) < frames:  # noqa: ASYNC110 what is waited for is elsewhere
                await asyncio.sleep(0.05)


async def answers(run: RunLog, name: str) -> list[str]:
    return [event.payload["frame_id"] for event in await run.told(name) if event.type == "spend.answered"]


async def check(run: RunLog, names: Sequence[str]) -> None:
    """Each frame has one answer, and the budget is what its holds are."""
    for name in names:
        await run.check(name)
        consumed = [e.payload["frame_id"] for e in await run.told(name) if e.type == "run.frame_consumed"]
        assert sorted(await answers(run, name)) == sorted(consumed)
    [(root, holds)] = await run.pool.fetch(SUMS)
    assert root == holds


async def test_every_frame_is_answered_and_the_money_adds_up(pipeline: Pipeline, run: RunLog, seed: int) -> None:
    """runtime §3.5: side by side on one budget, over Kafka"""
    names = [f"r{number}" for number in range(8)]
    async with pipeline.relaying(), pipeline.projecting():
        spending = (spend(run, name, random.Random(f"{seed} {name}"), calls=4, pause_s=0.05) for name in names)
        await asyncio.gather(*spending)
        await until_answered(run, names, 8)
    await check(run, names)


@pytest.mark.slow(90)
async def test_processors_that_are_killed_answer_every_frame_once(
    pipeline: Pipeline, run: RunLog, seed: int, say: Say
) -> None:
    """runtime §3.5, §13: killed at random, holds add up and no frame is answered twice"""
    victims = Victims(pipeline, random.Random(seed))
    names = [f"r{number}" for number in range(30)]
    async with pipeline.relaying():
        async with victims.dying():
            spending = (spend(run, name, random.Random(f"{seed} {name}"), calls=10, pause_s=4) for name in names)
            await asyncio.gather(*spending)
        async with victims.living():
            await until_answered(run, names, 20, within_s=120)
    await check(run, names)
    say(f"{victims.kills} kills, {len(names)} runs, {len(names) * 20} frames")
