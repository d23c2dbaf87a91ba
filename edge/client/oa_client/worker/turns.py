"""What people write, one turn of Codex after another, in one thread."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from oa_client.errors import CodexError
from oa_client.worker.codex import Codex
from oa_client.workers import Payload

ASK_FOR_EVERYTHING = "untrusted"
ASK_FOR_NOTHING = "never"

_DECIDED_BY_US = ("item/commandExecution/requestApproval", "item/fileChange/requestApproval")


@dataclass(frozen=True)
class TurnSettings:
    """`approve_all`: Codex asks before it acts and is told yes; otherwise it never asks and stays in its `sandbox`."""

    cwd: Path
    sandbox: str
    approve_all: bool

    @property
    def thread(self) -> Payload:
        policy = ASK_FOR_EVERYTHING if self.approve_all else ASK_FOR_NOTHING
        return {"cwd": str(self.cwd), "sandbox": self.sandbox, "approvalPolicy": policy}

    def decision(self, request: Payload) -> Payload | None:
        """The answer to a request of Codex; None for requests we do not know."""
        if request["method"] not in _DECIDED_BY_US:
            return None
        return {"decision": "accept" if self.approve_all else "decline"}


class Turns:
    """Texts wait while a turn runs; the thread is started with the first one."""

    def __init__(self, codex: Codex, settings: TurnSettings, failed: Callable[[str, str], Awaitable[None]]) -> None:
        self._codex = codex
        self._settings = settings
        self._failed = failed
        self._texts: asyncio.Queue[str] = asyncio.Queue()
        self._thread_id: str | None = None
        self._ended = asyncio.Event()

    def add(self, text: str) -> None:
        self._texts.put_nowait(text)

    def notice(self, message: Payload) -> None:
        """Must see every notification of Codex."""
        if message["method"] == "turn/completed":
            self._ended.set()

    async def run(self) -> None:
        while True:
            text = await self._texts.get()
            try:
                await self._take(text)
            except CodexError as error:
                await self._failed("turn/start", str(error))

    async def _take(self, text: str) -> None:
        if self._thread_id is None:
            started = await self._codex.request("thread/start", self._settings.thread)
            self._thread_id = str(started["thread"]["id"])
        self._ended.clear()
        message = {"type": "text", "text": text}
        await self._codex.request("turn/start", {"threadId": self._thread_id, "input": [message]})
        await self._ended.wait()
