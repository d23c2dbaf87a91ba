"""A TCP proxy that cuts what passes through it, for tests of clients that must not notice."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)


class FlakyProxy:
    """Each connection ends after some bytes of an answer, closed or reset, or begins and ends with a 502.

    The first `cuts` connections do; the ones after it live. `port` may be changed when the server moves.
    """

    def __init__(self, port: int, cuts: int, seed: int) -> None:
        self.port = port
        self.cuts = cuts
        self.done = 0
        self._random = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.done < self.cuts and self._random.random() < 0.1:
                writer.write(_BAD_GATEWAY)
                await self._cut(writer)
            else:
                await self._pass(reader, writer)
        except OSError:
            await self._cut(writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        budget = self._random.randrange(1, 3000) if self.done < self.cuts else None
        up = asyncio.create_task(_copy(reader, server_writer))
        try:
            while chunk := await server_reader.read(4096):
                if budget is not None and (budget := budget - len(chunk)) <= 0:
                    writer.write(chunk[: len(chunk) + budget])
                    await self._cut(writer)
                    return
                writer.write(chunk)
                await writer.drain()
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
            server_writer.close()
            with suppress(OSError):
                await server_writer.wait_closed()

    async def _cut(self, writer: asyncio.StreamWriter) -> None:
        self.done += 1
        if self._random.random() < 0.5:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(4096):
        writer.write(chunk)
        await writer.drain()


@asynccontextmanager
async def cutting(proxy: FlakyProxy) -> AsyncIterator[str]:
    """The proxy's address while it listens."""
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(proxy.serve(reader, writer))
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
