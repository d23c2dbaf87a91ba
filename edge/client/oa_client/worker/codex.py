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

    async def initialize(self, *, version: str) -> None:
        """`messages` must be read meanwhile, because answers arrive there."""
        await self.request(
            "initialize", {"clientInfo": {"name": "oa_worker", "title": "oa worker", "version": version}}
        )
        await self._send({"method": "initialized"})

    async def request(self, method: str, params: Payload) -> Any:
        self._count += 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._requests[self._count] = answer
        try:
            await self._send({"id": self._count, "method": method, "params": params})
            return await answer
        finally:
            del self._requests[self._count]

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
        exited = CodexExited(f"Codex ended with status {await self._process.wait()}")
        for answer in self._requests.values():
            if not answer.done():
                answer.set_exception(exited)
        raise exited

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
            await asyncio.wait_for(self._process.wait(), _GRACE_S)
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
