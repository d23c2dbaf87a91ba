"""Process ids that cannot be mistaken for somebody else's: each goes with the moment its process started."""

import os
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pid:
    """`started` is what the system says about the start; a later process with the same number has another."""

    number: int
    started: str

    def alive(self) -> bool:
        return started(self.number) == self.started

    def send(self, number: signal.Signals) -> None:
        if self.alive():
            os.kill(self.number, number)


def of(number: int) -> Pid | None:
    """The running process with this number, if there is one."""
    moment = started(number)
    return Pid(number, moment) if moment else None


def started(number: int) -> str | None:
    """When the process started, or None when there is no such process (a zombie has ended)."""
    if not Path("/proc/self/stat").exists():
        return _started_by_ps(number)
    try:
        fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def _started_by_ps(number: int) -> str | None:
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(number)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def alive(pids: Iterable[Pid]) -> list[Pid]:
    return [pid for pid in pids if pid.alive()]
