"""Sockets that only count what arrives, in processes of their own: cheap enough for thousands on any kind of server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import uvloop

from ops.bench.processes import heard, piped
from ops.bench.sockets import upgrade

PROCESSES = 2


class Crowd(NamedTuple):
    """`sockets` that say `hello`, are ready once they saw `ready`, and count every `marker` after that."""

    port: int
    path: str
    sockets: int
    hello: bytes
    ready: bytes
    marker: bytes = b"\0"


@asynccontextmanager
async def gathered(crowd: Crowd) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """All of them are ready; the function waits until every one has counted so many, from the beginning."""
    async with AsyncExitStack() as stack:
        shares = [crowd._replace(sockets=crowd.sockets // PROCESSES) for _ in range(PROCESSES)]
        pipes = [await stack.enter_async_context(piped(_join, share)) for share in shares]

        async def counted(markers: int) -> None:
            for pipe in pipes:
                pipe.send(markers)
            await asyncio.gather(*map(heard, pipes))

        await asyncio.gather(*map(heard, pipes))
        yield counted


def _join(pipe: Connection, crowd: Crowd) -> None:
    """Entry point of a process."""
    uvloop.run(_count(pipe, crowd))


async def _count(pipe: Connection, crowd: Crowd) -> None:
    loop = asyncio.get_running_loop()
    sockets = [Counting(crowd) for _ in range(crowd.sockets)]
    for socket in sockets:
        await loop.create_connection(lambda socket=socket: socket, "127.0.0.1", crowd.port)  # type: ignore[misc]
        await socket.is_ready
    pipe.send("ready")
    while True:
        markers = await loop.run_in_executor(None, pipe.recv)
        await asyncio.gather(*(socket.counted(markers) for socket in sockets))
        pipe.send("counted")


class Counting(asyncio.Protocol):
    """A client that looks for byte strings only; they may come in pieces."""

    def __init__(self, crowd: Crowd) -> None:
        self.is_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited: tuple[int, asyncio.Future[None]] | None = None
        self._crowd = crowd
        self._left = b""
        self.count = 0

    async def counted(self, markers: int) -> None:
        if self.count < markers:
            self._awaited = markers, asyncio.get_running_loop().create_future()
            await self._awaited[1]

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(upgrade(self._crowd.port, self._crowd.path))

    def data_received(self, data: bytes) -> None:
        if not self.is_ready.done():
            self._get_ready(data)
        else:
            self._look_for_markers(self._left + data)

    def connection_lost(self, exc: Exception | None) -> None:
        for awaited in (self.is_ready, *(self._awaited or ())[1:]):
            if not awaited.done():
                awaited.set_exception(ConnectionError(f"the server hung up: {exc!r}, {self._left[:200]!r}"))

    def _get_ready(self, data: bytes) -> None:
        if not self._left:
            self._transport.write(self._crowd.hello)
        self._left += data
        if self._crowd.ready in self._left:
            self._left = b""
            self.is_ready.set_result(None)

    def _look_for_markers(self, text: bytes) -> None:
        marker = self._crowd.marker
        self.count += text.count(marker)
        _, _, rest = text.rpartition(marker)
        self._left = rest[max(0, len(rest) - len(marker) + 1) :]
        if self._awaited is not None and self.count >= self._awaited[0]:
            self._awaited[1].set_result(None)
            self._awaited = None
