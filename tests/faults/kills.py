"""Processes of a running stack, killed at given moments."""

import asyncio
import random
import signal
from collections.abc import Collection, Iterable
from pathlib import Path

from ops.stack import state
from ops.stack.pids import Pid

_BACK_WITHIN_S = 60.0
_POLL_S = 0.02


def moments_s(seeded: random.Random, times: int, over_s: float) -> list[float]:
    """One moment in each of `times` equal parts of a period."""
    return [(part + seeded.random()) * over_s / times for part in range(times)]


async def kill(data: Path, name: str, moments: Iterable[float]) -> None:
    """SIGKILL at each moment, counted from now, or as soon as the process has been started again."""
    now = asyncio.get_running_loop().time
    begun = now()
    killed: set[Pid] = set()
    for moment in moments:
        await asyncio.sleep(begun + moment - now())
        async with asyncio.timeout(_BACK_WITHIN_S):
            pid = await _next(data, name, killed)
        pid.send(signal.SIGKILL)
        killed.add(pid)


async def _next(data: Path, name: str, killed: Collection[Pid]) -> Pid:
    while True:
        found = state.read(data)
        pids = [process.pid for process in found.processes if process.name == name] if found else []
        for pid in pids:
            if pid is not None and pid.alive() and pid not in killed:
                return pid
        await asyncio.sleep(_POLL_S)
