"""`oa worker` as a person uses it, with the real Codex on the stub model and an edge in memory."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.stub_model.app import build
from tests.codex_scenes import PINNED
from tests.fake_edge import TOKEN, FakeEdge, serving, serving_app
from tests.nodes import node
from tests.services import eventually, free_port

WORKER = "desktopw:shared"
MAX_RESIDENT_KIB = 60 * 1024
"""Of the daemon, without Codex."""

pytestmark = pytest.mark.skipif(not PINNED.launcher.exists(), reason=f"no Codex: run `make {PINNED.target}`")


@dataclass(frozen=True)
class Terminal:
    """A person's folder, in which `oa` finds the edge, a token and the stub model in the environment."""

    edge: FakeEdge
    home: Path
    variables: dict[str, str]

    async def start(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "oa_client", "worker", *arguments),
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], **self.variables, **variables},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def oa(self, *arguments: str, **variables: str) -> tuple[int | None, str, str]:
        process = await self.start(*arguments, **variables)
        async with asyncio.timeout(60):
            printed, complained = await process.communicate()
        return process.returncode, printed.decode(), complained.decode()


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    edge, port = FakeEdge(), free_port()
    async with serving(edge, port) as url, serving_app(build(), free_port()) as stub:
        variables = {
            "OA_URL": url,
            "OA_TOKEN": TOKEN,
            "OA_STUB_URL": f"{stub}/v1",
            "OA_CODEX_PACKAGE": str(PINNED.package),
        }
        yield Terminal(edge, tmp_path, variables)


async def test_once_says_what_codex_says_and_steps_go_to_the_other_stream(terminal: Terminal) -> None:
    status, printed, complained = await terminal.oa("--once", "run: echo from-the-shell")
    assert (status, printed) == (0, "The command printed:\nfrom-the-shell\n")
    assert "echo from-the-shell" in complained
    assert "worker.stopped" in [event["eventType"] for event in terminal.edge.events]
    [asked] = await terminal.edge.recorded("ios/user_message")
    assert asked["payload"]["params"]["text"] == "run: echo from-the-shell"
    assert len(await terminal.edge.recorded("turn/completed")) == 1
    assert list((terminal.home / ".local").rglob("once*")) == []


async def test_once_as_json_prints_the_events_of_the_turn(terminal: Terminal) -> None:
    status, printed, _ = await terminal.oa("--once", "hello", "--json")
    events = [json.loads(line) for line in printed.splitlines()]
    assert (status, events[-1]["payload"]["method"]) == (0, "turn/completed")
    seqs = [event["seq"] for event in events]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


async def test_once_ends_with_1_when_the_turn_fails(terminal: Terminal) -> None:
    status, printed, complained = await terminal.oa("--once", "fail: out of order")
    assert (status, printed) == (1, "")
    assert "out of order" in complained


async def test_once_ends_with_3_when_it_is_interrupted(terminal: Terminal) -> None:
    process = await terminal.start("--once", "slow: 60")
    await terminal.edge.recorded("turn/started")
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 3


async def test_once_ends_with_3_when_somebody_stops_the_worker(terminal: Terminal) -> None:
    process = await terminal.start("--once", "slow: 60")
    await terminal.edge.recorded("turn/started")
    await terminal.edge.append("worker.stopped", {"reason": "enough"})
    await process.communicate()
    assert process.returncode == 3


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OA_URL": "http://127.0.0.1:1"}, "is it running?"),
        ({"OA_TOKEN": "wrong"}, "oa login"),
        ({"OA_TOKEN": ""}, "oa login"),
        ({"OA_CODEX_BIN": "/nowhere/codex"}, "/nowhere/codex is not there"),
        ({"OA_STUB_URL": ""}, "codex login"),
    ],
)
async def test_once_ends_with_5_and_a_message_when_it_cannot_begin(
    terminal: Terminal, variables: dict[str, str], said: str
) -> None:
    status, printed, complained = await terminal.oa("--once", "hello", **variables)
    assert (status, printed, said in complained) == (5, "", True), complained
    assert terminal.edge.events == []


async def test_once_works_with_the_real_edge(terminal: Terminal, pool: "asyncpg.Pool[Any]") -> None:
    async with node(pool) as here:
        signed_in = {"OA_URL": here.url, "OA_TOKEN": here.ada.bearer}
        status, printed, complained = await terminal.oa("--once", "run: echo really", **signed_in)
        assert (status, printed) == (0, "The command printed:\nreally\n"), complained
        status, _, complained = await terminal.oa("--once", "fail: out of order", **signed_in)
        assert status == 1, complained
        workers = (await here.ada.public("GET", "/runtime/codex/workers")).json()["data"]
    assert [(worker["status"], worker["daemon_state"]) for worker in workers] == [("stopped", "off")] * 2


async def test_a_wrong_option_ends_with_2(terminal: Terminal) -> None:
    assert (await terminal.oa("--once", "hello", "--provider", "nobody"))[0] == 2


def resident_kib(process_id: int) -> int:
    [line] = [line for line in Path(f"/proc/{process_id}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])


def command_line(process_id: int) -> str:
    return Path(f"/proc/{process_id}/cmdline").read_text()


async def test_a_daemon_in_the_background_is_started_once_shown_and_stopped(terminal: Terminal) -> None:
    assert (await terminal.oa("status"))[0] == 3
    status, printed, complained = await terminal.oa("start", "--cwd", str(terminal.home), "--token", TOKEN, OA_TOKEN="")
    assert (status, "serves desktopw:shared at" in printed) == (0, True), complained
    try:
        status, _, complained = await terminal.oa("start")
        assert (status, "serves this worker already" in complained) == (1, True)
        status, printed, _ = await terminal.oa("status", "--json")
        told = json.loads(printed)
        assert (status, told["worker"]["status"]) == (0, "running")
        assert TOKEN not in command_line(told["process_id"])
        assert resident_kib(told["process_id"]) < MAX_RESIDENT_KIB
        assert WORKER in (await terminal.oa("logs"))[1]
    finally:
        assert (await terminal.oa("stop", "--worker-too"))[0] == 0
    assert (await terminal.oa("status"))[0] == 3
    assert terminal.edge.status == "stopped"
    assert (await terminal.oa("stop"))[1] == f"No daemon serves {WORKER} here.\n"


async def test_logs_are_followed(terminal: Terminal) -> None:
    await terminal.oa("start")
    following = await terminal.start("logs", "-f")
    assert following.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert b" is running at event " in await following.stdout.readline()
            await terminal.oa("stop")
            while b"Stopped." not in await following.stdout.readline():
                pass
    finally:
        following.kill()
        await following.communicate()


async def test_a_daemon_that_cannot_start_says_why(terminal: Terminal) -> None:
    status, _, complained = await terminal.oa("start", OA_CODEX_BIN="/nowhere/codex")
    assert (status, "/nowhere/codex is not there" in complained) == (1, True)


async def test_a_daemon_without_an_edge_goes_on_trying_and_is_no_second_one(terminal: Terminal) -> None:
    process = await terminal.start("run", OA_URL="http://127.0.0.1:1")
    try:
        pids = terminal.home / ".local" / "state" / "oa"
        await eventually(lambda: any(path.read_text() for path in pids.glob("*.lock")), 30)
        status, _, complained = await terminal.oa("run", OA_URL="http://127.0.0.1:1")
        assert (status, "another daemon" in complained) == (1, True)
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0
