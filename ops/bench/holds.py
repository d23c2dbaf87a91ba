"""`oa bench holds`: holds a second on one hot budget, alone and with three above it; none too many at the end."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
import uvloop

from ops.bench.figures import Figure, Run, by_itself, show
from ops.bench.processes import fresh_postgres
from ops.database import open_pool
from producers import budgets, spending
from producers.budgets import Authorize, Budget, Terms
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.streams import StreamReader
from producers.refusals import Denied
from producers.spending import Reserve, Target
from schemas.amounts import msats_of
from schemas.names import budget_stream

CONCURRENT = 64
RUN_S = 6.0
ROUNDS = 3
OWNER = "user:1"
UNIT = "holds/s"
ABOVE = ("organisation", "project", "agent", "run")
_SPARE = 100
"""Spenders go on until so many were refused: what is left is nothing, and nobody had more."""


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    async with fresh_postgres() as (server, _), open_pool(server.dsn()) as pool:
        figure = by_itself("holds", UNIT, [await _round(pool, number, 1) for number in range(ROUNDS)])
        four = [await _round(pool, ROUNDS + number, len(ABOVE)) for number in range(ROUNDS)]
        figure.cases.append(by_itself("a path of four", UNIT, four))
    return figure


async def _round(pool: "asyncpg.Pool[Any]", number: int, depth: int) -> Run:
    log = EventLog(pool)
    path = tuple(f"{name}-{number}" for name in ABOVE[:depth])
    for above in range(depth):
        await _authorize(log, path[: above + 1], None)
    numbers, latencies_ms = itertools.count(), list[float]()
    started = time.perf_counter()
    end = started + RUN_S
    await asyncio.gather(*(_hold(log, path, numbers, end, latencies_ms) for _ in range(CONCURRENT)))
    run = Run(len(latencies_ms) / (time.perf_counter() - started), latencies_ms)
    await _check(pool, path, held_sats=len(latencies_ms))
    await _exhaust(log, pool, path[0])
    await log.close()
    return run


async def _authorize(log: EventLog, path: Sequence[str], max_total_sats: int | None) -> None:
    command = Authorize(path[-1], tuple(path), Terms(max_total_sats=max_total_sats))
    await log.execute(budgets.DECIDER, budget_stream(path[-1]), OWNER, [Item(command)])


async def _hold(
    log: EventLog, path: tuple[str, ...], numbers: Iterator[int], end: float, latencies_ms: list[float]
) -> None:
    """One tool call after the other, each a sat."""
    while (now := time.perf_counter()) < end:
        await _reserve(log, path, next(numbers))
        latencies_ms.append((time.perf_counter() - now) * 1000)


async def _reserve(log: EventLog, path: tuple[str, ...], number: int) -> None:
    target = Target(path, "run_bench", f"call-{number}")
    command = Reserve(target, msats_of(1))
    await log.execute_together(spending.reserve, spending.reserve_parts(OWNER, target), [Item(command)])


async def _exhaust(log: EventLog, pool: "asyncpg.Pool[Any]", parent: str) -> None:
    """A budget that is smaller than what is asked of it at once."""
    path, cap = (parent, f"{parent}-small"), CONCURRENT * 4
    await _authorize(log, path, cap)
    answers = await asyncio.gather(
        *(_reserve(log, path, number) for number in range(cap + _SPARE)), return_exceptions=True
    )
    refused = sum(isinstance(answer, Denied) for answer in answers)
    if refused != _SPARE:
        raise RuntimeError(f"{refused} of {len(answers)} holds were refused where {_SPARE} were too many")
    await _check(pool, path[1:], held_sats=cap)


async def _check(pool: "asyncpg.Pool[Any]", path: Sequence[str], held_sats: int) -> None:
    """Every hold counted once by every budget of the path."""
    for name in path:
        snapshot = await StreamReader(pool).get(budgets.DECIDER, budget_stream(name))
        budget: Budget | None = snapshot.state if snapshot else None
        if budget is None or (budget.reserved_sats, budget.spent_sats) != (held_sats, 0):
            raise RuntimeError(f"{name} says {budget} where {held_sats} sats are held")
