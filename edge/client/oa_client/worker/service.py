"""The daemon in the background: a process of its own that is started once, found again, and ended."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from oa_client.errors import OaError

READY = " is running at event "
"""What the daemon says when it has registered its worker."""

_READY_WITHIN_S = 15.0
_ENDED_WITHIN_S = 15.0
_POLL_S = 0.05
_MAX_LOG_BYTES = 4 * 1024 * 1024
_LAST_WORDS = 10


class ServiceFailed(OaError):
    pass


class Started(NamedTuple):
    """One that is not ready has not reached the edge yet, and tries on."""

    process: subprocess.Popen[bytes]
    is_ready: bool


@dataclass(frozen=True)
class Service:
    """The daemon of one worker on this machine, by the file of its `Store`.

    Beside that, `.lock` is locked by the process that serves the worker and has its number; `.log` has what it said.
    """

    store: Path

    @property
    def log(self) -> Path:
        return self.store.with_suffix(".log")

    @property
    def process_id(self) -> int | None:
        """Of the process that serves the worker now."""
        lock = self.store.with_suffix(".lock")
        with suppress(OSError, ValueError):
            process_id = int(lock.read_text(encoding="ascii"))
            os.kill(process_id, 0)
            return process_id if _is_locked(lock) else None
        return None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> Started:
        """A process that outlives this one. Raises ServiceFailed when it ends at once."""
        self.check_absent()
        self.store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.log.exists() and self.log.stat().st_size > _MAX_LOG_BYTES:
            self.log.replace(self.store.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            said_before = log.tell()
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        _wait(lambda: process.poll() is not None or READY in self._said(said_before), _READY_WITHIN_S)
        if process.poll() is not None:
            raise ServiceFailed("\n".join(["the daemon ended:", *self.last_lines(_LAST_WORDS)]))
        return Started(process, READY in self._said(said_before))

    def check_absent(self) -> None:
        if process_id := self.process_id:
            raise ServiceFailed(f"process {process_id} serves this worker already: `oa worker stop` ends it")

    def stop(self) -> bool:
        """Whether there was one; it ends its turn and says goodbye. Raises ServiceFailed when it does not end."""
        process_id = self.process_id
        if process_id is None:
            return False
        os.kill(process_id, signal.SIGTERM)
        if not _wait(lambda: self.process_id is None, _ENDED_WITHIN_S):
            raise ServiceFailed(f"process {process_id} does not end")
        return True

    def last_lines(self, count: int) -> list[str]:
        return self._said(0).splitlines()[-count:]

    def _said(self, after: int) -> str:
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(after)
            return log.read().decode(errors="replace")


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _wait(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
