"""Wall clocks of our processes stepped an hour on and an hour back while they work (libfaketime; monotonic is true)."""

import asyncio
import dataclasses
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.stack.processes import Program
from tests.faults import stack
from tests.faults.lane import lane
from tests.local_stack import OURS

EVENTS_PER_S = 100
STEPS = ("+1h", "+0", "-1h", "+0", "-1h", "+1h")
STEP_S = 6.0
LIBRARY = "faketime/libfaketime.so.1"


def installed() -> Path | None:
    return next(Path("/usr/lib").glob(f"*/{LIBRARY}"), None)


def unpacked(folder: Path) -> Path | None:
    """Debian's package, without installing it."""
    if not shutil.which("apt-get"):
        return None
    subprocess.run(["apt-get", "download", "libfaketime"], cwd=folder, capture_output=True, timeout=60, check=False)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "root"], capture_output=True, check=True)
    return next(folder.glob(f"root/usr/lib/*/{LIBRARY}"), None)


class Clock:
    """`offset` is what the processes that are wrapped see added to the time."""

    def __init__(self, library: Path, file: Path) -> None:
        self._library = library
        self._file = file
        self.step("+0")

    def step(self, offset: str) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(offset)
        fresh.replace(self._file)

    def wrap(self, program: Program) -> Program:
        if program.name not in OURS:
            return program
        faked = {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }
        return dataclasses.replace(program, environment={**program.environment, **faked})


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    library = installed() or unpacked(tmp_path)
    if library is None:
        pytest.skip("no libfaketime here, and no apt-get to fetch it with")
    return Clock(library, tmp_path / "offset")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_clocks_that_step_lose_and_repeat_nothing(
    clock: Clock, seed: int, say: Callable[[str], None], tmp_path: Path
) -> None:
    async def step() -> None:
        for offset in STEPS:
            clock.step(offset)
            await asyncio.sleep(STEP_S)

    seeded = random.Random(seed)
    async with (
        stack.running(tmp_path, wrap=clock.wrap) as started,
        lane(started.url, started.addresses, seeded) as loaded,
    ):
        await loaded.write_during([step()], EVENTS_PER_S, len(STEPS) * STEP_S)
        differences = await loaded.differences(say)
        stamps = await loaded.pool.fetchrow("select max(recorded_at) - min(recorded_at) as span from events")
    say(f"ended: {dict(started.ends)}, the log spans {stamps['span'] if stamps else None}")
    assert not differences, "\n".join(differences[:20])
    assert not OURS & started.ends.keys()
    assert stamps
    assert stamps["span"].total_seconds() > 3600
