"""`oa bench frames`: from a frame's request until its `run.delta` is on the run's event stream."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Final

import msgspec
import uvloop

from ops.bench.callers import Caller, get, post
from ops.bench.figures import Figure, percentile, show
from ops.bench.processes import fresh_kafka, fresh_postgres, in_own_process, serving

RATES: Final = (200, 20)
"""Frames a second."""
RUNS: Final = 10
WARM_UP_S: Final = 3
RUN_S: Final = 15
WITHIN_S: Final = 60
_PATH: Final = "/internal/v1/runs"
_THREAD: Final = "thr_bench"


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """Through edge, log, relay, Kafka, the executor, the log and the edge again, each a real process."""
    key = secrets.token_hex(32)
    async with fresh_postgres() as (server, _), fresh_kafka() as kafka:
        settings = {"OA_DATABASE_URL": server.dsn(), "OA_KAFKA_BOOTSTRAP": kafka.bootstrap}
        local = settings | {"OA_RUNTIME_SIGNING_KEY": key, "OA_PROFILE": "local"}
        async with serving("relay", settings), serving("processors", settings), serving("edge", local) as port:
            first, *rest = [_figure(rate, await in_own_process(_delays_ms, port, key, rate)) for rate in RATES]
    first.cases += rest
    return first


def _figure(rate: int, delays_ms: list[float]) -> Figure:
    p50_ms, p99_ms = percentile(delays_ms, 0.5), percentile(delays_ms, 0.99)
    return Figure(f"{rate}/s", p50_ms, "ms", None, None, p50_ms, p99_ms)


def _delays_ms(port: int, key: str, rate: int) -> list[float]:
    return uvloop.run(_measured(port, key, rate))


async def _measured(port: int, key: str, rate: int) -> list[float]:
    """Of all frames after the warm-up, each counted from when it was due."""
    count, warm_up = rate * (WARM_UP_S + RUN_S), rate * WARM_UP_S
    loop = asyncio.get_running_loop()
    callers = [Caller() for _ in range(RUNS)]
    for number, caller in enumerate(callers):
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)  # type: ignore[misc]
        await caller.ask(post(key, _PATH, _claims(rate, number), **_claims(rate, number)))
    reading = [
        asyncio.create_task(_arrivals(port, key, _claims(rate, number), count // RUNS)) for number in range(RUNS)
    ]
    requests = [_frame(key, _claims(rate, number % RUNS), number) for number in range(count)]
    due = await _sent(callers, requests, rate)
    async with asyncio.timeout(WITHIN_S):
        arrived = dict(one for arrivals in await asyncio.gather(*reading) for one in arrivals)
    return [(arrived[number] - due[number]) * 1000 for number in range(warm_up, count)]


def _frame(key: str, run: dict[str, str], number: int) -> bytes:
    frame = {"thread_id": _THREAD, "frame_id": f"f-{number}", "type": "user_message", "payload": {"text": f"{number}"}}
    return post(key, f"{_PATH}/{run['run_id']}/frames", frame, **run)


def _claims(rate: int, run: int) -> dict[str, str]:
    """A token is of one run."""
    return {"run_id": f"bench-{rate}-{run}", "thread_id": _THREAD}


async def _sent(callers: list[Caller], requests: list[bytes], rate: int) -> list[float]:
    """Each run's frames one after the other, on a connection of its own; returns when each was due."""
    started = time.perf_counter()
    due = [started + number / rate for number in range(len(requests))]

    async def send(run: int) -> None:
        for number in range(run, len(requests), RUNS):
            await asyncio.sleep(max(due[number] - time.perf_counter(), 0))
            await callers[run].ask(requests[number])

    await asyncio.gather(*(send(run) for run in range(RUNS)))
    return due


async def _arrivals(port: int, key: str, run: dict[str, str], count: int) -> list[tuple[int, float]]:
    """Which frame's words came when."""
    found: list[tuple[int, float]] = []
    path = f"{_PATH}/{run['run_id']}/stream?thread_id={_THREAD}&cursor=0&tail_ms=120000"
    async for line in _lines(port, get(key, path, **run)):
        if line.startswith(b"data: {"):
            told = msgspec.json.decode(line.removeprefix(b"data: "))
            if told["type"] == "text-delta":
                found.append((int(told["delta"]), time.perf_counter()))
        if len(found) == count:
            break
    return found


async def _lines(port: int, request: bytes) -> AsyncIterator[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        while line := await reader.readline():
            yield line
    finally:
        writer.close()
