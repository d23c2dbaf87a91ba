"""What docs/data-engineers.md tells to type and to write works as it stands, against a running stack."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from oa_client.client import Client
from oa_client.signed import Signed

from ops.stack import secrets as stack_secrets
from tests import debian, kcat, local_stack
from tests.account_app import sign_in_as
from tests.local_stack import Operator
from tests.services import run

REPOSITORY = Path(__file__).parents[2]
GUIDE = (REPOSITORY / "docs" / "data-engineers.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINES_READ = 5
"""Of a consumer that would go on for ever."""


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(GUIDE) if found == language]


@pytest.fixture(scope="module")
def stack() -> Iterator[Operator]:
    with local_stack.operator(22_800) as somebody:
        up = somebody.up()
        assert up.returncode == 0, up.stdout + up.stderr
        run(_work(somebody))
        yield somebody


async def _work(stack: Operator) -> None:
    """What the guide speaks of: a worker and a run."""
    url, kept = stack.state().address, stack_secrets.read(stack.data)
    async with Client(url, signed=Signed(kept["OA_RUNTIME_SIGNING_KEY"], user_id=1)) as services:
        demo = services.runs["thr_demo", "run_demo"]
        await demo.start()
        await demo.say("Bonjour")
    async with httpx.AsyncClient(base_url=url) as http:
        account = await sign_in_as(http, "ada@example.test")
    async with Client(url, account["token"]) as client:
        await client.create_worker("desktopw:shared", adapter="desktop_bridge", metadata={"folder": "/desk"})
        for number in range(10):
            await client.post_event("desktopw:shared", "worker.event", {"number": number})


@pytest.fixture(scope="module")
def environment(stack: Operator) -> Mapping[str, str]:
    """`oa` and `kcat` on the path; `oa` finds this stack without being told."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        found = kcat.kcat()
    except debian.Missing as missing:
        pytest.skip(str(missing))
    path = f"{path}{os.pathsep}{Path(found.program).parent}"
    return {**found.environment, "PATH": path, "OA_DATA_DIR": str(stack.data)}


def of_this_stack(text: str, stack: Operator) -> str:
    edge, kafka = f"127.0.0.1:{stack.port}", f"127.0.0.1:{stack.port + 1}"
    return text.replace("127.0.0.1:8750", edge).replace("127.0.0.1:8751", kafka)


@pytest.mark.parametrize("commands", blocks("sh"))
async def test_what_is_typed(stack: Operator, environment: Mapping[str, str], tmp_path: Path, commands: str) -> None:
    typed = ["bash", "-euo", "pipefail", "-c", of_this_stack(commands, stack)]
    done = await asyncio.to_thread(
        subprocess.run, typed, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("program", blocks("python"))
async def test_what_is_written(stack: Operator, program: str) -> None:
    written = [sys.executable, "-u", "-c", of_this_stack(program, stack)]
    process = await asyncio.create_subprocess_exec(*written, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            lines = [(await process.stdout.readline()).decode() for _ in range(LINES_READ)]
    finally:
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert all("desktopw:shared" in line for line in lines)
