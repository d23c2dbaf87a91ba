"""Ends what a stack left behind or still runs; only processes it started itself, known by number and start."""

import asyncio
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ops.stack import pids, postgres, secrets, state
from ops.stack.pids import Pid

KEPT: Final = ("postgres", "kafka", "codex")
FILES: Final = (secrets.FILE_NAME, state.FILE_NAME, state.LOCK_NAME, "stack.log")
STOPS_WITHIN_S: Final = 60.0
ENDS_WITHIN_S: Final = 15.0
POLL_S: Final = 0.05


async def end(folder: Path) -> None:
    """End the processes of a stack whose supervisor is gone, and forget it."""
    left = state.read(folder)
    if left is None or left.supervisor.alive():
        return
    await _end(left.pids, ENDS_WITHIN_S)
    state.forget(folder)


async def stop(folder: Path) -> bool:
    """Stop the stack in this folder; False when none ran."""
    found = state.read(folder)
    if found is None or not pids.alive([found.supervisor, *found.pids]):
        state.forget(folder)
        return False
    await _end([found.supervisor], STOPS_WITHIN_S)
    await end(folder)
    return True


async def _end(processes: Sequence[Pid], within_s: float) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes:
            pid.send(number)
        if await _gone(processes, within_s):
            return


async def _gone(processes: Sequence[Pid], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while pids.alive(processes):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


def forget_everything(folder: Path) -> None:
    """Remove what stacks kept in this folder, and the folder if that was all."""
    for kept in (*(folder / name for name in KEPT), postgres.plan_here(folder).home):
        shutil.rmtree(kept, ignore_errors=True)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
