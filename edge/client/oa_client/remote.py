"""One worker, steered and followed from anywhere."""

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from oa_client.backoff import repeated
from oa_client.errors import BadAnswer, RequestFailed, StaleCursor
from oa_client.sync import follow_worker
from oa_client.workers import (
    Approval,
    NewEvent,
    Payload,
    SentMessage,
    StoppedWorker,
    Worker,
    WorkerAnswer,
    WorkerEvent,
    user_message,
)

if TYPE_CHECKING:
    from oa_client.client import Client

T = TypeVar("T")
Mode = Literal["queue", "steer"]
Decision = Literal["accept", "accept_for_thread", "deny"]
Transport = Literal["sse", "socket"]

_ATTEMPTS = 5
_LATELY_EVENTS = 5_000


class RemoteWorker:
    """`client.workers[worker_id]`. What is sent carries an id, so it is repeated when no answer came, and done once."""

    def __init__(self, client: "Client", worker_id: str) -> None:
        self._client = client
        self.worker_id = worker_id

    async def snapshot(self) -> Worker:
        return await self._client.worker(self.worker_id)

    async def send(
        self,
        text: str,
        *,
        mode: Mode | None = None,
        thread_id: str | None = None,
        expires_at: datetime | None = None,
        message_id: str | None = None,
        sent_from: str = "oa-client",
    ) -> SentMessage:
        """A message that the agent takes up as a turn, also when its daemon is off just now.

        While a turn runs it waits (`queue`, as without a mode) or is told to that turn (`steer`). Nobody takes it up
        after `expires_at` (aware). The same `message_id` again is the same message; with another text it is a Conflict.
        """
        message_id = message_id or f"oamsg-{uuid.uuid4()}"
        until = None if expires_at is None else expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        choices = {"mode": mode, "thread_id": thread_id, "expires_at": until}
        message = user_message(text, message_id, sent_from=sent_from, **choices)
        event = NewEvent(f"message:{message_id}", "worker.event", message)
        accepted = await self._attempt(lambda: self._client.post_events(self.worker_id, [event]))
        return SentMessage(message_id, accepted.events[0].seq)

    async def request(self, method: str, params: Payload | None = None, *, request_id: str | None = None) -> Any:
        """The worker's result; raises RequestFailed when it answers with an error or nobody does (runtime DEC-45)."""
        asked = {"request_id": request_id or f"req_{uuid.uuid4().hex}", "method": method, "params": params or {}}
        answer = await self._attempt(lambda: self._client.send_request(self.worker_id, asked))
        return _result(answer)

    async def interrupt(self) -> bool:
        """Ends the turn that runs; False when none does."""
        busy = (await self.snapshot()).busy
        if busy is None or busy.turn_id is None:
            return False
        await self.request("turn/interrupt", {"threadId": busy.thread_id, "turnId": busy.turn_id})
        return True

    async def approvals(self) -> list[Approval]:
        """What the agent asked and nobody answered yet; of what it asked long ago, only the id."""
        there = await self.snapshot()
        asked = {approval_id: Approval(approval_id) for approval_id in there.open_approvals}
        if asked:
            async with aclosing(self._lately(there.latest_seq)) as events:
                async for event in events:
                    if event.event_type == "worker.approval.requested" and event.payload.get("approval_id") in asked:
                        asked[event.payload["approval_id"]] = msgspec.convert(event.payload, Approval)
        return list(asked.values())

    async def _lately(self, latest_seq: int) -> AsyncGenerator[WorkerEvent]:
        with suppress(StaleCursor):
            after = max(latest_seq - _LATELY_EVENTS, 0)
            async with aclosing(self._client.recorded(self.worker_id, after, latest_seq)) as events:
                async for event in events:
                    yield event

    async def approve(self, approval_id: str, decision: Decision = "accept") -> None:
        """Answers one of `approvals()`."""
        await self.request("approval/answer", {"approval_id": approval_id, "decision": decision})

    async def limit(self, *, turn_tokens: int | None = None, day_tokens: int | None = None) -> None:
        """Caps what a turn and a UTC day may use from now on; None is no cap."""
        await self.request("limits/set", {"turn_tokens": turn_tokens, "day_tokens": day_tokens})

    async def stop(self, reason: str = "stop_requested") -> StoppedWorker:
        return await self._client.stop_worker(self.worker_id, reason)

    def events(
        self, after: int | None = None, *, over: Literal["sse", "socket"] = "sse"
    ) -> AsyncGenerator[WorkerEvent]:
        """Every event with `seq > after` (None: from now on), endlessly, in order, each once.

        Lost connections are opened again where they were. Raises StaleCursor when the log has lost what comes next.
        """
        follow = self._client.stream if over == "sse" else partial(follow_worker, self._client)
        return follow(self.worker_id, after)

    def _attempt(self, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        return repeated(call, islice(self._client.pauses(), _ATTEMPTS - 1))


def _result(answer: WorkerAnswer) -> Any:
    match answer.response:
        case {"error": {"code": int(code), "message": str(message)}}:
            raise RequestFailed(code, message)
        case {"result": result} if answer.ok:
            return result
    raise BadAnswer(f"the worker's answer is neither a result nor an error: {answer.response!r:.200}")
