"""`/livez`, `/readyz`, `/metrics` without a web server, and the question `oa status` asks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx
import pytest
from prometheus_client import Counter

from ops.exposure import expose
from ops.stack import health, ports
from tests.services import eventually


class Told(NamedTuple):
    ready: bool
    lag_positions: int = 0
    lag_seconds: float = 0.0
    reason: str = ""


@contextlib.asynccontextmanager
async def exposed(told: Told) -> AsyncIterator[int]:
    [port] = ports.free()
    task = asyncio.create_task(expose(port, lambda: told))
    await eventually(lambda: not ports.is_free(port))
    try:
        yield port
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def get(port: int, path: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{port}{path}")


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_readiness_is_a_status_and_tells_the_lag(ready: bool, status: int) -> None:
    async with exposed(Told(ready, 7, 1.5, "behind")) as port:
        answer = await get(port, "/readyz?verbose")
        assert answer.status_code == status
        assert answer.json() == {"ready": ready, "lag_positions": 7, "lag_seconds": 1.5, "reason": "behind"}
        assert await health.ask(port) == health.Health(ready, 7, 1.5, "behind")


async def test_a_process_that_is_not_ready_lives_all_the_same() -> None:
    async with exposed(Told(False)) as port:
        assert (await get(port, "/livez")).status_code == 200


async def test_metrics_are_prometheus_text() -> None:
    Counter("exposure_test", "counts one test").inc()
    async with exposed(Told(True)) as port:
        assert "exposure_test_total 1.0" in (await get(port, "/metrics")).text


async def test_anything_else_is_not_found() -> None:
    async with exposed(Told(True)) as port:
        assert (await get(port, "/secrets")).status_code == 404


async def test_a_caller_that_sends_nonsense_harms_nobody() -> None:
    async with exposed(Told(True)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\r\n\r\n")
        writer.close()
        assert (await get(port, "/livez")).status_code == 200


async def test_nobody_there_is_not_ready() -> None:
    assert await health.ask(ports.free()[0]) == health.UNREACHABLE
