"""Callers of the signed API in a process of their own: requests are signed beforehand, answers are only timed."""

import asyncio
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import uvloop

from edge.auth.request_token import HEADER, Claims, sign
from ops.bench.processes import in_own_process
from ops.bench.writing import PAYLOAD

USER_ID = 1
_PATH = "/internal/v1/codex/workers"
_TOKEN_LIVES_S = 600
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")


class Load(NamedTuple):
    """`requests` of so many `events`, by callers with a worker each; without a rate, one after another's answer."""

    port: int
    key: str
    callers: int
    requests: int
    events: int = 1
    rate: float | None = None


class Timed(NamedTuple):
    """How long all of them took, and each one, from when it was due."""

    elapsed_s: float
    latencies_ms: list[float]


async def timed(load: Load) -> Timed:
    return await in_own_process(_call, load)


def _call(load: Load) -> Timed:
    return uvloop.run(_run(load))


async def _run(load: Load) -> Timed:
    loop = asyncio.get_running_loop()
    callers = [Caller() for _ in range(load.callers)]
    for number, caller in enumerate(callers):
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", load.port)  # type: ignore[misc]
        await caller.ask(post(load.key, _PATH, {"worker_id": _worker(number)}))
    requests = [_append(load, number) for number in range(load.requests)]
    started = time.perf_counter()
    latencies_ms = await (_paced(callers, requests, load.rate) if load.rate else _one_by_one(callers, requests))
    return Timed(time.perf_counter() - started, latencies_ms)


async def _one_by_one(callers: "list[Caller]", requests: list[bytes]) -> list[float]:
    waiting, latencies_ms = iter(requests), list[float]()

    async def ask(caller: "Caller", waiting: Iterator[bytes]) -> None:
        for request in waiting:
            started = time.perf_counter()
            await caller.ask(request)
            latencies_ms.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*(ask(caller, waiting) for caller in callers))
    return latencies_ms


async def _paced(callers: "list[Caller]", requests: list[bytes], rate: float) -> list[float]:
    """Whoever is free takes the next one; waiting for somebody to be free counts."""
    free: asyncio.Queue[Caller] = asyncio.Queue()
    for caller in callers:
        free.put_nowait(caller)

    async def ask(request: bytes, due: float) -> float:
        caller = await free.get()
        await caller.ask(request)
        free.put_nowait(caller)
        return (time.perf_counter() - due) * 1000

    started, asked = time.perf_counter(), list[asyncio.Task[float]]()
    for number, request in enumerate(requests):
        due = started + number / rate
        if (early_s := due - time.perf_counter()) > 0:
            await asyncio.sleep(early_s)
        asked.append(asyncio.create_task(ask(request, due)))
    return await asyncio.gather(*asked)


class Caller(asyncio.Protocol):
    """A kept connection with one request under way."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    async def ask(self, request: bytes) -> None:
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._answered

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n") if end else None
        if length is None or len(body) < int(length[1]):
            return
        self._received = b""
        if head.startswith((b"HTTP/1.1 202", b"HTTP/1.1 200")):
            self._answered.set_result(None)
        else:
            self._answered.set_exception(RuntimeError(repr(head + body)))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answered.done():
            self._answered.set_exception(ConnectionError(f"the edge hung up: {exc!r}"))


def _append(load: Load, number: int) -> bytes:
    """The workers in turn; a batch's events have identities (DEC-47), as its route asks for."""
    worker = f"{_PATH}/{_worker(number % load.callers)}/events"
    event = {"event_type": "worker.event", "payload": PAYLOAD}
    if load.events == 1:
        return post(load.key, worker, {"event": event})
    return post(load.key, worker + "/batch", {"events": [_identified(event) for _ in range(load.events)]})


def _identified(event: dict[str, Any]) -> dict[str, Any]:
    return {"event_id": uuid.uuid4().hex, **event}


def get(key: str, path: str, **claims: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\n{_signed_headers(key, claims)}\r\n".encode()


def post(key: str, path: str, document: Any, **claims: str) -> bytes:
    """`claims`: what the token is bound to."""
    body = msgspec.json.encode(document)
    head = f"POST {path} HTTP/1.1\r\ncontent-type: application/json\r\n{_signed_headers(key, claims)}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _signed_headers(key: str, claims: dict[str, str]) -> str:
    now = int(time.time())
    token = sign(Claims(iat=now, exp=now + _TOKEN_LIVES_S, nonce=uuid.uuid4().hex, user_id=USER_ID, **claims), key)
    return f"host: 127.0.0.1\r\n{HEADER}: {token}\r\nx-oa-user-id: {USER_ID}\r\n"


def _worker(number: int) -> str:
    return f"bench-{number}"
