"""The socket `sync:v1`: a sans-I/O protocol machine and an endless, resuming iterator over updates (sync §5–9)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from oa_client.backoff import repeated
from oa_client.errors import TRANSIENT, BadAnswer, StaleCursor, SubscriptionRefused
from oa_client.workers import Payload, WorkerEvent

if TYPE_CHECKING:
    from oa_client.client import Client

_LOG = logging.getLogger(__name__)

WORKER_EVENTS = "runtime.codex_worker_events"
WORKER_SUMMARIES = "runtime.codex_worker_summaries"

_CHANNEL = "sync:v1"
_JOIN_REF, _SUBSCRIBE_REF = "1", "2"
_REPLAY_ROWS = 200
_MAX_FRAME_BYTES = 1 << 20
_HEARTBEAT_S = 20.0


class Update(msgspec.Struct, frozen=True):
    """One row of a topic; `watermark` ascends per topic and is the cursor to resume from (sync §13)."""

    topic: str
    doc_key: str
    doc_version: int
    watermark: int
    payload: Payload | None
    payload_hash: str | None = None
    hydration_required: bool = False

    def worker_event(self) -> WorkerEvent:
        """The payload of a `runtime.codex_worker_events` row."""
        return msgspec.convert(self.payload, WorkerEvent)


class SessionEnded(Exception):
    """This connection is of no more use; a new one resumes from the cursors."""


class Session:
    """One join of the channel: text frames in, updates out. Rows at or below the cursor are dropped."""

    def __init__(self, topics: Sequence[str], cursors: Mapping[str, int]) -> None:
        self.topics = list(topics)
        self.cursors = dict(cursors)
        self.subscribed = False
        self._ref = 2

    def opening(self) -> list[str]:
        """Join, then subscribe; the server handles frames in order, so nothing is awaited between them (sync §5.5)."""
        subscription = {"topics": self.topics, "resume_after": self.cursors, "replay_batch_size": _REPLAY_ROWS}
        return [
            _frame(None, _JOIN_REF, "phx_join", {}),
            _frame(_JOIN_REF, _SUBSCRIBE_REF, "sync:subscribe", subscription),
        ]

    def heartbeat(self) -> str:
        self._ref += 1
        return _frame(_JOIN_REF, str(self._ref), "sync:heartbeat", {})

    def receive(self, text: str | bytes) -> list[Update]:
        """Raises SessionEnded, StaleCursor, SubscriptionRefused or BadAnswer when nothing more can come."""
        _, ref, topic, event, payload = _parse(text)
        if topic != _CHANNEL:
            return []
        match event:
            case "sync:update_batch":
                return self._fresh(payload)
            case "phx_reply":
                self._reply(ref, payload)
            case "sync:error":
                raise _failure(payload)
            case "phx_error" | "phx_close":
                raise SessionEnded(event)
        return []

    def _fresh(self, payload: Any) -> list[Update]:
        try:
            updates = msgspec.convert(payload["updates"], list[Update])
        except (KeyError, TypeError, msgspec.ValidationError) as error:
            raise BadAnswer(f"an update batch in an unexpected shape: {error}") from error
        fresh = []
        for update in updates:
            if update.watermark > self.cursors.get(update.topic, 0):
                self.cursors[update.topic] = update.watermark
                fresh.append(update)
        return fresh

    def _reply(self, ref: str | None, payload: Any) -> None:
        if payload.get("status") != "ok":
            raise _failure(payload.get("response") or {})
        if ref == _SUBSCRIBE_REF:
            self.subscribed = True


async def follow(
    client: "Client",
    topics: Sequence[str],
    cursors: Mapping[str, int] | None = None,
    *,
    heartbeat_s: float = _HEARTBEAT_S,
) -> AsyncGenerator[Update]:
    """Every visible row above the cursors (none: from the oldest kept), endlessly, in order per topic, each once.

    A lost connection is opened again with a new token and the newest cursors. Ends only with an error: a refusal to
    mint a token, `StaleCursor`, or another `SubscriptionRefused`.
    """
    reached = dict(cursors or {})
    pauses = client.pauses()
    while True:
        session = Session(topics, reached)
        try:
            async with aclosing(_connection(client, session, heartbeat_s)) as updates:
                async for update in updates:
                    reached[update.topic] = update.watermark
                    yield update
        except (*TRANSIENT, SessionEnded, OSError, TimeoutError, WebSocketException) as error:
            if session.subscribed:
                pauses = client.pauses()
            delay_s = next(pauses)
            _LOG.warning("the socket is gone (%s); next attempt in %.1f s", error, delay_s)
            await asyncio.sleep(delay_s)


async def follow_worker(client: "Client", worker_id: str, after: int | None) -> AsyncGenerator[WorkerEvent]:
    """Every event of one worker with `seq > after` (None: from now on), endlessly, in order, each once.

    Its `seq` has no gaps, so what the socket's replay no longer reaches shows as a hole and is read from the stream.
    Ends as `follow` does, and with `StaleCursor` when the stream does not reach back to it either.
    """
    position = (await client.worker(worker_id)).latest_seq if after is None else after
    async with aclosing(_news(client, worker_id)) as news:
        async for before, event in news:
            async with aclosing(client.recorded(worker_id, position, before)) as missed:
                async for older in missed:
                    position = older.seq
                    yield older
            if event and event.seq > position:
                position = event.seq
                yield event


async def _news(client: "Client", worker_id: str) -> AsyncGenerator[tuple[int, WorkerEvent | None]]:
    """Each event that the socket has, and the seq before it; at the start and after a reset the latest seq, alone."""
    while True:
        there = await repeated(lambda: client.worker(worker_id), client.pauses())
        yield there.latest_seq, None
        with suppress(StaleCursor):
            async with aclosing(follow(client, [WORKER_EVENTS])) as updates:
                async for update in updates:
                    event = update.worker_event()
                    if event.worker_id == worker_id:
                        yield event.seq - 1, event


async def _connection(client: "Client", session: Session, heartbeat_s: float) -> AsyncGenerator[Update]:
    minted = await client.mint_sync_token(session.topics)
    address = "ws" + client.url.removeprefix("http") + f"/sync/socket/websocket?token={quote(minted.token)}&vsn=2.0.0"
    now = asyncio.get_running_loop().time
    async with connect(address, compression=None, max_size=_MAX_FRAME_BYTES) as socket:
        for frame in session.opening():
            await socket.send(frame)
        due = now() + heartbeat_s
        while True:
            text = await _receive(socket, due) if now() < due else None
            if text is None:
                await socket.send(session.heartbeat())
                due = now() + heartbeat_s
                continue
            for update in session.receive(text):
                yield update


async def _receive(socket: ClientConnection, due: float) -> str | bytes | None:
    try:
        async with asyncio.timeout_at(due):
            return await socket.recv()
    except TimeoutError:
        return None


def _failure(payload: Any) -> Exception:
    code = str(payload.get("code") or "")
    if code == "stale_cursor":
        return StaleCursor(410, code, str(payload.get("message") or "the cursor is too old"))
    return SubscriptionRefused(code) if code else SessionEnded(str(payload.get("reason") or "refused"))


def _frame(join_ref: str | None, ref: str, event: str, payload: Payload) -> str:
    return msgspec.json.encode([join_ref, ref, _CHANNEL, event, payload]).decode()


def _parse(text: str | bytes) -> tuple[str | None, str | None, str, str, Any]:
    try:
        return msgspec.json.decode(text, type=tuple[str | None, str | None, str, str, Payload])
    except msgspec.DecodeError as error:
        raise BadAnswer(f"a frame in an unexpected shape: {error}") from error
