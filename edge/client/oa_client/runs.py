"""Runs: executions attached to a thread, fed with frames and followed event by event (runtime §2.6–2.9, §2.17)."""

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec

from oa_client.backoff import repeated
from oa_client.errors import BadAnswer, NotFound
from oa_client.following import endless
from oa_client.sse import Frame
from oa_client.workers import Payload

if TYPE_CHECKING:
    from oa_client.client import Client

T = TypeVar("T")

_RUNS = "/internal/v1/runs"
_ATTEMPTS = 5
_TAIL_MS = 30_000
_TERMINAL = ("succeeded", "failed", "canceled")


class RunSnapshot(msgspec.Struct, frozen=True, rename="camel"):
    """`status` is created (no events yet), running, canceling, succeeded, failed or canceled."""

    run_id: str
    thread_id: str
    status: str
    latest_seq: int
    updated_at: str

    @property
    def is_over(self) -> bool:
        return self.status in _TERMINAL


class AcceptedFrame(msgspec.Struct, frozen=True, rename="camel"):
    run_id: str
    frame_id: str
    idempotent_replay: bool


class CanceledRun(msgspec.Struct, frozen=True, rename="camel"):
    run_id: str
    status: str
    idempotent_replay: bool


class RunEvent(msgspec.Struct, frozen=True):
    """A recorded event; `seq` is gap-free per run."""

    seq: int
    event_type: str
    payload: Payload


class Run:
    """`client.runs[thread_id, run_id]`. Whatever is sent may be repeated, so it is when no answer came."""

    def __init__(self, client: "Client", thread_id: str, run_id: str) -> None:
        self._client = client
        self.thread_id = thread_id
        self.run_id = run_id

    async def start(self) -> RunSnapshot:
        """Makes the run, or finds it; raises Forbidden when it is somebody else's (runtime DEC-2)."""
        body = {"run_id": self.run_id, "thread_id": self.thread_id}
        return await self._attempt(partial(self._client.signed_call, "POST", _RUNS, RunSnapshot, body))

    async def snapshot(self) -> RunSnapshot:
        return await self._client.signed_call("GET", self._path("snapshot"), RunSnapshot, **self._named())

    async def frame(
        self, frame_type: str, payload: Payload | None = None, *, frame_id: str | None = None
    ) -> AcceptedFrame:
        """Input to the run; the same `frame_id` again is the same frame, with other content a Conflict."""
        body = {
            "thread_id": self.thread_id,
            "frame_id": frame_id or f"frm_{uuid.uuid4().hex}",
            "type": frame_type,
            "payload": payload or {},
        }
        call = partial(self._client.signed_call, "POST", self._path("frames"), AcceptedFrame, body)
        return await self._attempt(partial(call, run_id=self.run_id))

    async def say(self, text: str) -> AcceptedFrame:
        return await self.frame("user_message", {"text": text})

    async def cancel(self, reason: str | None = None) -> CanceledRun:
        body = {"thread_id": self.thread_id, "reason": reason}
        call = partial(self._client.signed_call, "POST", self._path("cancel"), CanceledRun, body)
        return await self._attempt(partial(call, run_id=self.run_id))

    async def events(self, after: int | None = None, *, tail_ms: int = _TAIL_MS) -> AsyncGenerator[RunEvent]:
        """Every event with `seq > after` (None: from now on), in order, each once, until the run is over.

        Lost connections are opened again where they were. Raises StaleCursor when what comes next is not kept.
        """
        now = await repeated(self.snapshot, self._client.pauses())
        position = now.latest_seq if after is None else after
        last = now.latest_seq if now.is_over else None
        if last is not None and position >= last:
            return
        async with aclosing(endless(partial(self._window, tail_ms), position, tail_ms, self._client.pauses)) as events:
            async for event in events:
                yield event
                if event.event_type == "run.finished":
                    last = (await repeated(self.snapshot, self._client.pauses())).latest_seq
                if last is not None and event.seq >= last:
                    return

    async def _window(self, tail_ms: int, cursor: int) -> AsyncGenerator[RunEvent]:
        query = {"thread_id": self.thread_id, "cursor": cursor, "tail_ms": tail_ms}
        frames = self._client.signed_window(self._path("stream"), query, tail_ms, run_id=self.run_id)
        async with aclosing(frames):
            async for frame in frames:
                if event := event_of(frame):
                    yield event

    def _named(self) -> dict[str, Any]:
        return {"query": {"thread_id": self.thread_id}, "run_id": self.run_id}

    def _path(self, suffix: str) -> str:
        return f"{_RUNS}/{quote(self.run_id, safe='')}/{suffix}"

    def _attempt(self, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        return repeated(call, islice(self._client.pauses(), _ATTEMPTS - 1))


class Runs:
    """`client.runs[thread_id, run_id]` is that run; nothing is asked yet whether it exists."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def __getitem__(self, names: tuple[str, str]) -> Run:
        return Run(self._client, *names)

    def new(self, thread_id: str | None = None, run_id: str | None = None) -> Run:
        """A run to be started; what is not named gets an id of its own."""
        named = thread_id or f"thr_{uuid.uuid4().hex}", run_id or f"run_{uuid.uuid4().hex}"
        return Run(self._client, *named)

    async def list(
        self, *, run_id: str | None = None, thread_id: str | None = None, limit: int = 50
    ) -> list[RunSnapshot]:
        """The caller's, newest first."""
        asked = {"run_id": run_id, "thread_id": thread_id, "limit": limit}
        query = {name: value for name, value in asked.items() if value is not None}
        return (await self._client.signed_call("GET", _RUNS, _Listed, query=query)).runs

    async def find(self, run_id: str) -> Run:
        """One of the caller's by its id alone; raises NotFound."""
        for found in await self.list(run_id=run_id):
            return Run(self._client, found.thread_id, run_id)
        raise NotFound(404, "not_found", f"no run {run_id}")


class _Listed(msgspec.Struct, frozen=True):
    runs: list[RunSnapshot]


def event_of(frame: Frame) -> RunEvent | None:
    """What a frame of the stream tells; None of the mark that follows a run's end (runtime §2.17)."""
    if frame.data == "[DONE]":
        return None
    match _object(frame.data):
        case {"type": "start", "meta": dict(meta)}:
            return RunEvent(_seq(frame), "run.started", meta)
        case {"type": "text-delta", "delta": delta}:
            return RunEvent(_seq(frame), "run.delta", {"delta": delta})
        case {"type": "tool-call", "toolCall": dict(call)}:
            return RunEvent(_seq(frame), "tool.call", call)
        case {"type": "tool-result", "toolResult": dict(result)}:
            return RunEvent(_seq(frame), "tool.result", result)
        case {"type": "finish", "meta": dict(meta)}:
            return RunEvent(_seq(frame), "run.finished", meta)
        case {"type": "event", "eventType": str(event_type), "payload": dict(payload)}:
            return RunEvent(_seq(frame), event_type, payload)
    raise BadAnswer(f"a frame of the stream in an unexpected shape: {frame.data:.200}")


def _seq(frame: Frame) -> int:
    if not frame.id.isdecimal():
        raise BadAnswer("a frame of the stream without a seq")
    return int(frame.id)


def _object(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise BadAnswer("a frame of the stream is not JSON") from error
