"""The server's side of a WebSocket, with what ASGI does not offer: prepared frames, pings, pongs, hard closes.

Private surface of uvicorn, which the lock pins; tests/integration/test_sync_socket.py is its feature test (STACK §6).
"""

import asyncio
import logging
import struct
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from edge.sync.protocol import DRAINING, SLOW

_LOGGER = logging.getLogger("edge.sync.websocket")
_LOGGER.setLevel(logging.WARNING)  # at INFO uvicorn writes the query string, and the token is in it
_EXTENSION: Final = "oa.outlet"
_CLOSE_TIMEOUT_S: Final = 2.0
_INBOUND_BYTES: Final = 1 << 16


class Outlet(Protocol):
    """Where frames of one socket go; after `close` nothing more is sent."""

    @property
    def closed(self) -> bool: ...

    def write(self, frames: bytes) -> None:
        """Send prepared WebSocket frames; a socket with too much unsent is closed instead (SD-12)."""

    def ping(self) -> None: ...

    def close(self, code: int) -> None: ...

    async def drained(self, timeout_s: float) -> None:
        """Wait until there is room; close the socket when the peer takes too long (SD-12)."""


def text_frame(text: bytes) -> bytes:
    """One unmasked, unfragmented WebSocket text frame (RFC 6455 §5.2)."""
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    if size < 1 << 16:
        return b"\x81\x7e%b%b" % (struct.pack("!H", size), text)
    return b"\x81\x7f%b%b" % (struct.pack("!Q", size), text)


class SyncWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol as an `Outlet`; it puts itself into the scope, where `outlet` finds it."""

    buffer_bytes = 4 << 20
    on_pong: Callable[[], None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _LOGGER

    async def run_asgi(self) -> None:
        self.scope["extensions"][_EXTENSION] = cast(Any, self)
        await super().run_asgi()

    @property
    def closed(self) -> bool:
        return self.close_sent or self.disconnected or self.transport.is_closing()

    def write(self, frames: bytes) -> None:
        if self.closed:
            return
        if self.transport.get_write_buffer_size() > self.buffer_bytes:
            self.close(SLOW)
        else:
            self.transport.write(frames)

    def ping(self) -> None:
        if not self.closed:
            self.conn.send_ping(b"")
            self.transport.write(b"".join(self.conn.data_to_send()))

    def close(self, code: int) -> None:
        if self.closed:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.read_paused = False
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_CLOSE_TIMEOUT_S, self.transport.abort)

    async def drained(self, timeout_s: float) -> None:
        if self.writable.is_set():
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self.writable.wait()
        except TimeoutError:
            self.close(SLOW)

    def handle_pong(self, event: Any) -> None:
        super().handle_pong(event)
        if self.on_pong is not None:
            self.on_pong()

    def shutdown(self) -> None:
        """uvicorn drains: 1012, and a peer that takes nothing does not hold it up."""
        self.close(DRAINING)
        super().shutdown()
        self.loop.call_later(_CLOSE_TIMEOUT_S, self.transport.abort)


UVICORN: Final[dict[str, Any]] = {
    "ws": SyncWebSocketProtocol,
    "ws_per_message_deflate": False,
    "ws_ping_interval": None,
    "ws_ping_timeout": None,
    "ws_max_size": _INBOUND_BYTES,
    "timeout_keep_alive": 75,
}
"""How uvicorn has to be configured: no compression (sync §4.3), pings by the protocol machine (SD-7).

Connections rest longer here than clients let theirs (httpx: 5 s), or one would be closed under a request on its way.
"""


def outlet(scope: Scope) -> SyncWebSocketProtocol:
    """The socket behind this scope; raises when the server was not configured with `UVICORN`."""
    protocol = scope.get("extensions", {}).get(_EXTENSION)
    if not isinstance(protocol, SyncWebSocketProtocol):
        raise RuntimeError("serve the edge with uvicorn configured by edge.sync.websocket.UVICORN")
    return protocol
