"""Short scenes that any version of Codex plays on the stub model, and what it says in them, made comparable."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from oa_client.errors import CodexExited
from oa_client.worker.codex import Codex
from oa_client.worker.installation import environment, native, write_stub_profile
from oa_client.workers import Payload

from tests.services import eventually

_CODEX = Path(__file__).parents[1] / "ops" / "codex"
_WITHIN_S = 60.0


@dataclass(frozen=True)
class Version:
    """One that npm pins in a folder of ours, and the `make` target that installs it."""

    package: Path
    target: str

    @property
    def number(self) -> str:
        pinned = json.loads((self.package / "package.json").read_text())["dependencies"]
        return str(pinned["@openai/codex"])

    @property
    def launcher(self) -> Path:
        return self.package / "node_modules" / ".bin" / "codex"

    @property
    def recorded(self) -> Path:
        return Path(__file__).parent / "vectors" / "codex" / self.number


PINNED = Version(_CODEX, "codex")
NEWEST = Version(_CODEX / "newest", "codex-newest")
VERSIONS = (PINNED, NEWEST)


@dataclass(frozen=True)
class Scene:
    """One turn in a new thread; every request of Codex is answered with yes."""

    prompt: str
    approval_policy: str = "never"
    interrupted: bool = False


SCENES = {
    "plain": Scene("hello"),
    "command": Scene("run: echo hi"),
    "file-change": Scene("patch: notes.txt\none\ntwo"),
    "approval": Scene("run: touch approved.txt", approval_policy="untrusted"),
    "interrupt": Scene("slow: 60", interrupted=True),
    "failure": Scene("fail: no more"),
}


class Stage:
    """What Codex said so far: its notifications and requests in order."""

    def __init__(self, codex: Codex) -> None:
        self.codex = codex
        self.messages: list[Payload] = []

    async def listen(self) -> None:
        async for message in self.codex.messages():
            self.messages.append(message)
            if "id" in message:
                await self.codex.answer(message, {"decision": "accept"})

    async def heard(self, method: str) -> None:
        await eventually(lambda: any(message["method"] == method for message in self.messages), _WITHIN_S)


@asynccontextmanager
async def stage(version: Version, stub_url: str, folder: Path) -> AsyncIterator[Stage]:
    """A new Codex with a home of its own below the folder, initialized."""
    home, desk = folder / "home", folder / "desk"
    desk.mkdir(parents=True)
    write_stub_profile(home, stub_url)
    binary = native(version.launcher)
    codex = await Codex.start(binary, cwd=desk, environment=environment(os.environ, home, binary) | {"HOME": str(home)})
    opened = Stage(codex)
    listening = asyncio.create_task(opened.listen())
    try:
        await codex.initialize(version="0")
        yield opened
    finally:
        await codex.close()
        with suppress(CodexExited):
            await listening


async def play(scene: Scene, version: Version, stub_url: str, folder: Path) -> list[Payload]:
    """Everything Codex says until the turn is over."""
    async with stage(version, stub_url, folder) as opened:
        settings = {"cwd": str(folder / "desk"), "sandbox": "workspace-write", "approvalPolicy": scene.approval_policy}
        thread_id = (await opened.codex.request("thread/start", settings))["thread"]["id"]
        said = {"threadId": thread_id, "input": [{"type": "text", "text": scene.prompt}]}
        turn_id = (await opened.codex.request("turn/start", said))["turn"]["id"]
        if scene.interrupted:
            await opened.heard("item/agentMessage/delta")
            await opened.codex.request("turn/interrupt", {"threadId": thread_id, "turnId": turn_id})
        await opened.heard("turn/completed")
    return list(comparable(opened.messages, folder))


_RANDOM = re.compile(
    r"(?P<uuid>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})|(?P<hex>[0-9a-f]{32})|(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)"
    r"|(?P<day>\d{4}/\d\d/\d\d)"
)
_MEASURED = re.compile(r"(At|AtMs|durationMs|duration|processId|process_id|serverName)$")


def comparable(messages: list[Payload], folder: Path) -> Iterator[Payload]:
    """Until the turn's end, with names instead of random ids and folders, and without anything measured."""
    names: dict[str, str] = {}
    for message in messages:
        yield _neutral(message, names, str(folder))
        if message["method"] == "turn/completed":
            return


def _neutral(value: Any, names: dict[str, str], folder: str) -> Any:
    match value:
        case str():
            return _RANDOM.sub(lambda found: _named(found, names), value.replace(folder, "/folder"))
        case list():
            return [_neutral(inner, names, folder) for inner in value]
        case Mapping():
            return {
                _neutral(key, names, folder): type(inner)() if _MEASURED.search(key) else _neutral(inner, names, folder)
                for key, inner in value.items()
            }
    return value


def _named(found: re.Match[str], names: dict[str, str]) -> str:
    return names.setdefault(found[0], f"{found.lastgroup}-{len(names) + 1}")


def read(path: Path) -> list[Any]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def write(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
