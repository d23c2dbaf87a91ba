"""Processes of a running stack, killed at given moments."""

import asyncio
import random
import signal
from collections.abc import Iterable
from pathlib import Path

from ops.stack import state
from ops.stack.pids import Pid

_BACK_WITHIN_S = 60.0
_POLL_S = 0.02


def moments_s(seeded: random.Random, times: int, over_s: float) -> list[float]:
    """One moment in each of `times` equal parts of a period."""
    return [(part + seeded.random()) * over_s / times for part in range(times)]


async def kill(data: Path, name: str, moments: Iterable[float]) -> list[Pid]:
    """SIGKILL at each moment, counted from now, or when the process has been started again; returns whom it hit."""
    now = asyncio.get_running_loop().time
    begun = now()
    killed: list[Pid] = []
    for moment in moments:
        await asyncio.sleep(begun + moment - now())
        async with asyncio.timeout(_BACK_WITHIN_S):
            pid = await _living(data, name)
        pid.send(signal.SIGKILL)
        killed.append(pid)
    return killed


async def _living(data: Path, name: str) -> Pid:
    while True:
        found = state.read(data)
        for process in found.processes if found else ():
            if process.name == name and process.pid is not None and process.pid.alive():
                return process.pid
        await asyncio.sleep(_POLL_S)
