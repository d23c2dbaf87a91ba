"""Processes killed at given moments."""

import asyncio
import random
import signal
from collections.abc import Callable, Collection, Iterable, Sequence

from ops.stack.pids import Pid

Alive = Callable[[], Sequence[Pid]]
"""The processes that play one part now."""

_BACK_WITHIN_S = 60.0
_POLL_S = 0.02


def moments_s(seeded: random.Random, times: int, over_s: float) -> list[float]:
    """One moment in each of `times` equal parts of a period."""
    return [(part + seeded.random()) * over_s / times for part in range(times)]


async def kill(alive: Alive, moments: Iterable[float], number: signal.Signals = signal.SIGKILL) -> None:
    """Send the signal at each moment, counted from now, or as soon as the process has been started again."""
    now = asyncio.get_running_loop().time
    begun = now()
    killed: set[Pid] = set()
    for moment in moments:
        await asyncio.sleep(begun + moment - now())
        async with asyncio.timeout(_BACK_WITHIN_S):
            pid = await _next(alive, killed)
        pid.send(number)
        killed.add(pid)


async def _next(alive: Alive, killed: Collection[Pid]) -> Pid:
    while True:
        for pid in alive():
            if pid.alive() and pid not in killed:
                return pid
        await asyncio.sleep(_POLL_S)
