"""A Postgres that says goodbye before it hangs up: a proxy that sends what a server sends when it is made to end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ops.stack.postgres import Postgres

_FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
_LAST_WORDS = b"E" + (len(_FIELDS) + 4).to_bytes(4, "big") + _FIELDS


class Proxy:
    """Between clients and a server; `port` is on loopback."""

    def __init__(self, socket: str) -> None:
        self.port = 0
        self._socket = socket
        self._clients: set[asyncio.StreamWriter] = set()

    def say_last_words(self) -> None:
        """To every client; their connections stay open."""
        for client in self._clients:
            client.write(_LAST_WORDS)

    def hang_up(self) -> None:
        for client in self._clients:
            client.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_unix_connection(self._socket)
        self._clients.add(writer)
        try:
            await asyncio.gather(_pump(reader, upstream[1]), _pump(upstream[0], writer))
        finally:
            self._clients.discard(writer)
            upstream[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxy(server: Postgres) -> AsyncIterator[Proxy]:
    between = Proxy(f"{server.socket_folder}/.s.PGSQL.{server.port}")
    listening = await asyncio.start_server(between.serve, "127.0.0.1", 0)
    between.port = listening.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        listening.close()
        between.hang_up()
