"""`/livez`, `/readyz` and `/metrics` of a process that has no web server of its own."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class Healthy(Protocol):
    """What the relay and the processors tell of themselves, as a named tuple."""

    @property
    def ready(self) -> bool: ...

    def _asdict(self) -> dict[str, Any]: ...


Readiness = Callable[[], Healthy]

REASONS: Final = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}
READ_WITHIN_S: Final = 5.0

Answer = tuple[int, str, bytes]


async def expose(port: int, readiness: Readiness, host: str = "127.0.0.1") -> None:
    """Answer until cancelled."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(_answer(reader, writer, readiness), READ_WITHIN_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a caller that went away or never asked
        finally:
            writer.close()

    async with await asyncio.start_server(answer, host, port) as server:
        await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, readiness: Readiness) -> None:
    request = await reader.readuntil(b"\r\n\r\n")
    status, content_type, body = _route(b"".join(request.split(b" ")[1:2]).partition(b"?")[0], readiness)
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
    await writer.drain()


def _route(path: bytes, readiness: Readiness) -> Answer:
    match path:
        case b"/livez":
            return _json(200, {"live": True})
        case b"/readyz":
            health = readiness()
            return _json(200 if health.ready else 503, health._asdict())
        case b"/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        case _:
            return _json(404, {"error": "not found"})


def _json(status: int, body: dict[str, Any]) -> Answer:
    return status, "application/json", json.dumps(body).encode()
