"""What the owner's clients ask of a worker (DEC-45): checked, then done by Codex or by the daemon itself."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from oa_client.worker.approvals import Approvals
from oa_client.worker.bounds import bounded
from oa_client.worker.inbox import CODEX_FAILED, Request, RequestRefused
from oa_client.worker.methods import (
    APPROVAL_ANSWER,
    AnswerApproval,
    Call,
    CommandExec,
    SetLimits,
    ThreadArchive,
    ThreadFork,
    ThreadResume,
    TurnInterrupt,
    TurnStart,
    TurnSteer,
    allowed,
)
from oa_client.worker.spend import Spend
from oa_client.worker.turns import Asked, Turns, TurnSettings
from oa_client.workers import Limits, Payload, WorkerEvent

NO_ANSWER = -32003

_LATE = "there was no answer before the deadline"


class Supervised(Protocol):
    async def ready(self) -> tuple[Asked, Turns]:
        """The Codex that runs, or the next one."""


class Requests:
    """Any number at a time; a turn that is asked for waits for its thread."""

    def __init__(
        self,
        supervised: Supervised,
        settings: TurnSettings,
        approvals: Approvals,
        spend: Spend,
        *,
        may_exec: bool,
        now: Callable[[], datetime],
    ) -> None:
        self._supervised = supervised
        self._settings = settings
        self._approvals = approvals
        self._spend = spend
        self._may_exec = may_exec
        self._now = now

    def heard(self, event: WorkerEvent) -> None:
        """What is in the log holds, also when another daemon of this worker put it there."""
        match event.event_type:
            case "worker.approval.requested":
                self._approvals.heard_asked(event.payload)
            case "worker.approval.answered":
                self._approvals.heard(event.payload)
            case "worker.limits.set":
                self._spend.heard(Limits(event.payload.get("turn_tokens"), event.payload.get("day_tokens")))
            case "worker.charging.set":
                self._spend.charged(event.payload)

    def leaves(self, request: Request) -> bool:
        """An answer to what another daemon asked is for that one."""
        params = request.params if request.method == APPROVAL_ANSWER else None
        return isinstance(params, dict) and self._approvals.is_elsewhere(params.get("approval_id"))

    async def handle(self, request: Request) -> Any:
        """The result. Raises RequestRefused, or CodexFailed when Codex does not do it."""
        call = allowed(request.method, request.params, workspace=self._settings.cwd, may_exec=self._may_exec)
        try:
            async with asyncio.timeout(self._left_s(request)):
                return bounded(await self._done(request, call))
        except TimeoutError:
            raise RequestRefused(NO_ANSWER, _LATE) from None

    def _left_s(self, request: Request) -> float:
        return (datetime.fromisoformat(request.deadline) - self._now()).total_seconds()

    async def _done(self, request: Request, call: Call) -> Any:
        match call:
            case AnswerApproval(approval_id, decision):
                by = request.requested_by
                return self._approvals.answer(approval_id, decision, request_id=request.request_id, answered_by=by)
            case SetLimits(turn_tokens, day_tokens):
                return self._spend.set_limits(Limits(turn_tokens, day_tokens), request.requested_by)
        codex, turns = await self._supervised.ready()
        return await self._done_by_codex(request.method, call, request.params or {}, codex, turns)

    async def _done_by_codex(self, method: str, call: Call, params: Payload, codex: Asked, turns: Turns) -> Any:
        match call:
            case TurnStart():
                return await turns.ask(params)
            case TurnInterrupt(thread_id, turn_id):
                thread_id, running_turn = await turns.running(thread_id)
                if turn_id not in (None, running_turn):
                    raise RequestRefused(CODEX_FAILED, f"turn {turn_id} does not run: {running_turn} does")
                await codex.request(method, {"threadId": thread_id, "turnId": running_turn})
                return {"threadId": thread_id, "turnId": running_turn}
            case TurnSteer(thread_id):
                thread_id, turn_id = await turns.running(thread_id)
                return await codex.request(method, {"expectedTurnId": turn_id, **params})
            case ThreadResume() | ThreadFork():
                answer: Payload = await codex.request(method, {**params, **self._settings.thread})
                turns.adopt(answer)
                return answer
            case ThreadArchive(thread_id):
                archived = await codex.request(method, params)
                turns.forget(thread_id)
                return archived
            case CommandExec():
                params = {"cwd": str(self._settings.cwd), **params, "sandboxPolicy": self._settings.command_sandbox}
        return await codex.request(method, params)
