"""Many `sync:v1` sockets in a process of their own, which note when each numbered event arrives."""

import asyncio
import base64
import json
import os
import re
import struct
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from schemas.names import WORKER_EVENTS

JOIN: list[Any] = [None, "1", "sync:v1", "phx_join", {}]
SUBSCRIBE: list[Any] = ["1", "2", "sync:v1", "sync:subscribe", {"topics": [WORKER_EVENTS], "resume_after": {}}]
_NUMBER = re.compile(rb'"n":(\d+)\}')
_LONGEST_NUMBER = 24


def follow(pipe: Connection, port: int, token: str, sockets: int) -> None:
    """Entry point of the process: says `ready` when all are subscribed, answers the arrivals when asked."""
    asyncio.run(_follow(pipe, port, token, sockets))


async def _follow(pipe: Connection, port: int, token: str, sockets: int) -> None:
    loop = asyncio.get_running_loop()
    opened = [Socket(token, port) for _ in range(sockets)]
    for socket in opened:
        await loop.create_connection(lambda socket=socket: socket, "127.0.0.1", port)  # type: ignore[misc]
        await socket.subscribed.wait()
    pipe.send("ready")
    await loop.run_in_executor(None, pipe.recv)
    pipe.send([socket.arrivals for socket in opened])


class Socket(asyncio.Protocol):
    """A client that reads without parsing; `arrivals` are (number, monotonic ns)."""

    def __init__(self, token: str, port: int) -> None:
        self._path = f"/sync/socket/websocket?token={token}&vsn=2.0.0"
        self._port = port
        self._left = b""
        self.subscribed = asyncio.Event()
        self.arrivals: list[tuple[int, int]] = []

    def connection_made(self, transport: Any) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
        head += f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        self._transport = transport
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if data.startswith(b"HTTP/1.1 101"):
            self._transport.write(masked(JOIN) + masked(SUBSCRIBE))
        text = self._left + data
        end = 0
        for match in _NUMBER.finditer(text):
            self.arrivals.append((int(match[1]), now))
            end = match.end()
        self._left = text[max(end, len(text) - _LONGEST_NUMBER) :]
        if b'"current_watermarks":[{' in text:
            self.subscribed.set()


def masked(message: Sequence[Any]) -> bytes:
    """A client's text frame (RFC 6455 §5.3), with the mask 0."""
    text = json.dumps(message).encode()
    size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack("!H", len(text))
    return b"\x81" + size + b"\0\0\0\0" + text
