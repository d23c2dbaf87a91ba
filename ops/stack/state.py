"""`stack.json` says what runs in a data folder; a lock beside it lets one supervisor run there."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from ops.stack.pids import Pid
from ops.stack.processes import StackError

FILE_NAME: Final = "stack.json"
LOCK_NAME: Final = "stack.lock"

Phase = Literal["starting", "ready", "stopping", "failed"]


@dataclass(frozen=True)
class Running:
    """One process of the stack; without a pid it is between two starts."""

    name: str
    pid: Pid | None
    ready: bool


@dataclass(frozen=True)
class StackState:
    supervisor: Pid
    port: int
    each: int = 1
    phase: Phase = "starting"
    step: str = ""
    """What it is doing while it starts, why it failed, or why the log is suspended although it runs."""
    processes: tuple[Running, ...] = field(default=())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pids(self) -> list[Pid]:
        return [process.pid for process in self.processes if process.pid is not None]

    def write(self, folder: Path) -> None:
        fresh = folder / f"{FILE_NAME}.new"
        fresh.write_text(json.dumps(asdict(self) | {"address": self.address}, indent=2) + "\n", encoding="utf-8")
        fresh.replace(folder / FILE_NAME)


def read(folder: Path) -> StackState | None:
    """What the last supervisor of this folder wrote; whether it still runs is another question."""
    try:
        kept = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    kept.pop("address")
    state = StackState(**kept)
    processes = tuple(Running(entry["name"], _pid(entry["pid"]), entry["ready"]) for entry in kept["processes"])
    return replace(state, supervisor=Pid(**kept["supervisor"]), processes=processes)


def _pid(kept: dict[str, Any] | None) -> Pid | None:
    return Pid(**kept) if kept else None


def running(folder: Path) -> StackState | None:
    """The state of the supervisor that runs now, if one does."""
    state = read(folder)
    return state if state and state.supervisor.alive() else None


@contextmanager
def only_supervisor(folder: Path) -> Iterator[None]:
    """Held while a supervisor runs; the system gives it back however that ends."""
    with (folder / LOCK_NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"a stack runs in {folder} already: see `oa status`, end it with `oa down`") from None
        yield


def forget(folder: Path) -> None:
    (folder / FILE_NAME).unlink(missing_ok=True)
