"""Answering an approval by a link: how it stands, and the same command as any client of its owner sends (ADR 15)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import asyncpg
import msgspec

from edge.auth.clock import Clock
from edge.workers import Call, Workers
from producers.errors import Rejection
from producers.workers import SendRequest
from readmodels import approvals
from readmodels.approvals import Approval, Told
from schemas.answer_links import AnswerLink, opened
from schemas.events import Payload

CLIENT: Final = "answer-link"
METHOD: Final = "approval/answer"

Standing = Literal["open", "answered", "expired", "withdrawn", "done", "undelivered"]
"""`done`: this link did it. `undelivered`: the worker was not reached, and may be tried again."""

_CAUSES: Final[Mapping[str, Standing]] = {"answered": "answered", "silence": "expired"}


class State(msgspec.Struct, frozen=True):
    """How an approval stands when somebody comes with a link; nothing more than its page says."""

    standing: Standing
    link: AnswerLink
    asked: Payload = {}
    decision: str | None = None
    client: str | None = None
    at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class AnswerLinks:
    key: str
    pool: asyncpg.Pool
    workers: Workers
    clock: Clock

    async def state(self, token: str) -> State:
        """Raises InvalidLink. An expired link tells nothing of what was asked."""
        return await self._state(opened(self.key, token))

    async def answer(self, token: str, attempt: str) -> State:
        """Give the answer, if it is still waited for. The same attempt once more counts once. Raises InvalidLink."""
        link = opened(self.key, token)
        before = await self._state(link)
        if before.standing != "open":
            return before
        command = SendRequest(
            request_id=_request_id(token, attempt),
            method=METHOD,
            params={"approval_id": link.approval_id, "decision": link.decision},
            requested_by={"owner": link.owner, "client": CLIENT, "token": None},
        )
        try:
            answer = (await self.workers.request(Call(link.owner, link.worker_id), command)).data
        except Rejection as error:
            return msgspec.structs.replace(before, standing="undelivered", reason=error.message)
        if answer["ok"]:
            return msgspec.structs.replace(before, standing="done", decision=link.decision, at=self.clock())
        return await self._refused(before, answer["response"])

    async def _refused(self, before: State, response: dict[str, Any]) -> State:
        """Somebody else was faster, or the worker did not hear of it."""
        after = await self._state(before.link)
        if after.standing != "open":
            return after
        reason = str(response.get("error", {}).get("message", ""))
        return msgspec.structs.replace(after, standing="undelivered", reason=reason)

    async def _state(self, link: AnswerLink) -> State:
        if link.expires_at <= self.clock():
            return State("expired", link)
        approval = await approvals.find(self.pool, link.owner, link.worker_id, link.approval_id)
        if approval.answered:
            return _ended(link, approval, approval.answered)
        asked = approval.asked.payload if approval.asked else {}
        return State("open" if await self._is_open(link) else "withdrawn", link, asked)

    async def _is_open(self, link: AnswerLink) -> bool:
        try:
            worker = (await self.workers.existing(Call(link.owner, link.worker_id))).state
        except Rejection:
            return False
        return worker.status == "running" and worker.approvals.get(link.approval_id, self.clock()) > self.clock()


def _ended(link: AnswerLink, approval: Approval, answered: Told) -> State:
    told, asked = answered.payload, approval.asked.payload if approval.asked else {}
    client = told.get("answered_by", {}).get("client")
    return State(_CAUSES.get(told["cause"], "withdrawn"), link, asked, told["decision"], client, answered.at)


def _request_id(token: str, attempt: str) -> str:
    return f"answer:{hashlib.sha256(f'{token} {attempt}'.encode()).hexdigest()[:32]}"
