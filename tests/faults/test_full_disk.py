"""Postgres and Kafka on a full disk: clean refusal, nothing half-written, recovery when there is space (I1, I9)."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NAMESPACE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def may_mount(folder: Path) -> bool:
    try:
        answer = subprocess.run(
            [*NAMESPACE, "mount", "-t", "tmpfs", "none", str(folder)], capture_output=True, check=False
        )
    except FileNotFoundError:
        return False
    return answer.returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", ["postgres", "kafka"])
async def test_a_full_disk_is_refused_cleanly_and_forgotten(
    service: str, seed: int, say: Callable[[str], None], tmp_path: Path
) -> None:
    if not may_mount(tmp_path):
        pytest.skip("this machine lets nobody mount a small disk")
    command = [*NAMESPACE, sys.executable, "-u", "-m", "tests.faults.full_disk", service, str(tmp_path), str(seed)]
    process = await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    say(told.decode().strip())
    assert process.returncode == 0
