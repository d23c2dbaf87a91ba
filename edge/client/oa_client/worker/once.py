"""`oa worker --once`: one prompt, one turn, and an exit status that says how it ended.

What it shows comes back from the log, so when it ends everything it showed is recorded.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing, suppress
from enum import IntEnum
from typing import Any, NamedTuple

from oa_client.backoff import delays_s
from oa_client.client import Client
from oa_client.errors import CodexExited, NotFound, OaError
from oa_client.rendering import gist
from oa_client.workers import Payload, WorkerEvent

_SETTING_OUT = ("thread/start", "thread/resume", "turn/start")


class Exit(IntEnum):
    COMPLETED = 0
    FAILED = 1
    INTERRUPTED = 3
    OVER_LIMIT = 4
    NEVER_BEGAN = 5
    """No edge, not signed in, or no Codex; or the edge refused to let it be followed."""


_OUTCOMES = {"completed": Exit.COMPLETED, "interrupted": Exit.INTERRUPTED, "over_limit": Exit.OVER_LIMIT}


class Said(NamedTuple):
    """Words of the agent."""

    text: str


class Step(NamedTuple):
    """What it does meanwhile, in one line."""

    line: str


class OneTurn:
    """The turn that a message became: worker events in, words and steps out, until there is an `exit`."""

    def __init__(self, message_id: str, prompt: str) -> None:
        self.exit: Exit | None = None
        self.turn_id: str | None = None
        self._message_id = message_id
        self._prompt = prompt
        self._outcome: str | None = None
        self._streamed: set[str] = set()

    def take(self, event: WorkerEvent) -> Iterator[Said | Step]:
        params = event.payload.get("params")
        if event.event_type == "worker.stopped":
            self.exit = Exit.INTERRUPTED
        elif isinstance(params, dict):
            yield from self._told(str(event.payload.get("method")), params, gist(event.payload))
        elif self.turn_id and event.payload.get("turn_id") == self.turn_id:
            self._outcome = event.payload.get("outcome") or self._outcome
            yield Step(gist(event.payload))

    def _told(self, method: str, params: Payload, told: str) -> Iterator[Said | Step]:
        match params:
            case {"item": {"type": "userMessage", "content": list(said)}, "turnId": str(turn_id)}:
                if self.turn_id is None and _text(said) == self._prompt:
                    self.turn_id = turn_id
            case {"error": _} if method in _SETTING_OUT and self._is_ours(params):
                self.exit = Exit.FAILED
                yield Step(told)
            case {"message_id": self._message_id} if method == "worker/turn_lost":
                self.exit = Exit.FAILED
                yield Step("Codex ended in the middle of the turn")
            case {"turn": {"id": self.turn_id, "status": str(status)}} if method == "turn/completed":
                self.exit = _OUTCOMES.get(self._outcome or status, Exit.FAILED)
                if status != "completed":
                    yield Step(told)
            case {"turnId": self.turn_id} if self.turn_id:
                yield from self._worked(method, params, told)

    def _is_ours(self, params: Payload) -> bool:
        return params.get("message_id") in (None, self._message_id)

    def _worked(self, method: str, params: Payload, told: str) -> Iterator[Said | Step]:
        match method, params:
            case "item/agentMessage/delta", {"itemId": str(item_id), "delta": str(delta)}:
                self._streamed.add(item_id)
                yield Said(delta)
            case "item/completed", {"item": {"type": "agentMessage", "id": item_id, "text": str(text)}}:
                yield Said("\n" if item_id in self._streamed else f"{text}\n")
            case "item/started", {"item": {"type": "commandExecution", "command": command}}:
                yield Step(f"$ {command}")
            case "item/completed", {"item": {"type": "commandExecution"}}:
                yield Step(told)
            case "item/completed", {"item": {"type": "fileChange", "changes": list(changes)}}:
                yield Step(f"changed {', '.join(str(change.get('path')) for change in changes)}")
            case "error", _:
                yield Step(told)


def _text(content: list[Any]) -> str:
    return "".join(str(part.get("text", "")) for part in content)


Show = Callable[[WorkerEvent, list[Said | Step]], None]


class Once:
    """Has the daemon of `session_id` run `prompt`; `show` is given each event of its turn and what to tell of it."""

    def __init__(self, client: Client, worker_id: str, session_id: str, prompt: str, show: Show) -> None:
        self._client = client
        self._worker = client.workers[worker_id]
        self._session_id = session_id
        self._prompt = prompt
        self._show = show
        self._message_id = f"once-{session_id}"
        self._turn = OneTurn(self._message_id, prompt)

    async def latest_seq(self) -> int:
        """Where the worker is, 0 for one that is not there yet."""
        try:
            return (await self._worker.snapshot()).latest_seq
        except NotFound:
            return 0

    async def run(self, daemon: asyncio.Task[str], after: int) -> Exit:
        """`after` is where the worker was before its daemon began. Raises what ended the daemon before that."""
        following = asyncio.create_task(self._follow(after))
        await asyncio.wait([following, daemon], return_when=asyncio.FIRST_COMPLETED)
        if not following.done():
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            return self._ended_early(daemon)
        return following.result()

    async def stop_worker(self) -> None:
        """As far as the edge takes it."""
        with suppress(OaError):
            await self._worker.stop("once")

    def _ended_early(self, daemon: asyncio.Task[str]) -> Exit:
        if not daemon.cancelled() and isinstance(daemon.exception(), CodexExited) and self._turn.turn_id:
            return Exit.FAILED
        if not daemon.cancelled():
            daemon.result()
        return Exit.INTERRUPTED

    async def _follow(self, after: int) -> Exit:
        await self._registered(after)
        async with aclosing(self._worker.events(after)) as events:
            async for event in events:
                if event.event_type == "worker.heartbeat" and self._is_of_our_daemon(event):
                    break
            await self._worker.send(self._prompt, message_id=self._message_id, sent_from="oa-once")
            async for event in events:
                pieces = list(self._turn.take(event))
                if pieces or self._turn.turn_id:
                    self._show(event, pieces)
                if self._turn.exit is not None:
                    return self._turn.exit
        raise AssertionError("the events are endless")

    def _is_of_our_daemon(self, event: WorkerEvent) -> bool:
        return event.payload.get("desktop_session_id") == self._session_id

    async def _registered(self, after: int) -> None:
        for delay_s in delays_s(0.02, 0.5):
            if await self.latest_seq() > after:
                return
            await asyncio.sleep(delay_s)
