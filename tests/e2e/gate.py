"""A gate between a daemon and its edge: closed, the edge is away; open, it counts what is posted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CHUNK = 64 * 1024


class Gate:
    """Lets connections through to `port` while it is open, else turns them away.

    `posted_at` has the loop's time of every POST that it let through.
    """

    def __init__(self, port: int) -> None:
        self.posted_at: list[float] = []
        self.turned_away = 0
        self._port = port
        self._is_open = True
        self._passing: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        self._is_open = True

    def close(self) -> None:
        """Cuts what passes, and everything that comes."""
        self._is_open = False
        for connection in self._passing:
            connection.cancel()

    async def ended(self) -> None:
        self.close()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._pass(reader, writer))
        self._passing.add(connection)
        connection.add_done_callback(self._passing.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._is_open:
                await self._joined(reader, writer)
            else:
                self.turned_away += 1
        except OSError:
            self.turned_away += 1  # the edge is not there
        finally:
            writer.transport.abort()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, to_edge = await asyncio.open_connection("127.0.0.1", self._port)
        ways = [asyncio.create_task(self._up(reader, to_edge)), asyncio.create_task(_copied(answers, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_edge.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """httpx writes the head of a request by itself, so it begins what is read here."""
        while chunk := await reader.read(_CHUNK):
            if chunk.startswith(b"POST "):
                self.posted_at.append(asyncio.get_running_loop().time())
            writer.write(chunk)
            await writer.drain()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()


@asynccontextmanager
async def gate(port: int) -> AsyncIterator[tuple[Gate, str]]:
    """The gate, and its address."""
    passing = Gate(port)
    server = await asyncio.start_server(passing.accept, "127.0.0.1", 0)
    try:
        yield passing, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await passing.ended()
