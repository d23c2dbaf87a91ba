"""An approval that a worker waits for, and a daemon that takes answers as the real one does."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.answer_links import AnswerLink, Decision, sealed
from schemas.names import user_owner
from schemas.times import iso6
from tests.nodes import SETTINGS, Node

KEY = SETTINGS.outlets.answer_link_key


@dataclass
class Question:
    """An approval that a worker of ada's waits for, and how often it was answered."""

    here: Node
    worker_id: str
    answers: int = 0

    def link(self, decision: Decision = "accept", **seconds: float) -> str:
        expires_s = int((datetime.now(UTC) + timedelta(**seconds or {"seconds": 300})).timestamp())
        return "/answer/" + sealed(KEY, AnswerLink(self.owner, self.worker_id, "ap-1", decision, expires_s))

    @property
    def owner(self) -> str:
        return user_owner(self.here.ada.user_id)

    async def say(self, event_type: str, **payload: Any) -> None:
        event = {"event": {"event_type": event_type, "payload": payload}}
        path = f"/runtime/codex/workers/{self.worker_id}/events"
        (await self.here.ada.public("POST", path, json=event)).raise_for_status()

    async def answered(self, decision: str, cause: str = "answered", **by: Any) -> None:
        await self.say("worker.approval.answered", approval_id="ap-1", decision=decision, cause=cause, **by)

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        """Takes answers as the worker's daemon does: the first one counts."""
        task = asyncio.create_task(self._serve())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _serve(self) -> None:
        """Each request once, in order."""
        seq = 0
        path = f"/runtime/codex/workers/{self.worker_id}/events"
        while True:
            page = (await self.here.ada.public("GET", path, params={"after": seq, "limit": 200})).json()["data"]
            for event in page["events"]:
                seq = event["seq"]
                if event["event_type"] == "worker.request.received":
                    await self._take(event["payload"])
            await asyncio.sleep(0.02)

    async def _take(self, request: dict[str, Any]) -> None:
        self.answers += 1
        request_id, told = request["request_id"], request["params"]
        if self.answers == 1:
            by = {"answered_by": request["requested_by"], "request_id": request_id}
            await self.answered(told["decision"], **by)
            await self.say("worker.response", request_id=request_id, response={"result": told})
        else:
            error = {"code": -32602, "message": "was answered"}
            await self.say("worker.error", request_id=request_id, response={"error": error})


async def asked(here: Node) -> Question:
    """By a new worker of ada's, whose daemon takes requests."""
    question = Question(here, f"w:{uuid.uuid4().hex[:8]}")
    created = await here.ada.public("POST", "/runtime/codex/workers", json={"worker_id": question.worker_id})
    created.raise_for_status()
    await question.say("worker.heartbeat", source="autopilot-desktop", daemon="on", accepts_requests=True)
    ids = {"thread_id": "th", "turn_id": "t", "item_id": "i"}
    until = iso6(datetime.now(UTC) + timedelta(minutes=5))
    about = {"command": "make deploy <now>", "cwd": "/home/ada/site", "reason": "it is asked for"}
    choices = ["accept", "accept_for_thread", "deny"]
    told = {"approval_id": "ap-1", "kind": "command", **ids, "choices": choices, "expires_at": until, **about}
    await question.say("worker.approval.requested", **told)
    return question
