"""The local stack as its operator handles it, for tests that need all of its processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.stack import state
from tests.services import free_block, temporary_folder

SERVICES = {"postgres", "kafka", "redis"}
OURS = {"edge", "relay", "processors"}


@dataclass(frozen=True)
class Operator:
    """Somebody with a data folder, a block of ports and the `oa` command."""

    data: Path
    port: int

    def oa(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "ops.commands", *words, "--data", str(self.data)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OA_")}
        return subprocess.run(command, capture_output=True, text=True, timeout=170, env=kept | environment, check=False)

    def up(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return self.oa("up", "--detach", "--port", str(self.port), *words, **environment)

    def told(self) -> dict[str, Any]:
        """What `oa status` says."""
        answer = self.oa("status", "--json")
        told: dict[str, Any] = json.loads(answer.stdout) if answer.stdout else {"processes": [], "audit": None}
        return told

    def status(self) -> dict[str, dict[str, Any]]:
        return {process["name"]: process for process in self.told()["processes"]}

    def state(self) -> state.StackState:
        found = state.read(self.data)
        assert found is not None
        return found


@contextmanager
def operator(first_port: int = 21_000) -> Iterator[Operator]:
    """Whatever was started is ended, and whatever it kept is gone."""
    with temporary_folder() as folder:
        somebody = Operator(folder / "oa", free_block(first=first_port))
        try:
            yield somebody
        finally:
            somebody.oa("reset", "--yes")
