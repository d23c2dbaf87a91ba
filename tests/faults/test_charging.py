"""Turns are charged over Kafka: whoever reports is cut short when the budget pays no more (ADR 14)."""

import asyncio
from typing import Any

import asyncpg

from readmodels.journal import JournalReader
from schemas import names
from tests.charged_workers import REPORT_TOKENS, Desk, desk_of
from tests.faults.pipeline import Pipeline, now

Pool = asyncpg.Pool
WORKERS = 20


async def until_answered(desk: Desk, name: str, tokens: int) -> None:
    """The report is charged, or its turn is asked to end."""
    async with asyncio.timeout(60):
        while not await desk.interruptions(name):
            hold = await desk.hold(name)
            if hold and hold.charged_msats >= tokens:
                return
            await asyncio.sleep(0.05)


async def until_told(pool: "Pool[Any]", documents: set[str]) -> None:
    """What a subscribed socket gets."""
    async with asyncio.timeout(60):
        while documents - {row.doc_key for row in await JournalReader(pool).read_all(names.NOTIFICATIONS, 0, 1000)}:  # noqa: ASYNC110 elsewhere
            await asyncio.sleep(0.05)


async def test_turns_that_report_over_kafka_overshoot_by_one_report_each(pipeline: Pipeline, pool: "Pool[Any]") -> None:
    """runtime §3.4, §3.5, §10.4: and their owner is told on the socket"""
    workers = [f"wk{number:02}" for number in range(WORKERS)]
    used = dict.fromkeys(workers, 0)

    async def turn(desk: Desk, name: str) -> None:
        while not await desk.interruptions(name):
            used[name] += REPORT_TOKENS
            await desk.meter(name, used[name])
            await until_answered(desk, name, used[name])

    async with desk_of(pool, now) as desk, pipeline.relaying(), pipeline.projecting():
        await desk.authorize(max_total_sats=40)
        await asyncio.gather(*(desk.bind(name, 4) for name in workers))
        await asyncio.gather(*(turn(desk, name) for name in workers))
        assert await desk.totals() == (0, 40)
        await until_told(pool, {f"runtime/notification:turn/{name}/t-{name}" for name in workers})
        await until_told(pool, {"runtime/notification:budget/a"})
    assert 40 <= sum(used.values()) / REPORT_TOKENS <= 40 + WORKERS
