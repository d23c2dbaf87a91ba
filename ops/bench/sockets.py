"""Many `sync:v1` sockets in a process of their own, which note when each row of a worker topic arrives."""

import asyncio
import base64
import functools
import json
import os
import re
import struct
import time
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import uvloop

from ops.bench.processes import heard, piped

_ROW = re.compile(rb':bench:(\d+)[^"]*","doc_version":(\d+),')
_LONGEST_ROW_BYTES = 80
_JOIN: list[Any] = [None, "1", "sync:v1", "phx_join", {}]


class Target(NamedTuple):
    """Who follows what; sockets count as ready when they have seen `rows` rows."""

    port: int
    token: str
    topic: str
    sockets: int
    rows: int


@asynccontextmanager
async def following(target: Target) -> AsyncIterator[Callable[[], Awaitable[list["array[int]"]]]]:
    """A process whose sockets are all ready; the function ends it and tells each socket's arrivals."""
    async with piped(follow, target) as pipe:

        async def arrivals() -> list["array[int]"]:
            pipe.send("enough")
            arrived: list[array[int]] = await heard(pipe)
            return arrived

        assert await heard(pipe) == "ready"
        yield arrivals


def follow(pipe: Connection, target: Target) -> None:
    """Entry point of the process; ends with its parent."""
    uvloop.run(_follow(pipe, target))


async def _follow(pipe: Connection, target: Target) -> None:
    loop = asyncio.get_running_loop()
    opened = [Socket(target) for _ in range(target.sockets)]
    for socket in opened:
        await loop.create_connection(lambda socket=socket: socket, "127.0.0.1", target.port)  # type: ignore[misc]
        await socket.ready.wait()
    pipe.send("ready")
    await loop.run_in_executor(None, pipe.recv)
    pipe.send([socket.arrivals for socket in opened])


class Socket(asyncio.Protocol):
    """A client that reads without parsing; `arrivals` are worker, seq and monotonic ns, again and again."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._left = b""
        self.ready = asyncio.Event()
        self.arrivals = array("q")

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(upgrade(self._target.port, path_of(self._target.token)))

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if data.startswith(b"HTTP/1.1 101"):
            self._transport.write(subscribing(self._target.topic))
        rows, self._left = _rows(self._left + data)
        for row in rows:
            self.arrivals.extend((*row, now))
        if len(self.arrivals) >= 3 * self._target.rows:
            self.ready.set()


@functools.lru_cache(maxsize=16)
def _rows(text: bytes) -> tuple[list[tuple[int, int]], bytes]:
    """Worker and seq of each row, and what may be the beginning of one; most sockets get the same bytes."""
    matches = list(_ROW.finditer(text))
    end = matches[-1].end() if matches else 0
    return [(int(match[1]), int(match[2])) for match in matches], text[max(end, len(text) - _LONGEST_ROW_BYTES) :]


def path_of(token: str) -> str:
    return f"/sync/socket/websocket?token={token}&vsn=2.0.0"


def upgrade(port: int, path: str) -> bytes:
    """A client's opening handshake (RFC 6455 §4.1)."""
    key = base64.b64encode(os.urandom(16)).decode()
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()


def subscribing(topic: str, cursor: int | None = None) -> bytes:
    """Join, then follow one topic from a cursor."""
    resume_after = {} if cursor is None else {topic: cursor}
    subscribe = ["1", "2", "sync:v1", "sync:subscribe", {"topics": [topic], "resume_after": resume_after}]
    return b"".join(masked(json.dumps(message).encode()) for message in (_JOIN, subscribe))


def masked(text: bytes) -> bytes:
    """A client's text frame (RFC 6455 §5.3), with the mask 0."""
    size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack("!H", len(text))
    return b"\x81" + size + b"\0\0\0\0" + text
