"""Asking one of our processes whether it makes progress (DESIGN I9)."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Health:
    ready: bool
    lag_positions: int | None = None
    lag_seconds: float | None = None
    reason: str | None = None
    """Why it is not ready, or what it does: a relay may lead or wait."""


UNREACHABLE = Health(False)


async def ask(port: int, within_s: float = 5.0) -> Health:
    """What `/readyz` on this loopback port says; a lag it does not tell is None."""
    try:
        status, body = await asyncio.wait_for(_get(port, "/readyz"), within_s)
    except (OSError, ValueError, TimeoutError):
        return UNREACHABLE
    told = _object(body)
    return Health(status == 200, told.get("lag_positions"), told.get("lag_seconds"), told.get("reason"))


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


async def _get(port: int, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body
    except IndexError:
        raise ValueError("not an HTTP answer") from None
    finally:
        writer.close()
