"""Group commit: batches form while one is written; a failure reaches its own batch only."""

import asyncio
from collections.abc import Sequence

import pytest

from edge.auth.group_commit import GroupCommit


class Store:
    """Doubles what it is given, once the test lets it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()

    async def write(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.open.wait()
        if 13 in items:
            raise ConnectionError("lost")
        return [2 * item for item in items]


async def submitted(commit: GroupCommit[int, int], *items: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(commit.submit(item)) for item in items]
    await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_a_batch_is_written_goes_into_the_next() -> None:
    store = Store()
    commit = GroupCommit(store.write, limit=2)
    first = await submitted(commit, 1)
    await asyncio.sleep(0)
    rest = await submitted(commit, 2, 3, 4)
    store.open.set()
    assert await asyncio.gather(*first, *rest) == [2, 4, 6, 8]
    assert store.batches == [[1], [2, 3], [4]]


async def test_a_failed_batch_fails_for_those_in_it() -> None:
    store = Store()
    commit = GroupCommit(store.write, limit=2)
    tasks = await submitted(commit, 13, 1, 2)
    store.open.set()
    failed_a, failed_b, good = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(failed_a, ConnectionError)
    assert isinstance(failed_b, ConnectionError)
    assert good == 4


async def test_who_goes_away_does_not_take_the_batch_along() -> None:
    store = Store()
    commit = GroupCommit(store.write)
    leaving, staying = await submitted(commit, 1, 2)
    await asyncio.sleep(0)
    leaving.cancel()
    store.open.set()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await staying == 4
    assert await commit.submit(3) == 6
