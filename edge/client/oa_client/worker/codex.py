"""A running `codex app-server`: JSON-RPC lines over its standard input and output (STACK §7)."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from oa_client.errors import CodexError, CodexExited
from oa_client.workers import Payload

_MAX_LINE_BYTES = 64 * 1024 * 1024
_GRACE_S = 2.0
_METHOD_NOT_FOUND = -32601


class Codex:
    """One app-server process; it ends with this one, also when this one is killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._requests: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._exited: CodexExited | None = None

    @classmethod
    async def start(cls, binary: Path, *, cwd: Path, environment: Mapping[str, str]) -> Self:
        try:
            process = await asyncio.create_subprocess_exec(
                *_dies_with_us(),
                str(binary),
                "app-server",
                cwd=cwd,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_MAX_LINE_BYTES,
                start_new_session=True,
            )
        except OSError as error:
            raise CodexExited(f"Codex did not start: {error}") from error
        return cls(process)

    async def initialize(self, *, version: str) -> Payload:
        """What Codex tells of itself. `messages` must be read meanwhile, because answers arrive there."""
        client = {"name": "oa_worker", "title": "oa worker", "version": version}
        told: Payload = await self.request("initialize", {"clientInfo": client})
        await self._send({"method": "initialized"})
        return told

    async def request(self, method: str, params: Payload) -> Any:
        """The result. Raises CodexError when Codex refuses, CodexExited when it ends first."""
        if self._exited is not None:
            raise self._exited
        self._count += 1
        number = self._count
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._requests[number] = answer
        try:
            await self._send({"id": number, "method": method, "params": params})
            return await answer
        finally:
            del self._requests[number]

    async def answer(self, request: Payload, result: Payload | None) -> None:
        """Answers a request that Codex made; None: we do not know such requests."""
        if result is None:
            error = {"code": _METHOD_NOT_FOUND, "message": f"{request['method']} is not supported"}
            await self._send({"id": request["id"], "error": error})
        else:
            await self._send({"id": request["id"], "result": result})

    async def messages(self) -> AsyncGenerator[Payload]:
        """Codex's notifications and requests in order; ends with CodexExited."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = msgspec.json.decode(line)
            if "method" in message:
                yield message
            else:
                self._resolve(message)
        status = await self._process.wait()
        self._exited = CodexExited(f"Codex ended with status {status}", status)
        for answer in self._requests.values():
            if not answer.done():
                answer.set_exception(self._exited)
        raise self._exited

    def _resolve(self, message: Payload) -> None:
        answer = self._requests.get(message["id"])
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(CodexError(str(message["error"].get("message"))))
        else:
            answer.set_result(message.get("result"))

    async def _send(self, message: Payload) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            await self._process.stdin.drain()
        except ConnectionError as error:
            raise CodexExited("Codex closed its input") from error

    async def close(self) -> None:
        """Asks by closing the input, then by SIGTERM, then SIGKILL to everything Codex started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if await self._has_ended():
                break
            self._signal(number)
        self._signal(signal.SIGKILL)
        await self._process.wait()

    async def _has_ended(self) -> bool:
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def _dies_with_us() -> Sequence[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig=SIGKILL"] if setpriv else []
