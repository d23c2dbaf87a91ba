"""What Codex asks before it acts: how it is told, who may answer, and what silence means."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from oa_client.worker.approvals import Approvals, Approve
from oa_client.worker.inbox import RequestRefused
from oa_client.worker.methods import Decision
from oa_client.workers import Payload

from producers import worker_events

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OWNER = {"owner": "user:41", "client": "autopilot-ios", "token": "7"}
COMMAND: Payload = {
    "id": 3,
    "method": "item/commandExecution/requestApproval",
    "params": {"threadId": "t1", "turnId": "u1", "itemId": "i1", "command": "touch a", "cwd": "/desk"},
}
FILE_CHANGE: Payload = {
    "id": 4,
    "method": "item/fileChange/requestApproval",
    "params": {"threadId": "t1", "turnId": "u1", "itemId": "i2", "reason": "needs it"},
}


class Desk:
    """The approvals of one daemon whose events a test can see."""

    def __init__(self, approve: Approve = Approve.ASK, timeout: timedelta = timedelta(minutes=10)) -> None:
        self.now = NOON
        self.events: list[tuple[str, Payload]] = []
        self.asked: list[asyncio.Task[Payload | None]] = []
        self.approvals = Approvals(
            approve,
            timeout,
            "s2",
            note=self._note,
            now=lambda: self.now,
        )

    def _note(self, event_type: str, payload: Payload) -> None:
        assert worker_events.typed(event_type, payload), "the server takes it"
        self.events.append((event_type, payload))

    async def ask(self, request: Payload = COMMAND) -> str:
        """The id of the approval that Codex now waits for."""
        known = len(self.events)
        self.asked.append(asyncio.create_task(self.approvals.decide(request)))
        while len(self.events) == known:  # noqa: ASYNC110 - the task runs when this one does not
            await asyncio.sleep(0)
        return str(self.events[-1][1]["approval_id"])

    def answer(self, approval_id: str, decision: Decision) -> Payload:
        return self.approvals.answer(approval_id, decision, request_id="r1", answered_by=OWNER)

    def refused(self, approval_id: str, decision: Decision = "accept") -> str:
        with pytest.raises(RequestRefused) as refusal:
            self.answer(approval_id, decision)
        return str(refusal.value)

    def shows(self, method: str, **params: Any) -> None:
        self.approvals.notice({"method": method, "params": params})

    @property
    def answers(self) -> list[Payload]:
        return [payload for event_type, payload in self.events if event_type == "worker.approval.answered"]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    for task in made.asked:
        task.cancel()
    await asyncio.gather(*made.asked, return_exceptions=True)


async def test_a_command_that_codex_asks_about_is_told_with_its_choices(desk: Desk) -> None:
    await desk.ask()
    assert desk.events == [
        (
            "worker.approval.requested",
            {
                "approval_id": "s2:approval:1",
                "kind": "command",
                "thread_id": "t1",
                "turn_id": "u1",
                "item_id": "i1",
                "choices": ["accept", "accept_for_thread", "deny"],
                "command": "touch a",
                "cwd": "/desk",
                "expires_at": "2026-11-22T12:10:00.000000Z",
            },
        )
    ]


async def test_a_file_change_is_told_with_the_diffs_of_its_item(desk: Desk) -> None:
    change = {"path": "/desk/a", "kind": {"type": "add"}, "diff": "hello\n"}
    desk.shows("item/started", threadId="t1", item={"type": "fileChange", "id": "i2", "changes": [change]})
    await desk.ask(FILE_CHANGE)
    told = desk.events[0][1]
    assert (told["kind"], told["reason"]) == ("file_change", "needs it")
    assert told["changes"] == [{"path": "/desk/a", "kind": "add", "diff": "hello\n"}]


async def test_the_changes_of_other_items_are_not_told(desk: Desk) -> None:
    change = {"path": "/desk/a", "kind": {"type": "add"}, "diff": "hello\n"}
    desk.shows("item/started", threadId="t1", item={"type": "fileChange", "id": "i1", "changes": [change]})
    await desk.ask(FILE_CHANGE)
    assert desk.events[0][1]["changes"] == []


async def test_a_change_larger_than_an_event_is_cut_and_says_so(desk: Desk) -> None:
    changes = [{"path": f"/desk/{n}", "kind": {"type": "update"}, "diff": "ü" * 200_000} for n in range(300)]
    desk.shows("item/started", threadId="t1", item={"type": "fileChange", "id": "i2", "changes": changes})
    await desk.ask(FILE_CHANGE)
    told = desk.events[0][1]
    assert len(msgspec.json.encode(told)) < 400 * 1024
    assert told["changes"][0]["diff"].endswith("characters cut]")
    assert told["changes"][-1]["path"] == "… and 100 more files"


@pytest.mark.parametrize("request_", [COMMAND, FILE_CHANGE])
@pytest.mark.parametrize(
    ("decision", "told"),
    [("accept", "accept"), ("accept_for_thread", "acceptForSession"), ("deny", "decline")],
)
async def test_an_answer_reaches_codex_and_the_log(
    desk: Desk, request_: Payload, decision: Decision, told: str
) -> None:
    approval_id = await desk.ask(request_)
    assert desk.answer(approval_id, decision) == {"approval_id": "s2:approval:1", "decision": decision}
    assert await desk.asked[0] == {"decision": told}
    assert desk.answers == [
        {
            "approval_id": "s2:approval:1",
            "decision": decision,
            "cause": "answered",
            "answered_by": OWNER,
            "request_id": "r1",
        }
    ]


@pytest.mark.parametrize(
    ("decision", "told"),
    [("accept", "approved"), ("accept_for_thread", "approved_for_session"), ("deny", "denied")],
)
async def test_the_older_family_is_answered_in_its_own_words(desk: Desk, decision: Decision, told: str) -> None:
    params = {"conversationId": "t1", "callId": "i1", "command": ["touch", "a"], "cwd": "/desk"}
    approval_id = await desk.ask({"id": 5, "method": "execCommandApproval", "params": params})
    assert (desk.events[0][1]["command"], desk.events[0][1]["item_id"]) == ("touch a", "i1")
    desk.answer(approval_id, decision)
    assert await desk.asked[0] == {"decision": told}


async def test_the_older_family_carries_its_changes_itself(desk: Desk) -> None:
    changes = {"/desk/a": {"type": "add", "content": "hello"}, "/desk/b": {"type": "update", "unified_diff": "@@"}}
    params = {"conversationId": "t1", "callId": "i1", "fileChanges": changes}
    await desk.ask({"id": 5, "method": "applyPatchApproval", "params": params})
    assert desk.events[0][1]["changes"] == [
        {"path": "/desk/a", "kind": "add", "diff": "hello"},
        {"path": "/desk/b", "kind": "update", "diff": "@@"},
    ]


async def test_the_first_answer_decides(desk: Desk) -> None:
    approval_id = await desk.ask()
    desk.answer(approval_id, "deny")
    assert "was answered: deny (answered)" in desk.refused(approval_id, "accept")
    assert await desk.asked[0] == {"decision": "decline"}
    assert len(desk.answers) == 1


async def test_what_was_never_asked_cannot_be_answered(desk: Desk) -> None:
    assert "no approval 'a7' is open here" in desk.refused("a7")
    assert desk.events == []


async def test_silence_denies() -> None:
    desk = Desk(timeout=timedelta(milliseconds=20))
    approval_id = await desk.ask()
    assert await desk.asked[0] == {"decision": "decline"}
    assert desk.answers == [{"approval_id": approval_id, "decision": "deny", "cause": "silence"}]
    assert "was answered: deny (silence)" in desk.refused(approval_id)


async def test_an_answer_after_its_time_is_too_late_also_when_the_machine_slept(desk: Desk) -> None:
    approval_id = await desk.ask()
    desk.now += timedelta(minutes=10)
    assert "silence" in desk.refused(approval_id)
    assert await desk.asked[0] == {"decision": "decline"}


async def test_an_interrupted_turn_denies_what_it_asked_and_nothing_else(desk: Desk) -> None:
    mine, other = await desk.ask(), await desk.ask({**COMMAND, "params": {**COMMAND["params"], "turnId": "u2"}})
    desk.shows("turn/completed", threadId="t1", turn={"id": "u1", "status": "interrupted"})
    assert await desk.asked[0] == {"decision": "decline"}
    assert desk.answers == [{"approval_id": mine, "decision": "deny", "cause": "interrupted"}]
    desk.answer(other, "accept")
    assert await desk.asked[1] == {"decision": "accept"}


async def test_a_codex_that_ends_takes_its_questions_with_it(desk: Desk) -> None:
    approval_id = await desk.ask()
    desk.asked[0].cancel()
    await asyncio.gather(*desk.asked, return_exceptions=True)
    assert desk.answers == [{"approval_id": approval_id, "decision": "deny", "cause": "interrupted"}]


async def test_what_an_earlier_daemon_asked_is_denied(desk: Desk) -> None:
    await desk.ask()
    desk.approvals.disown(["s2:approval:1", "s1:approval:1"])
    assert desk.answers == [{"approval_id": "s1:approval:1", "decision": "deny", "cause": "daemon_restarted"}]


async def test_what_the_log_says_of_an_open_approval_holds(desk: Desk) -> None:
    approval_id = await desk.ask()
    desk.approvals.heard({"approval_id": approval_id, "decision": "deny", "cause": "daemon_restarted"})
    assert await desk.asked[0] == {"decision": "decline"}
    assert desk.answers == []


async def test_a_question_that_must_be_asked_each_time_cannot_be_answered_for_the_thread(desk: Desk) -> None:
    approval_id = await desk.ask({**COMMAND, "params": {**COMMAND["params"], "kind": "humanCommand"}})
    assert "does not offer" in desk.refused(approval_id, "accept_for_thread")
    desk.answer(approval_id, "accept")
    assert await desk.asked[0] == {"decision": "accept"}


def running(*words: str, thread: str = "t1", proposes: bool = True, **params: str) -> Payload:
    proposed = {"proposedExecpolicyAmendment": list(words)} if proposes else {}
    about = {"threadId": thread, "turnId": "u1", "itemId": "i1", "command": " ".join(words)}
    return {"id": 9, "method": COMMAND["method"], "params": {**about, **proposed, **params}}


ALLOWED = [
    (running("touch", "a"), running("touch", "b"), True),
    (running("touch", "a"), running("rm", "a"), False),
    (running("touch", "a"), running("touch", "b", thread="t2"), False),
    (running("touch", "a"), running("touch", "b", kind="humanCommand"), False),
    (running("touch", "a"), running("touch", "a", "&&", "rm", "a", proposes=False), False),
    (running("touch", "a", proposes=False), running("touch", "a", proposes=False), True),
    (running("touch", "a", proposes=False), running("touch", "b", proposes=False), False),
    (running("/usr/bin/python3", "a.py"), running("/usr/bin/python3", "b.py"), False),
    (FILE_CHANGE, {**FILE_CHANGE, "params": {**FILE_CHANGE["params"], "itemId": "i9"}}, True),
    (FILE_CHANGE, running("touch", "a"), False),
]


@pytest.mark.parametrize(("first", "later", "is_allowed"), ALLOWED)
async def test_accepting_for_a_thread_allows_its_kind_there(
    desk: Desk, first: Payload, later: Payload, is_allowed: bool
) -> None:
    desk.answer(await desk.ask(first), "accept_for_thread")
    assert await desk.asked[0] == {"decision": "acceptForSession"}
    known = len(desk.events)
    if is_allowed:
        assert await desk.approvals.decide(later) == {"decision": "accept"}
    else:
        await desk.ask(later)
    assert (len(desk.events) == known) == is_allowed


@pytest.mark.parametrize("decision", ["accept", "deny"])
async def test_other_answers_are_for_once(desk: Desk, decision: Decision) -> None:
    desk.answer(await desk.ask(), decision)
    assert await desk.ask() == "s2:approval:2"


@pytest.mark.parametrize(("approve", "told"), [(Approve.ALL, "accept"), (Approve.NEVER, "decline")])
async def test_with_a_standing_answer_nobody_is_asked(approve: Approve, told: str) -> None:
    desk = Desk(approve)
    assert await desk.approvals.decide(COMMAND) == {"decision": told}
    assert desk.events == []


async def test_other_requests_of_codex_are_not_ours(desk: Desk) -> None:
    assert await desk.approvals.decide({"id": 1, "method": "item/tool/call", "params": {}}) is None
