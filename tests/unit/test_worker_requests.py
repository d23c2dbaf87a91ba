"""What a daemon does with a request and with what the log says, without a Codex."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from oa_client.worker.approvals import Approvals, Approve
from oa_client.worker.inbox import Request, RequestRefused
from oa_client.worker.requests import Requests
from oa_client.worker.spend import Spend
from oa_client.worker.turns import TurnSettings
from oa_client.workers import Limits, Payload, WorkerEvent

from tests.unit.test_worker_approvals import COMMAND, NOON, OWNER
from tests.unit.test_worker_spend import Facts

LATER = "2026-11-22T12:00:15Z"


class Away:
    """A Codex that does not come back."""

    async def ready(self) -> Any:
        await asyncio.Event().wait()


_CALL = {"inputTokens": 7, "totalTokens": 7}
ONE_CALL = {"total": _CALL, "last": _CALL}


class Daemon:
    def __init__(self) -> None:
        self.now = NOON
        self.events: list[tuple[str, Payload]] = []
        self.approvals = Approvals(Approve.ASK, timedelta(minutes=10), "s1", note=self._note, now=lambda: self.now)
        self.spend = Spend(Facts(), Limits(), note=self._note, interrupt=lambda *_: None, now=lambda: self.now)
        settings = TurnSettings(Path("/desk"), "workspace-write", Approve.ASK)
        self.requests = Requests(Away(), settings, self.approvals, self.spend, may_exec=False, now=lambda: self.now)

    def _note(self, event_type: str, payload: Payload) -> None:
        self.events.append((event_type, payload))

    async def handle(self, method: str, params: Any = None, deadline: str = LATER) -> Any:
        return await self.requests.handle(Request("r1", method, params, deadline, OWNER))

    def leaves(self, approval_id: str) -> bool:
        params = {"approval_id": approval_id, "decision": "accept"}
        return self.requests.leaves(Request("r1", "approval/answer", params, LATER, OWNER))

    def hears(self, event_type: str, **payload: Any) -> None:
        self.requests.heard(WorkerEvent("desktopw:shared", 5, event_type, payload, LATER))


async def test_an_answer_to_an_approval_tells_who_gave_it() -> None:
    daemon = Daemon()
    codex = asyncio.create_task(daemon.approvals.decide(COMMAND))
    await asyncio.sleep(0)
    approval_id = daemon.events[0][1]["approval_id"]
    await daemon.handle("approval/answer", {"approval_id": approval_id, "decision": "accept"})
    assert await codex == {"decision": "accept"}
    assert (daemon.events[1][1]["answered_by"], daemon.events[1][1]["request_id"]) == (OWNER, "r1")


async def test_limits_are_set_by_somebody() -> None:
    daemon = Daemon()
    assert await daemon.handle("limits/set", {"turn_tokens": 9}) == {"turn_tokens": 9, "day_tokens": None}
    assert daemon.events == [("worker.limits.set", {"turn_tokens": 9, "set_by": OWNER})]


async def test_without_a_codex_nothing_waits_beyond_its_deadline() -> None:
    daemon = Daemon()
    daemon.now = datetime(2026, 11, 22, 12, 0, 14, 990_000, tzinfo=UTC)
    with pytest.raises(RequestRefused) as refusal:
        await daemon.handle("thread/list")
    assert refusal.value.code == -32003


async def test_what_is_over_already_is_not_begun() -> None:
    daemon = Daemon()
    with pytest.raises(RequestRefused) as refusal:
        await daemon.handle("turn/interrupt", deadline="2026-11-22T11:59:59Z")
    assert refusal.value.code == -32003


async def test_limits_that_another_daemon_was_told_hold_here_too() -> None:
    daemon = Daemon()
    daemon.hears("worker.limits.set", turn_tokens=9)
    assert (daemon.spend.limits, daemon.events) == (Limits(turn_tokens=9), [])


async def test_a_daemon_hears_that_a_budget_pays() -> None:
    daemon = Daemon()
    daemon.hears("worker.charging.set", authorization_id="auth_desk")
    for method, params in (
        ("thread/started", {"thread": {"id": "t1", "preview": ""}}),
        ("turn/started", {"threadId": "t1", "turn": {"id": "u1"}}),
        ("thread/tokenUsage/updated", {"threadId": "t1", "turnId": "u1", "tokenUsage": ONE_CALL}),
    ):
        daemon.spend.notice({"method": method, "params": params})
    assert daemon.events == [("worker.turn.metered", {"thread_id": "t1", "turn_id": "u1", "total_tokens": 7})]


async def test_an_approval_that_another_daemon_denied_is_denied_here_too() -> None:
    daemon = Daemon()
    codex = asyncio.create_task(daemon.approvals.decide(COMMAND))
    await asyncio.sleep(0)
    asked = daemon.events[0][1]["approval_id"]
    daemon.hears("worker.approval.answered", approval_id=asked, decision="deny", cause="daemon_restarted")
    assert await codex == {"decision": "decline"}
    assert len(daemon.events) == 1


async def test_what_another_daemon_asked_is_answered_by_that_one() -> None:
    daemon = Daemon()
    codex = asyncio.create_task(daemon.approvals.decide(COMMAND))
    await asyncio.sleep(0)
    mine, theirs = daemon.events[0][1]["approval_id"], "s0:approval:1"
    for approval_id in (mine, theirs):
        daemon.hears("worker.approval.requested", approval_id=approval_id)
    assert [daemon.leaves(mine), daemon.leaves(theirs), daemon.leaves("never asked")] == [False, True, False]
    daemon.hears("worker.approval.answered", approval_id=theirs, decision="deny", cause="silence")
    assert not daemon.leaves(theirs)
    codex.cancel()
    await asyncio.gather(codex, return_exceptions=True)
