"""A desk at which daemons work: the real Codex on the stub model, a folder, and an edge in memory."""

import asyncio
import os
import sys
import uuid
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oa_client import Client
from oa_client.workers import user_message

from ops.stub_model.app import build
from tests.codex_scenes import PINNED, Version
from tests.fake_edge import TOKEN, FakeEdge, serving, serving_app
from tests.services import free_port

WORKER = "desktopw:shared"


@dataclass(frozen=True)
class Desk:
    """An edge in memory at `port`, a stub model, and a folder in which daemons work."""

    edge: FakeEdge
    port: int
    stub_url: str
    folder: Path
    codex: Version

    @asynccontextmanager
    async def daemon(self, *options: str) -> AsyncIterator[Process]:
        """A running `oa worker` that has registered; killed at the end if it is still there."""
        async with self.started(["-c", "from oa_client.cli import main; main()"], *options) as process:
            await self.edge.recorded("worker.heartbeat", 1 + self._beats())
            yield process

    @asynccontextmanager
    async def started(self, program: Sequence[str], *options: str) -> AsyncIterator[Process]:
        """`python` with a program that takes the arguments of `oa worker`; what it writes is in `daemon.log`."""
        with (self.folder / "daemon.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *program, "worker"),
                *("--url", f"http://127.0.0.1:{self.port}", "--token", TOKEN, "--data", str(self.folder)),
                *("--provider", "local-stub", "--stub-url", self.stub_url, "--cwd", str(self.folder)),
                *("--state", str(self.state), "--approve", "never"),
                *options,
                env={**os.environ, "OA_CODEX_PACKAGE": str(self.codex.package), "OA_SECRET": "not for commands"},
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def log(self) -> str:
        """What every daemon here told its person."""
        return (self.folder / "daemon.log").read_text()

    def _beats(self) -> int:
        return sum(event["eventType"] == "worker.heartbeat" for event in self.edge.events)

    async def post(self, method: str, **payload: Any) -> int:
        async with Client(f"http://127.0.0.1:{self.port}", TOKEN) as phone:
            body = {"source": "autopilot-ios", "method": method, **payload}
            return (await phone.post_event(WORKER, "worker.event", body)).seq

    async def say(self, text: str) -> int:
        return await self.post(**user_message(text, str(uuid.uuid4())))

    def said(self) -> list[str]:
        """What Codex took, in order, as far as it is mirrored."""
        completed = [
            event["payload"] for event in self.edge.events if event["payload"].get("method") == "item/completed"
        ]
        items = [payload["params"]["item"] for payload in completed]
        return [item["content"][0]["text"] for item in items if item["type"] == "userMessage"]


@asynccontextmanager
async def at_a_desk(folder: Path, codex: Version = PINNED) -> AsyncIterator[Desk]:
    edge, port = FakeEdge(), free_port()
    async with serving(edge, port), serving_app(build(), free_port()) as stub:
        yield Desk(edge, port, f"{stub}/v1", folder, codex)


def methods(edge: FakeEdge, after: int) -> list[str]:
    return [event["payload"]["method"] for event in edge.events[after:] if "method" in event["payload"]]


def running(command: str, parent: int | None = None) -> list[int]:
    """Process ids whose command line contains the text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            parent_id = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if command in line and parent in (None, parent_id):
            found.append(int(entry.name))
    return found


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.02)
