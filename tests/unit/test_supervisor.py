"""What the supervisor of a local stack does by itself, with services that only pretend."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from ops.settings import StackSettings
from ops.stack import state
from ops.stack.local import Services
from ops.stack.processes import Program, StackError
from ops.stack.supervisor import Supervisor


class Postgres:
    """Never ready."""

    def dsn(self) -> str:
        return "postgresql://nowhere"

    def prepare(self) -> None:
        return

    def program(self) -> Program:
        async def ready() -> bool:
            return False

        return Program("postgres", ["sleep", "100"], ready)


class Kafka:
    """Tells from a thread what it does, as one that fetches its jars does, and fails."""

    bootstrap = "127.0.0.1:1"

    async def prepare(self, tell: Callable[[str], None]) -> None:
        await asyncio.to_thread(tell, "fetching")
        raise StackError("no network")


async def nothing(_dsn: str) -> None:
    return


async def test_what_a_thread_tells_is_noted_by_the_loop_alone(tmp_path: Path) -> None:
    """Two that write the same file at once would leave it empty for a moment."""
    told: dict[str, threading.Thread] = {}

    def log(_name: str, line: str) -> None:
        told[line] = threading.current_thread()

    services = Services(cast(Any, Postgres()), cast(Any, Kafka()), None)
    settings = StackSettings(tmp_path, 0, tmp_path / "cache", None, 1)
    supervisor = Supervisor(settings, services, [], log=log, prepare=nothing)
    with pytest.raises(StackError, match="no network"):
        await supervisor.run(asyncio.Event())
    assert told["fetching"] is threading.main_thread()
    failed = state.read(tmp_path)
    assert failed is not None
    assert (failed.phase, failed.step) == ("failed", "no network")
