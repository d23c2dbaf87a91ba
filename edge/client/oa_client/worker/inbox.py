"""What is sent to the worker: read in order, each thing acknowledged or claimed once, and handed on."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, TypeGuard

import msgspec

from oa_client.backoff import delays_s, repeated
from oa_client.client import Client
from oa_client.errors import CodexFailed, Conflict, InvalidInput, StaleCursor
from oa_client.worker.marks import Mark, Marks, Message
from oa_client.worker.mirror import SOURCE
from oa_client.worker.outbox import Outbox, Post
from oa_client.worker.store import Store
from oa_client.workers import NewEvent, Payload, WorkerEvent

_LOG = logging.getLogger(__name__)

_MAX_ID_LENGTH = 255
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")

_MAX_RESULT_BYTES = 480 * 1024
"""A payload may have 512 KiB (runtime DEC-49)."""

CODEX_FAILED = -32000


class WorkerStopped(Exception):
    """Somebody stopped the worker, which ends the daemon; not an error."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RequestRefused(Exception):
    """A request that is answered with an error: a JSON-RPC code and what to tell."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Acknowledge:
    """A phone shakes hands (runtime §7.5)."""

    handshake_id: str


@dataclass(frozen=True)
class Request:
    """Somebody asks for an answer (DEC-45); `requested_by` has owner, client and token."""

    request_id: str
    method: str
    params: Any
    deadline: str
    requested_by: Payload


@dataclass(frozen=True)
class Stop:
    """Somebody stopped the worker."""

    reason: str


Sent = Acknowledge | Message | Request | Stop


class Requests(Protocol):
    async def handle(self, request: Request) -> Any:
        """The result. Raises RequestRefused, or CodexFailed when Codex does not do it."""

    def leaves(self, request: Request) -> bool:
        """Whether it is for another daemon of this worker."""

    def heard(self, event: WorkerEvent) -> None:
        """Is shown every event of the stream, in order."""


def sent(event: WorkerEvent) -> Sent | None:
    """What an event of the stream asks for; what this or another daemon says asks for nothing."""
    payload = event.payload
    if event.event_type == "worker.stopped":
        return Stop(str(payload.get("reason") or "stopped"))
    if payload.get("source") == SOURCE:
        return None
    match event.event_type, payload:
        case "worker.event", {"method": "ios/handshake", "handshake_id": str(handshake_id)} if handshake_id.strip():
            return Acknowledge(handshake_id)
        case "worker.event", {"method": "ios/user_message", "params": {"text": str(text), **params}} if text.strip():
            return _message(event, text, params)
        case "worker.request.received", {"request_id": str(request_id), "method": str(method), "deadline": str(until)}:
            return Request(request_id, method, payload.get("params"), until, payload.get("requested_by") or {})
    return None


def _message(event: WorkerEvent, text: str, params: Mapping[Any, Any]) -> Message:
    """A message without a usable id is called by its seq, as the edge does."""
    told = (event.payload.get("message_id"), params.get("message_id"))
    thread_id = params.get("thread_id")
    return Message(
        message_id=next(filter(_is_identifier, told), f"seq:{event.seq}"),
        seq=event.seq,
        text=text,
        thread_id=str(thread_id) if thread_id else None,
        steers=params.get("mode") == "steer",
    )


def _is_identifier(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID_LENGTH and not _CONTROL_CHARACTERS.search(value)


def acknowledgement(handshake_id: str, session_id: str, occurred_at: str) -> Payload:
    """The payload that a phone accepts as the answer to its handshake (edge §2.12, step 9)."""
    return {
        "source": SOURCE,
        "method": "desktop/handshake_ack",
        "handshake_id": handshake_id,
        "desktop_session_id": session_id,
        "occurred_at": occurred_at,
    }


def _bounded(result: Any) -> Any:
    size_bytes = len(msgspec.json.encode(result))
    if size_bytes > _MAX_RESULT_BYTES:
        raise RequestRefused(CODEX_FAILED, f"the result has {size_bytes} bytes, more than the edge takes: ask for less")
    return result


class Cursor:
    """Up to where everything that was sent is dealt with; it moves after the marks that it relies on."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def seq(self) -> int | None:
        seq = self._store.fact("cursor")
        return None if seq is None else int(seq)

    def move(self, seq: int) -> None:
        self._store.set_fact("cursor", str(seq))

    def forget(self) -> None:
        self._store.set_fact("cursor", None)


class Inbox:
    """`post` is direct: what is claimed and acknowledged does not wait behind what Codex said."""

    def __init__(
        self,
        client: Client,
        worker_id: str,
        session_id: str,
        *,
        post: Post,
        cursor: Cursor,
        marks: Marks,
        outbox: Outbox,
        requests: Requests,
        taken: Callable[[], None],
        timestamp: Callable[[], str],
    ) -> None:
        self._client = client
        self._worker_id = worker_id
        self._session_id = session_id
        self._post = post
        self._cursor = cursor
        self._marks = marks
        self._outbox = outbox
        self._requests = requests
        self._taken = taken
        self._timestamp = timestamp

    async def run(self, registered_seq: int) -> NoReturn:
        """From the cursor on. Raises WorkerStopped when somebody stops the worker after it was registered."""
        async with asyncio.TaskGroup() as answers:
            while True:
                with suppress(StaleCursor):
                    await self._read(registered_seq, answers)
                await self._skip_to_the_head()

    async def _read(self, registered_seq: int, answers: asyncio.TaskGroup) -> None:
        async with aclosing(self._client.stream(self._worker_id, self._cursor.seq)) as events:
            async for event in events:
                self._requests.heard(event)
                match sent(event):
                    case Acknowledge(handshake_id):
                        await self._acknowledge(handshake_id)
                    case Message() as message:
                        await self._take(message)
                    case Request() as request:
                        if not self._requests.leaves(request) and await self._is_ours(request, event.seq):
                            answers.create_task(self._answer(request))
                    case Stop(reason) if event.seq > registered_seq:
                        raise WorkerStopped(reason)
                self._cursor.move(event.seq)

    async def _skip_to_the_head(self) -> None:
        """The edge no longer has what comes next: what was sent there is lost, and the log says so."""
        there = await repeated(lambda: self._client.worker(self._worker_id), delays_s())
        gap = {"from": self._cursor.seq, "to": there.latest_seq}
        _LOG.warning("events after %(from)s are gone; reading goes on after %(to)s", gap)
        self._outbox.note("worker.event", self._event("worker/stream_gap", gap))
        self._cursor.move(there.latest_seq)

    async def _acknowledge(self, handshake_id: str) -> None:
        """A conflict: this handshake was acknowledged before."""
        payload = acknowledgement(handshake_id, self._session_id, self._timestamp())
        with suppress(Conflict):
            await self._tell(f"ack:{handshake_id}", "worker.event", payload)

    async def _take(self, message: Message) -> None:
        """Written down before it is claimed, so that after a crash the same claim is made again."""
        mark = self._marks.get(message.message_id)
        if mark is None:
            mark = Mark(message, self._claim_id(message.seq))
            self._marks.set(mark)
        if mark.state != "claiming":
            return
        claim = {"message_id": message.message_id, "seq": mark.message.seq}
        if await self._claimed("worker.message.claimed", mark.claim_id, claim):
            self._marks.set(mark.moved("claimed"))
            self._taken()
        else:
            self._marks.drop(mark)

    async def _is_ours(self, request: Request, seq: int) -> bool:
        claim = {"request_id": request.request_id}
        return await self._claimed("worker.request.claimed", self._claim_id(seq), claim)

    async def _claimed(self, event_type: str, claim_id: str, claim: Payload) -> bool:
        claim |= {"claim_id": claim_id, "daemon_id": claim_id.partition(":claim:")[0]}
        try:
            await self._tell(claim_id, event_type, claim)
        except (Conflict, InvalidInput) as error:
            _LOG.info("not for this daemon: %s: %s", claim, error)
            return False
        return True

    async def _answer(self, request: Request) -> None:
        answered: Payload = {"jsonrpc": "2.0", "id": request.request_id}
        event_type = "worker.error"
        try:
            answered["result"] = _bounded(await self._requests.handle(request))
            event_type = "worker.response"
        except RequestRefused as refused:
            answered["error"] = {"code": refused.code, "message": refused.message}
        except CodexFailed as failed:
            answered["error"] = {"code": CODEX_FAILED, "message": str(failed)}
        payload = {"source": SOURCE, "request_id": request.request_id, "response": answered}
        with suppress(Conflict, InvalidInput):  # too late, or nothing that a log can hold
            await self._tell(f"{self._session_id}:answer:{request.request_id}", event_type, payload)

    async def _tell(self, event_id: str, event_type: str, payload: Payload) -> None:
        event = NewEvent(event_id, event_type, payload)
        await repeated(lambda: self._post([event]), delays_s())

    def _claim_id(self, seq: int) -> str:
        return f"{self._session_id}:claim:{seq}"

    def _event(self, method: str, params: Payload) -> Payload:
        return {"source": SOURCE, "method": method, "params": params, "occurred_at": self._timestamp()}
