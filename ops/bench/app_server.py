"""A stand-in for `codex app-server` that only makes load: each turn says as many notifications as it is asked for.

Prompt: `COUNT RATE` (a second; 0: as fast as they are read). Each carries when it was written, monotonic nanoseconds.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

THREAD_ID = "load"


def executable(folder: Path) -> Path:
    """A program that is the stand-in, in this folder."""
    program = folder / "app-server"
    program.write_text(f"#!{sys.executable}\nfrom ops.bench.app_server import serve\nserve()\n")
    program.chmod(0o700)
    return program


def serve() -> None:
    for line in sys.stdin.buffer:
        for message in _answered(msgspec.json.decode(line)):
            sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
            sys.stdout.buffer.flush()


def _answered(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "id" not in request:
        return
    answer = {"id": request["id"]}
    match request["method"]:
        case "thread/start" | "thread/resume":
            yield answer | {"result": {"thread": {"id": THREAD_ID, "turns": []}}}
        case "turn/start":
            yield from _turn(answer, request["params"]["input"][0]["text"])
        case _:
            yield answer | {"result": {}}


def _turn(answer: dict[str, Any], prompt: str) -> Iterator[dict[str, Any]]:
    count, rate = map(int, prompt.split())
    turn: dict[str, Any] = {"id": f"turn-{answer['id']}", "items": [], "status": "inProgress", "error": None}
    yield answer | {"result": {"turn": turn}}
    yield _said("turn/started", turn=turn)
    began = time.monotonic()
    for number in range(count):
        if rate:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        yield _said("item/agentMessage/delta", turnId=turn["id"], delta="and then ", sentNs=time.monotonic_ns())
    yield _said("turn/completed", turn=turn | {"status": "completed"})


def _said(method: str, **params: Any) -> dict[str, Any]:
    return {"method": method, "params": {"threadId": THREAD_ID, **params}}
