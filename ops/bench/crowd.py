"""Sockets that only count what arrives, in processes of their own: cheap enough for thousands on any kind of server."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import uvloop

from ops.bench.processes import heard, piped
from ops.bench.sockets import upgrade

PROCESSES = 2


class Visitor(NamedTuple):
    """A socket: where it connects, and what it says first."""

    path: str
    hello: bytes


class Crowd(NamedTuple):
    """Sockets that are ready once they saw `ready`, and count every `marker`; they come one by one or all at once."""

    port: int
    visitors: list[Visitor]
    ready: bytes
    marker: bytes = b"\0"
    at_once: bool = False


class Gathered(NamedTuple):
    """All are ready, after so long and so many markers; `counted` waits until each has got so many more."""

    took_s: float
    before: int
    counted: Callable[[int], Awaitable[None]]


@asynccontextmanager
async def gathered(crowd: Crowd) -> AsyncIterator[Gathered]:
    async with AsyncExitStack() as stack:
        shares = [crowd._replace(visitors=crowd.visitors[share::PROCESSES]) for share in range(PROCESSES)]
        pipes = [await stack.enter_async_context(piped(_join, share)) for share in shares]

        async def counted(markers: int) -> None:
            for pipe in pipes:
                pipe.send(markers)
            await asyncio.gather(*map(heard, pipes))

        began, ended, before = zip(*await asyncio.gather(*map(heard, pipes)), strict=True)
        yield Gathered(max(ended) - min(began), sum(before), counted)


def _join(pipe: Connection, crowd: Crowd) -> None:
    """Entry point of a process."""
    uvloop.run(_count(pipe, crowd))


async def _count(pipe: Connection, crowd: Crowd) -> None:
    sockets, began = [Counting(crowd, visitor) for visitor in crowd.visitors], time.monotonic()
    if crowd.at_once:
        await asyncio.gather(*(socket.come() for socket in sockets))
    else:
        for socket in sockets:
            await socket.come()
    pipe.send((began, time.monotonic(), sum(socket.before for socket in sockets)))
    while True:
        markers = await asyncio.to_thread(pipe.recv)
        await asyncio.gather(*(socket.counted(markers) for socket in sockets))
        pipe.send("counted")


class Counting(asyncio.Protocol):
    """A client that looks for byte strings only; they may come in pieces."""

    def __init__(self, crowd: Crowd, visitor: Visitor) -> None:
        self.is_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited: tuple[int, asyncio.Future[None]] | None = None
        self._crowd = crowd
        self._visitor = visitor
        self._left = b""
        self.before = self.count = 0

    async def come(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._crowd.port)
        await self.is_ready

    async def counted(self, markers: int) -> None:
        if self.count < markers:
            self._awaited = markers, asyncio.get_running_loop().create_future()
            await self._awaited[1]

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(upgrade(self._crowd.port, self._visitor.path))

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
            self._transport.write(self._visitor.hello)
        self._left += data
        if self._crowd.ready in self._left:
            self.before, self._left = self._left.count(self._crowd.marker), b""
            self.is_ready.set_result(None)

    def _look_for_markers(self, text: bytes) -> None:
        marker = self._crowd.marker
        self.count += text.count(marker)
        _, _, rest = text.rpartition(marker)
        self._left = rest[max(0, len(rest) - len(marker) + 1) :]
        if self._awaited is not None and self.count >= self._awaited[0]:
            self._awaited[1].set_result(None)
            self._awaited = None
