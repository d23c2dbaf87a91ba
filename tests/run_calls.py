"""One run on the signed API, as a service calls it on its owner's behalf: each call with a token of its own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.nodes import Caller


@dataclass(frozen=True)
class RunCalls:
    caller: Caller
    run_id: str
    thread_id: str = "thr_demo"

    async def call(
        self, method: str, path: str, claims: dict[str, Any] | None = None, **options: Any
    ) -> httpx.Response:
        bound = {"run_id": self.run_id, "thread_id": self.thread_id} | (claims or {})
        return await self.caller.signed(method, f"/runs{path}", claims=bound, **options)

    async def create(self) -> httpx.Response:
        return await self.call("POST", "", json={"run_id": self.run_id, "thread_id": self.thread_id})

    async def post(self, action: str, **fields: Any) -> httpx.Response:
        return await self.call("POST", f"/{self.run_id}/{action}", json={"thread_id": self.thread_id} | fields)

    async def frame(
        self, frame_id: str, frame_type: str = "user_message", payload: dict[str, Any] | None = None
    ) -> httpx.Response:
        return await self.post("frames", frame_id=frame_id, type=frame_type, payload=payload or {})

    async def cancel(self, **fields: Any) -> httpx.Response:
        return await self.post("cancel", **fields)

    async def get(self, action: str, **options: Any) -> httpx.Response:
        query = {"thread_id": self.thread_id} | options.pop("params", {})
        return await self.call("GET", f"/{self.run_id}/{action}", params=query, **options)

    async def snapshot(self) -> dict[str, Any]:
        answer = await self.get("snapshot")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def frames_above(self, cursor: int, tail_ms: int = 1) -> list[tuple[int, Any]]:
        """Id and data of every frame of the stream; `[DONE]` as it is."""
        answer = await self.get("stream", params={"cursor": cursor, "tail_ms": tail_ms})
        assert answer.status_code == 200, answer.text
        return run_frames(answer.text)


def run_frames(text: str) -> list[tuple[int, Any]]:
    return [_frame(block.split("\n")) for block in text.split("\n\n") if block]


def _frame(lines: Sequence[str]) -> tuple[int, Any]:
    """Runtime §2.17: `event`, `id`, `data`, in this order."""
    event, seq, data = (line.split(": ", 1) for line in lines)
    assert event == ["event", "message"]
    assert [seq[0], data[0]] == ["id", "data"]
    return int(seq[1]), data[1] if data[1] == "[DONE]" else json.loads(data[1])
