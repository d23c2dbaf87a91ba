"""What every client does on the wire: JSON over HTTP and five-element frames over a socket, decoded strictly."""

import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect

T = TypeVar("T")

WORKERS = "/api/runtime/codex/workers"
EVENTS, SUMMARIES = "runtime.codex_worker_events", "runtime.codex_worker_summaries"
_MAX_FRAME_BYTES = 1 << 20


class Projection(msgspec.Struct, frozen=True):
    """A partial one makes the whole list undecodable for iOS (edge §2.6)."""

    document_id: str
    last_runtime_seq: int
    lag_events: int
    status: Literal["in_sync", "lagging"]
    projection_version: str
    last_projected_at: str | None


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    worker_id: str
    status: Literal["starting", "running", "stopping", "stopped", "failed"]
    latest_seq: int
    adapter: str
    workspace_ref: str | None
    codex_home_ref: str | None
    metadata: dict[str, Any] | list[Any]
    started_at: str | None
    stopped_at: str | None
    updated_at: str | None
    last_heartbeat_at: str | None
    heartbeat_age_ms: int | None
    heartbeat_stale_after_ms: int
    heartbeat_state: Literal["fresh", "stale", "missing", "stopped", "failed"]


class ListedWorker(Worker, frozen=True, kw_only=True):
    khala_projection: Projection | None


class CreatedWorker(msgspec.Struct, frozen=True, rename="camel"):
    worker_id: str
    status: str
    latest_seq: int
    idempotent_replay: bool


class PostedEvent(msgspec.Struct, frozen=True):
    worker_id: str
    seq: int
    event_type: str
    payload: dict[str, Any]
    occurred_at: str


class WorkerEvent(msgspec.Struct, frozen=True, rename="camel"):
    """The payload of an update of `runtime.codex_worker_events` (sync §14.1)."""

    worker_id: str
    seq: int
    event_type: str
    payload: dict[str, Any]
    occurred_at: str

    @property
    def method(self) -> str:
        return str(self.payload.get("method", ""))


class Update(msgspec.Struct, frozen=True):
    """Sync §13, as strict as the strictest client."""

    topic: str
    doc_key: str
    doc_version: int
    payload: dict[str, Any]
    payload_hash: str | None
    watermark: int
    hydration_required: bool

    def event(self) -> WorkerEvent:
        return msgspec.convert(self.payload, WorkerEvent)


class UpdateBatch(msgspec.Struct, frozen=True):
    updates: list[Update]
    replay_complete: bool
    head_watermarks: list[dict[str, Any]]


class Frame(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Exactly `[join_ref, ref, topic, event, payload]` (sync §5.1)."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: dict[str, Any]

    def updates(self) -> list[Update]:
        """None, unless this is a batch."""
        return msgspec.convert(self.payload, UpdateBatch).updates if self.event == "sync:update_batch" else []


class SignedIn(msgspec.Struct, frozen=True, rename="camel"):
    ok: Literal[True]
    user_id: str
    token_type: Literal["Bearer"]
    token: str
    token_name: str


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decoded(answer: httpx.Response) -> Any:
    """iOS takes a 2xx only with content that calls itself JSON (edge §1.1)."""
    assert answer.is_success, f"{answer.request.url.path}: {answer.status_code} {answer.text}"
    assert "application/json" in answer.headers["content-type"]
    return msgspec.json.decode(answer.content)


class Device:
    """A program of somebody: calls that carry its name, its token and a new `x-request-id`."""

    def __init__(self, http: httpx.AsyncClient, x_client: str, token: str | None = None) -> None:
        self.http = http
        self._headers = {"accept": "application/json", "x-client": x_client}
        if token:
            self._headers["authorization"] = f"Bearer {token}"

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        headers = self._headers | {"x-request-id": f"iosreq-{uuid.uuid4()}"}
        return await self.http.request(method, path, json=body, params=query or None, headers=headers)

    async def fetched(self, shape: type[T], method: str, path: str, body: Any = None, **query: Any) -> T:
        """The `data` of the answer, in exactly this shape."""
        return msgspec.convert(decoded(await self.call(method, path, body, **query))["data"], shape)

    async def workers(self) -> list[ListedWorker]:
        return await self.fetched(list[ListedWorker], "GET", WORKERS, limit=100)

    async def create_worker(self, worker_id: str, **fields: Any) -> CreatedWorker:
        return await self.fetched(CreatedWorker, "POST", WORKERS, {"worker_id": worker_id, **fields})

    async def post(self, worker_id: str, payload: Mapping[str, Any], event_type: str = "worker.event") -> PostedEvent:
        body = {"event": {"event_type": event_type, "payload": payload}}
        return await self.fetched(PostedEvent, "POST", f"{WORKERS}/{worker_id}/events", body)

    async def mint(self, *scopes: str) -> str:
        """A token for one socket, in the shape that iOS decodes (sync §3.2)."""
        answer = decoded(await self.call("POST", "/api/sync/token", {"scopes": sorted(scopes)}))["data"]
        texts = ("token", "token_type", "issued_at", "expires_at", "issuer", "audience", "subject", "org_id", "kid")
        assert [name for name in texts if not isinstance(answer[name], str)] == []
        assert isinstance(answer["expires_in"], int)
        assert answer["scopes"] == sorted(scopes)
        return str(answer["token"])

    @asynccontextmanager
    async def connected(self, token: str) -> AsyncIterator["Wire"]:
        origin = str(self.http.base_url).replace("http", "ws", 1).rstrip("/")
        address = f"{origin}/sync/socket/websocket?token={token}&vsn=2.0.0"
        async with connect(address, max_size=_MAX_FRAME_BYTES, ping_interval=None) as socket:
            yield Wire(socket)


class Wire:
    """One open socket on which only text frames of the right shape may come."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, join_ref: str | None, ref: str, event: str, payload: Mapping[str, Any]) -> None:
        await self._socket.send(msgspec.json.encode([join_ref, ref, "sync:v1", event, payload]).decode())

    async def receive(self) -> Frame:
        text = await self._socket.recv()
        assert isinstance(text, str)
        frame = msgspec.json.decode(text, type=Frame)
        assert frame.topic == "sync:v1"
        return frame


class Channel:
    """`sync:v1` on one socket as the native clients use it: each request awaits its reply (sync §18.2, §18.3)."""

    def __init__(self, wire: Wire, refs: "itertools.count[int]", take: Callable[[list[Update]], None]) -> None:
        self._wire = wire
        self._refs = refs
        self._take = take
        self._join_ref: str | None = None

    async def join(self) -> None:
        self._join_ref = await self.request("phx_join", {})

    async def subscribe(self, topic: str, after: int) -> None:
        """Always with an explicit integer; 0 is "no cursor"."""
        wanted = {"topics": [topic], "resume_after": {topic: after}, "replay_batch_size": 200}
        await self.request("sync:subscribe", wanted)

    async def request(self, event: str, payload: Mapping[str, Any]) -> str:
        """Returns the ref, once the server said ok to it."""
        ref = await self.send(event, payload)
        while (frame := await self.receive()).ref != ref:
            pass
        assert (frame.event, frame.payload["status"]) == ("phx_reply", "ok"), frame
        return ref

    async def send(self, event: str, payload: Mapping[str, Any]) -> str:
        ref = str(next(self._refs))
        await self._wire.send(self._join_ref, ref, event, payload)
        return ref

    async def receive(self) -> Frame:
        """The next frame; batches are taken on the way, and an error ends the session."""
        frame = await self._wire.receive()
        assert frame.event not in ("sync:error", "phx_error"), frame
        self._take(frame.updates())
        return frame
