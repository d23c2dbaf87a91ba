"""Child processes: readiness, back-off, stop, and that none outlives its supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ops.stack import pids
from ops.stack.processes import Program, StackError, Supervised, back_off_s, leashed
from tests.services import eventually, until

SUPERVISING = """
import asyncio, sys
from ops.stack.processes import Supervised
from tests.integration.test_processes import program

async def main():
    one = Supervised(program("echo ready; exec sleep 1000", says="ready"), lambda name, line: None)
    await one.start()
    print(one.pid.number, flush=True)
    await one.keep_running()

asyncio.run(main())
"""


async def at_once() -> bool:
    return True


def program(script: str, *, says: str = "", may_end: bool = False, stop_within_s: float = 5.0) -> Program:
    return Program(
        name="child",
        command=leashed(["sh", "-c", script]),
        ready=at_once,
        says=says,
        may_end=may_end,
        environment={"PATH": os.defpath},
        stop_within_s=stop_within_s,
        ready_within_s=5.0,
    )


class Lines(list[str]):
    def log(self, name: str, line: str) -> None:
        self.append(f"{name} | {line}")


@asynccontextmanager
async def supervised(what: Program, lines: Lines) -> AsyncIterator[Supervised]:
    one = Supervised(what, lines.log)
    try:
        yield one
    finally:
        await one.stop()


def test_the_back_off_doubles_up_to_ten_seconds() -> None:
    assert [back_off_s(failures) for failures in range(4)] == [0.2, 0.4, 0.8, 1.6]
    assert back_off_s(100) == 10.0


async def test_it_is_ready_when_it_says_so_and_its_lines_carry_its_name() -> None:
    slow = program("echo warming up; sleep 0.1; echo I am ready; exec sleep 100", says="ready")
    async with supervised(slow, lines := Lines()) as one:
        await one.start()
        assert lines[:2] == ["child | warming up", "child | I am ready"]


async def test_one_that_ends_before_it_is_ready_is_tried_again_and_then_told_with_its_last_words() -> None:
    async with supervised(program("echo no disk; exit 3", says="ready"), lines := Lines()) as one:
        with pytest.raises(StackError, match=r"(?s)child ended 2 times before it was ready.*no disk"):
            await one.start(attempts=2)
        assert lines == ["child | no disk"] * 2


async def test_one_that_is_killed_is_started_again() -> None:
    async with supervised(program("exec sleep 1000"), lines := Lines()) as one:
        await one.start()
        keeping = asyncio.create_task(one.keep_running())
        first = one.pid
        assert first is not None
        os.kill(first.number, signal.SIGKILL)
        await eventually(lambda: one.ready and one.pid not in (None, first))
        assert lines == ["child | ended with -9; starting again in 0.2 s"]
        keeping.cancel()


async def test_it_waits_longer_each_time_it_ends_at_once() -> None:
    async with supervised(program("echo up; sleep 0.5; exit 1", says="up"), lines := Lines()) as one:
        await one.start()
        keeping = asyncio.create_task(one.keep_running())
        await eventually(lambda: len(lines) >= 4)
        keeping.cancel()
    assert lines[:4:2] == ["child | up"] * 2
    assert lines[1:4:2] == [f"child | ended with 1; starting again in {pause} s" for pause in (0.2, 0.4)]


async def test_one_that_may_end_is_left_alone_when_it_did_its_work() -> None:
    async with supervised(program("sleep 0.1; exit 0", may_end=True), lines := Lines()) as one:
        await one.start()
        await asyncio.wait_for(one.keep_running(), 10)
        assert lines == []


async def test_one_that_ignores_sigterm_is_killed_at_the_deadline() -> None:
    deaf = program("trap '' TERM; echo ready; while :; do sleep 0.1; done", says="ready", stop_within_s=0.3)
    async with supervised(deaf, Lines()) as one:
        await one.start()
        pid = one.pid
        assert pid is not None
        await one.stop()
        assert not pid.alive()


def test_a_supervisor_that_is_killed_leaves_nothing_behind() -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISING], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert supervisor.stdout is not None
    with supervisor.stdout:
        child = pids.of(int(supervisor.stdout.readline()))
        assert child is not None
        supervisor.kill()
        supervisor.wait()
    until(lambda: not child.alive(), 5)


def test_another_process_with_the_same_number_is_not_ours() -> None:
    mine = pids.of(os.getpid())
    assert mine is not None
    assert mine.alive()
    assert not pids.Pid(mine.number, "another moment").alive()
