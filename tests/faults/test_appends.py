"""Appends by 64 writers in three processes that are killed: no position skipped, reordered or reused (I1–I3, I6)."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from ops.stack.processes import leashed
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail
from producers.eventlog.wakeups import Wakeups
from schemas.events import Recorded
from schemas.names import NOTIFY_LOG
from tests.faults import agreement
from tests.faults.appending_process import Share, read_ledger
from tests.faults.load import Acknowledged

Pool = asyncpg.Pool
APPENDS = int(os.environ.get("OA_FAULT_APPENDS") or 100_000)
KILLS = APPENDS // 5000
WRITERS = (22, 21, 21)
REPOSITORY = Path(__file__).parents[2]


class Reader:
    """One tail of the log, from its beginning; `skipped` is what came after something else than its predecessor."""

    def __init__(self) -> None:
        self.position = 0
        self.skipped: list[int] = []

    def receive(self, events: Sequence[Recorded]) -> None:
        for event in events:
            if event.position != self.position + 1:
                self.skipped.append(event.position)
            self.position = event.position

    @asynccontextmanager
    async def reading(self, pool: "Pool[Any]") -> AsyncIterator[None]:
        wakeups = Wakeups(pool)
        tail = LogTail(LogReader(pool), wakeups.event(NOTIFY_LOG), start=0)
        tail.subscribe(self.receive)
        tasks = [asyncio.create_task(wakeups.run()), asyncio.create_task(tail.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Writing:
    """One process of writers, started again whenever it was killed, until its share is written."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        command = leashed(
            [sys.executable, "-m", "tests.faults.appending_process", msgspec.json.encode(self._share).decode()]
        )
        code = None
        while code != 0:
            self._process = await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY)
            code = await self._process.wait()
            assert code in (0, -9), f"a writing process ended with {code}"

    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def kill(self) -> None:
        assert self._process
        self._process.kill()


def shares(database: str, folder: Path, seed: int) -> list[Share]:
    each = APPENDS // len(WRITERS) + 1
    return [
        Share(database, str(folder / f"ledger-{at}"), writers, at * each, each, seed + at)
        for at, writers in enumerate(WRITERS)
    ]


async def kill_on_the_way(reader: Reader, processes: Sequence[Writing], seeded: random.Random) -> None:
    """At seeded positions of the log, one of those that live."""
    for position in sorted(seeded.randrange(APPENDS * 9 // 10) for _ in range(KILLS)):
        while reader.position < position or not any(process.is_alive() for process in processes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        seeded.choice([process for process in processes if process.is_alive()]).kill()


def promised(all_shares: Sequence[Share]) -> dict[str, list[Acknowledged]]:
    by_stream: dict[str, list[Acknowledged]] = {}
    for share in all_shares:
        answered, unanswered = read_ledger(share.ledger)
        assert not unanswered
        for sent in answered:
            by_stream.setdefault(sent.stream, []).extend(map(Acknowledged, sent.seqs, sent.numbers))
    return {stream: sorted(acknowledged) for stream, acknowledged in by_stream.items()}


@pytest.mark.invariant("I2", "I3")
@pytest.mark.timeout(300 + APPENDS / 200)
async def test_many_appends_by_processes_that_are_killed(
    database: str, pool: "Pool[Any]", seed: int, say: Callable[[str], None], tmp_path: Path
) -> None:
    all_shares, reader = shares(database, tmp_path, seed), Reader()
    processes = [Writing(share) for share in all_shares]
    async with reader.reading(pool), asyncio.TaskGroup() as tasks:
        tasks.create_task(kill_on_the_way(reader, processes, random.Random(seed)))
        for process in processes:
            tasks.create_task(process.run())
    events = await LogReader(pool).read_all(0, 2 * APPENDS)
    say(f"{len(events)} events, {KILLS} kills")
    assert not reader.skipped
    assert not [*agreement.log_differences(events, promised(all_shares), ())]
    assert len(events) >= APPENDS
