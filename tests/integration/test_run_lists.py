"""Which runs somebody has, on the signed API (additive to runtime §2.6; §2.3, §2.18)."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.nodes import Caller, Node, node
from tests.run_calls import RunCalls


@pytest.fixture
async def here(pool: "asyncpg.Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


async def listed(caller: Caller, **query: Any) -> list[dict[str, Any]]:
    named = {name: value for name, value in query.items() if name != "limit"}
    answer = await caller.signed("GET", "/runs", params=query, claims=named)
    assert answer.status_code == 200, answer.text
    runs: list[dict[str, Any]] = answer.json()["runs"]
    return runs


async def test_the_newest_run_comes_first_as_its_snapshot_tells_of_it(here: Node) -> None:
    runs = [RunCalls(here.ada, f"run:{name}", f"thr:{name[0]}") for name in ("a1", "a2", "b1")]
    for run in runs:
        assert (await run.create()).status_code == 202
    await runs[1].cancel()
    assert await listed(here.ada) == [await run.snapshot() for run in reversed(runs)]
    assert [run["status"] for run in await listed(here.ada)] == ["created", "canceling", "created"]


async def test_runs_are_picked_by_id_and_thread_and_there_may_be_fewer(here: Node) -> None:
    for name in ("c1", "c2", "d1"):
        await RunCalls(here.bob, f"run:{name}", f"thr:{name[0]}").create()
    assert [run["runId"] for run in await listed(here.bob, thread_id="thr:c")] == ["run:c2", "run:c1"]
    assert [run["threadId"] for run in await listed(here.bob, run_id="run:d1")] == ["thr:d"]
    assert await listed(here.bob, run_id="run:d1", thread_id="thr:c") == []
    assert [run["runId"] for run in await listed(here.bob, limit=1)] == ["run:d1"]


async def test_nobody_sees_somebody_elses(here: Node) -> None:
    await RunCalls(here.ada, "run:hers", "thr:hers").create()
    assert await listed(here.bob, run_id="run:hers") == []
    assert "run:hers" not in [run["runId"] for run in await listed(here.bob)]
