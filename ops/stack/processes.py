"""Child processes that do not outlive us: own session, prefixed log, readiness by condition, back-off, clean stop."""

import asyncio
import os
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from ops.errors import OperatorError
from ops.stack import pids

Log = Callable[[str, str], None]
"""Takes the name of a process and one line it wrote."""

POLL_S: Final = 0.05
SHOWN_LINES: Final = 5
SETTLED_AFTER_S: Final = 30.0
"""A process that ran this long begins its back-off anew."""


class StackError(OperatorError):
    """Of the local stack and its processes."""


@dataclass(frozen=True)
class Program:
    """What to run, when it counts as ready, and how it wants to be stopped.

    `command` must end itself when its parent dies (`leashed`). `says` is a piece of a line it writes when it is ready.
    One that `may_end` is not started again after it ended with 0.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], Awaitable[bool]]
    says: str = ""
    may_end: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 10.0
    ready_within_s: float = 60.0


def leashed(command: Sequence[str], death: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command, told to get `death` from the kernel when its parent ends, however that ends.

    A change of user clears the wish, so this wraps the innermost command.
    """
    if shutil.which("setpriv") is None:
        return list(command)
    return ["setpriv", f"--pdeathsig={death.name.removeprefix('SIG')}", "--", *command]


class Child:
    """One run of a program. Start it from a thread that lives as long as it should (the leash hangs on the thread)."""

    def __init__(self, program: Program, log: Log) -> None:
        self.program = program
        self.last_lines: deque[str] = deque(maxlen=20)
        self._said = not program.says
        self._log = log
        self._process = subprocess.Popen(
            program.command,
            cwd=program.folder,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.pid = pids.of(self._process.pid)
        assert self._process.stdout is not None
        self._pump = threading.Thread(target=self._copy, args=(self._process.stdout,), daemon=True)
        self._pump.start()

    def _copy(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                text = line.decode("utf-8", "replace").rstrip()
                self.last_lines.append(text)
                self._said = self._said or self.program.says in text
                self._log(self.program.name, text)

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    async def exited(self) -> int:
        while True:
            if (code := self.exit_code) is not None:
                return code
            await asyncio.sleep(POLL_S)

    async def until_ready(self) -> bool:
        """False when the process ended before it was ready; raises `StackError` at the deadline."""
        deadline = time.monotonic() + self.program.ready_within_s
        while self.exit_code is None:
            if self._said and await self.program.ready():
                return True
            if time.monotonic() > deadline:
                raise StackError(self.told(f"was not ready after {self.program.ready_within_s:g} s"))
            await asyncio.sleep(POLL_S)
        self._pump.join(1)
        return False

    def told(self, what: str) -> str:
        """What happened to it, and what it said before."""
        lines = [line for line in self.last_lines if line.strip()][-SHOWN_LINES:]
        return "\n".join([f"{self.program.name} {what}; its last lines:", *(f"  {line}" for line in lines)])

    async def stop(self) -> None:
        """Ask, wait, then kill what is left of its session."""
        if self.exit_code is None:
            self._process.send_signal(self.program.stop_signal)
        try:
            await asyncio.wait_for(self.exited(), self.program.stop_within_s)
        except TimeoutError:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self.exited()
        self._pump.join(1)


def back_off_s(failures: int) -> float:
    """How long to wait before the next start: 0.2 s, doubling, at most 10 s."""
    return min(10.0, 0.2 * 2.0 ** min(failures, 10))


class Supervised:
    """A program that is kept running: whenever it ends by itself it is started again, after a back-off."""

    def __init__(self, program: Program, log: Log, changed: Callable[[], None] = lambda: None) -> None:
        self.program = program
        self.child: Child | None = None
        self.ready = False
        self._log = log
        self._changed = changed

    @property
    def pid(self) -> pids.Pid | None:
        return self.child.pid if self.child and self.child.exit_code is None else None

    async def start(self, attempts: int = 3) -> None:
        """Start and wait until ready; `StackError` with its last lines when it ends `attempts` times before that."""
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(back_off_s(attempt))
            if await self._start_once():
                return
        assert self.child is not None
        raise StackError(self.child.told(f"ended {attempts} times before it was ready"))

    async def _start_once(self) -> bool:
        self.child = Child(self.program, self._log)
        self._changed()
        self.ready = await self.child.until_ready()
        self._changed()
        return self.ready

    async def keep_running(self) -> None:
        """Watch the started program and start it again whenever it ends; runs until cancelled or it may end."""
        failures, since = 0, time.monotonic()
        while True:
            assert self.child is not None
            code = await self.child.exited()
            self.ready = False
            self._changed()
            if code == 0 and self.program.may_end:
                return
            failures = 0 if time.monotonic() - since > SETTLED_AFTER_S else failures
            pause_s = back_off_s(failures)
            self._log(self.program.name, f"ended with {code}; starting again in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            failures, since = failures + 1, time.monotonic()
            await self._restart()

    async def _restart(self) -> None:
        try:
            await self._start_once()
        except StackError as error:
            self._log(self.program.name, str(error))
            if self.child is not None:
                await self.child.stop()

    async def stop(self) -> None:
        self.ready = False
        if self.child is not None:
            await self.child.stop()
