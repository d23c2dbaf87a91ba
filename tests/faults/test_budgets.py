"""Two hundred spenders on one budget, in three processes that are killed: not a sat too many (DESIGN I7)."""

import asyncio
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from ops.stack.processes import leashed
from processors.audit.ledgers import ledger_differences
from producers import budgets
from producers.budgets import Authorize, Budget, Terms
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.streams import StreamReader
from schemas.names import budget_stream
from tests.faults.spending_process import OWNER, PATHS, SPENDERS_EACH, Share

Pool = asyncpg.Pool
REPOSITORY = Path(__file__).parents[2]
PROCESSES = 3
CALLS = 12
KILLS = 9
GRANTED_SATS = {"root": 3000, "left": 1200, "right": 1200}


class Spending:
    """One process, started again whenever it was killed, until its spenders are through."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        command = leashed(
            [sys.executable, "-m", "tests.faults.spending_process", msgspec.json.encode(self._share).decode()]
        )
        code = None
        while code != 0:
            self._process = await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY)
            code = await self._process.wait()
            assert code in (0, -9), f"a spending process ended with {code}"

    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def kill(self) -> None:
        assert self._process
        self._process.kill()


async def authorize(pool: "Pool[Any]") -> None:
    log = EventLog(pool)
    for path in (("root",), *PATHS[:2]):
        command = Authorize(path[-1], path, Terms(max_total_sats=GRANTED_SATS[path[-1]]))
        await log.execute(budgets.DECIDER, budget_stream(path[-1]), OWNER, [Item(command)])
    await log.close()


async def kill_on_the_way(
    pool: "Pool[Any]", processes: Sequence[Spending], chance: random.Random, killed_at: list[int]
) -> None:
    """Whenever some more was written, one of those that live, until one is through."""
    position = 0
    while len(killed_at) < KILLS:
        head: int = await pool.fetchval("select position from log_head")
        alive = [process for process in processes if process.is_alive()]
        if head > position and len(alive) == len(processes):
            chance.choice(alive).kill()
            killed_at.append(head)
            position = head + chance.randrange(50, 400)
        await asyncio.sleep(0.02)


async def total(pool: "Pool[Any]", name: str) -> Budget:
    snapshot = await StreamReader(pool).get(budgets.DECIDER, budget_stream(name))
    assert snapshot
    return snapshot.state


@pytest.mark.invariant("I7")
@pytest.mark.timeout(300)
async def test_spenders_that_are_killed_never_spend_too_much(
    database: str, pool: "Pool[Any]", seed: int, say: Callable[[str], None]
) -> None:
    """Runtime §3.5, DEC-50: `granted = held + spent + free` at every position, and the money was all asked for."""
    await authorize(pool)
    killed_at = list[int]()
    processes = [Spending(Share(database, number, CALLS)) for number in range(PROCESSES)]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(process.run()) for process in processes]
        killing = tasks.create_task(kill_on_the_way(pool, processes, random.Random(seed), killed_at))
        await asyncio.wait(running)
        killing.cancel()
    assert await ledger_differences(pool, 0, lambda _: True) == []
    left, right, root = [await total(pool, name) for name in ("left", "right", "root")]
    holds = await pool.fetchval("select count(*) from streams where kind = 'hold'")
    say(f"{len(killed_at)} kills, {holds} holds; of the root {root.spent_sats} spent, {root.reserved_sats} held")
    for budget in (root, left, right):
        assert budget.spent_msats + budget.held_msats <= 1000 * GRANTED_SATS[budget.authorization_id]
    assert killed_at, "nobody was killed"
    assert holds < PROCESSES * SPENDERS_EACH * CALLS, "the budget was not asked for more than it has"
