"""Runs over the signed API of a real edge, with nobody who executes them (runtime §2.3–2.9, §2.17, §2.18, §13)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest

from edge.auth.request_token import HEADER
from producers import ownership, runs
from producers.eventlog.commands import Item, Part
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.runs import AppendRunEvent
from schemas import hashing
from schemas.names import inbox_stream, run_stream, user_owner
from tests.nodes import Node, node, signed_token
from tests.run_calls import RunCalls, run_frames

Pool = asyncpg.Pool
DELTAS = [("run.delta", {"delta": f"{n} ", "frame_id": f"f-{n}"}) for n in range(20)]
FINISHED = ("run.finished", {"status": "succeeded", "reason_class": "completed", "reason": "completed"})


@pytest.fixture
async def here(pool: "Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


@pytest.fixture
async def run(here: Node, request: pytest.FixtureRequest) -> RunCalls:
    """A run of Ada's that was just created."""
    calls = RunCalls(here.ada, f"run_{request.node.name[:200]}")
    assert (await calls.create()).status_code == 202
    return calls


async def told(log: EventLog, run: RunCalls, *events: tuple[str, dict[str, Any]]) -> None:
    """What an operator, or a tool, appends to the run."""
    part = Part(run_stream(run.run_id), user_owner(run.caller.user_id), runs.DECIDER)
    rules, parts = ownership.owned(run.run_id, part)
    for event in events:
        await log.execute_together(rules, parts, [Item(AppendRunEvent(*event))])


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# --- creating, and who may ------------------------------------------------------------------------------------------


async def test_a_run_is_created_once_and_returned_afterwards(here: Node) -> None:
    """DEC-2, DEC-1: a run without events is `created`, and says so."""
    run = RunCalls(here.ada, "run_created")
    first, second = await run.create(), await run.create()
    assert (first.status_code, second.status_code) == (202, 200)
    known = {"runId": "run_created", "threadId": "thr_demo", "status": "created", "latestSeq": 0}
    updated_at = first.json()["updatedAt"]
    assert len(updated_at) == len("2026-01-01T00:00:00Z")
    assert first.json() == known | {"updatedAt": updated_at, "idempotentReplay": False}
    assert second.json() == known | {"updatedAt": updated_at, "idempotentReplay": True}
    assert await run.snapshot() == known | {"updatedAt": updated_at}


async def test_a_run_without_an_id_gets_one(here: Node) -> None:
    """DEC-2."""
    answer = await here.ada.signed("POST", "/runs", claims={"thread_id": "t"}, json={"thread_id": "t"})
    assert answer.status_code == 202
    assert answer.json()["runId"].startswith("run_")


@pytest.mark.invariant("I8")
async def test_a_run_belongs_to_who_created_it(here: Node, run: RunCalls) -> None:
    """DEC-2, runtime §2.3."""
    bobs = RunCalls(here.bob, run.run_id)
    assert refused(await bobs.create()) == (403, "forbidden")
    for answer in (
        *(await bobs.get("snapshot"), await bobs.get("stream"), await bobs.frame("f-1"), await bobs.cancel()),
    ):
        assert refused(answer) == (403, "forbidden")


async def test_a_run_is_found_in_its_thread_only(here: Node, run: RunCalls) -> None:
    """Runtime §2.3: ownership is looked up by run and thread."""
    elsewhere = RunCalls(here.ada, run.run_id, "thr_other")
    assert refused(await elsewhere.get("snapshot")) == (404, "not_found")
    assert refused(await elsewhere.create()) == (409, "conflict")
    assert refused(await RunCalls(here.ada, "run_nobodys").frame("f-1")) == (404, "not_found")


async def test_a_guest_has_runs_and_a_user_id_alone_decides(here: Node) -> None:
    """Runtime §2.3: the guest scope is no fallback."""

    async def snapshot(**principal: Any) -> int:
        bound = {"run_id": "run_guests", "thread_id": "t"}
        headers = {HEADER: signed_token(**bound, **principal)}
        if "guest_scope" in principal:
            headers["x-oa-guest-scope"] = principal["guest_scope"]
        if "user_id" in principal:
            headers["x-oa-user-id"] = str(principal["user_id"])
        url = "/internal/v1/runs/run_guests/snapshot?thread_id=t"
        return (await here.http.get(url, headers=headers)).status_code

    token = signed_token(run_id="run_guests", thread_id="t", guest_scope="g:1")
    headers = {HEADER: token, "x-oa-guest-scope": "g:1"}
    created = await here.http.post(
        "/internal/v1/runs", json={"run_id": "run_guests", "thread_id": "t"}, headers=headers
    )
    assert created.status_code == 202
    assert await snapshot(guest_scope="g:1") == 200
    assert await snapshot(guest_scope="g:2") == 403
    assert await snapshot(guest_scope="g:1", user_id=here.ada.user_id) == 403
    assert await snapshot(guest_scope="g:1", user_id=0) == 403
    assert await snapshot() == 401


async def test_a_new_run_belongs_to_somebody(here: Node) -> None:
    """DEC-2: the owner is the principal, and user 0 is nobody."""
    headers = {HEADER: signed_token(user_id=0, thread_id="t"), "x-oa-user-id": "0"}
    answer = await here.http.post("/internal/v1/runs", json={"thread_id": "t"}, headers=headers)
    assert refused(answer) == (401, "unauthorized")


async def test_the_token_is_bound_to_run_and_thread(here: Node, run: RunCalls) -> None:
    """Runtime §2.2: the run of the path, the thread of query or body."""
    for claims in ({"run_id": "run_other"}, {"thread_id": "thr_other"}, {"run_id": None}, {"thread_id": None}):
        for answer in (
            await run.call("GET", f"/{run.run_id}/snapshot?thread_id=thr_demo", claims),
            await run.call("POST", f"/{run.run_id}/cancel", claims, json={"thread_id": "thr_demo"}),
        ):
            assert refused(answer) == (403, "forbidden")


async def test_what_the_query_says_is_what_the_token_is_checked_for_and_what_counts(here: Node, run: RunCalls) -> None:
    """Runtime §2.2: a body cannot name another thread than the one that was checked."""
    answer = await run.call("POST", f"/{run.run_id}/cancel?thread_id=thr_demo", json={"thread_id": "thr_other"})
    assert answer.status_code == 202
    theirs = RunCalls(here.bob, "run_theirs")
    await theirs.create()
    answer = await run.call("POST", f"?run_id={run.run_id}", json={"run_id": "run_theirs", "thread_id": "thr_demo"})
    assert (answer.status_code, answer.json()["runId"]) == (200, run.run_id)


@pytest.mark.parametrize(
    ("thread_id", "principal", "run_id", "cursor", "status"),
    [
        (None, False, "run_nobodys", "x", 400),
        ("thr_demo", False, "run_nobodys", "x", 401),
        ("thr_demo", True, "run_nobodys", "x", 404),
        ("thr_demo", True, "run_bobs_own", "x", 403),
        ("thr_demo", True, None, "x", 400),
        ("thr_demo", True, None, "0", 200),
    ],
)
async def test_checks_are_made_in_the_contracts_order(
    here: Node, run: RunCalls, thread_id: str | None, principal: bool, run_id: str | None, cursor: str, status: int
) -> None:
    """Runtime §2.4: thread, principal, ownership, cursor."""
    await RunCalls(here.bob, "run_bobs_own").create()
    run_id = run_id or run.run_id
    user_id = here.ada.user_id if principal else None
    headers = {HEADER: signed_token(run_id=run_id, thread_id="thr_demo", user_id=user_id)}
    if principal:
        headers["x-oa-user-id"] = str(here.ada.user_id)
    query = {"cursor": cursor, "tail_ms": "1"} | ({"thread_id": thread_id} if thread_id else {})
    answer = await here.http.get(f"/internal/v1/runs/{run_id}/stream", params=query, headers=headers)
    assert answer.status_code == status, answer.text


async def test_a_token_comes_before_the_thread(here: Node, run: RunCalls) -> None:
    """Runtime §2.4."""
    answer = await here.http.get(f"/internal/v1/runs/{run.run_id}/snapshot")
    assert refused(answer) == (401, "unauthorized")


# --- frames ---------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I6")
async def test_a_frame_its_repetition_and_conflicts(run: RunCalls) -> None:
    """Runtime A.1, §1.10, §2.7."""
    accepted = {"runId": run.run_id, "frameId": "f-1", "status": "accepted"}
    for status, replay in ((202, False), (200, True)):
        answer = await run.frame("f-1", payload={"text": "Bonjour"})
        assert (answer.status_code, answer.json()) == (status, accepted | {"idempotentReplay": replay})
    assert refused(await run.frame("f-1", payload={"text": "Salut"})) == (409, "conflict")
    assert refused(await run.frame("f-1", "tool_result", {"text": "Bonjour"})) == (409, "conflict")


async def test_when_a_frame_occurred_makes_no_difference(run: RunCalls) -> None:
    """Runtime §1.3: `occurred_at` is not part of the comparison."""
    first = await run.post("frames", frame_id="f-1", type="note", occurred_at="2026-01-01T00:00:00.5Z")
    again = await run.post("frames", frame_id="f-1", type="note", payload={}, occurred_at=None)
    assert (first.status_code, again.status_code) == (202, 200)


async def test_the_inbox_keeps_frames_as_they_were_sent(run: RunCalls, pool: "Pool[Any]") -> None:
    """DEC-42, runtime §1.3: `payload_hash` is H(payload); the order of keys stays."""
    payload = {"z": "call +1 555 123 4567", "a": {"token": "secret"}}
    await run.post("frames", frame_id="f-1", type="user_message", payload=payload, occurred_at="2026-01-01T00:00:00Z")
    [frame] = await LogReader(pool).read_stream(inbox_stream(run.run_id), 0, 10)
    assert frame.payload == {
        "frame_id": "f-1",
        "frame_type": "user_message",
        "payload": payload,
        "payload_hash": hashing.hex_digest(payload),
        "occurred_at": "2026-01-01T00:00:00Z",
    }
    assert list(frame.payload["payload"]) == ["z", "a"]


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
async def test_a_run_that_has_ended_still_takes_frames(run: RunCalls, log: EventLog, status: str) -> None:
    """Runtime §1.3."""
    await told(log, run, ("run.finished", {"status": status}))
    assert [(await run.frame("f-late")).status_code for _ in range(2)] == [202, 200]
    assert (await run.snapshot())["status"] == status


async def test_frames_of_other_runs_have_identities_of_their_own(here: Node, run: RunCalls) -> None:
    """Runtime §1.10: the identity is run and frame id."""
    other = RunCalls(here.ada, f"{run.run_id[:200]}_other")
    await other.create()
    assert (await run.frame("f-1", payload={"n": 1})).status_code == 202
    assert (await other.frame("f-1", payload={"n": 2})).status_code == 202


@pytest.mark.invariant("I6")
async def test_a_frames_identity_is_kept_for_ever(run: RunCalls, pool: "Pool[Any]") -> None:
    """DESIGN §4: retention forgets identities of ingested events only."""
    await run.frame("f-1")
    [scope] = await pool.fetch("select scope from commands where key = 'f-1' and scope like '%' || $1", run.run_id)
    assert not scope["scope"].startswith("event:")


async def test_thirty_frames_at_once_are_in_the_inbox_in_one_order_without_a_gap(
    run: RunCalls, pool: "Pool[Any]"
) -> None:
    """Runtime §13: 30 parallel frame posts keep seq contiguous; half of them are posted twice."""
    ids = [f"f-{n}" for n in range(30)]
    answers = await asyncio.gather(*(run.frame(frame_id) for frame_id in ids + ids[:15]))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [202] * 30
    frames = await LogReader(pool).read_stream(inbox_stream(run.run_id), 0, 100)
    assert [frame.seq for frame in frames] == list(range(1, 31))
    assert {frame.payload["frame_id"] for frame in frames} == set(ids)


# --- cancel ---------------------------------------------------------------------------------------------------------


async def test_a_run_is_canceled_once(run: RunCalls) -> None:
    """Runtime §2.8, §1.5: a run that nothing has happened in may be canceled."""
    first = await run.cancel(reason="enough")
    answer = {"runId": run.run_id, "status": "canceling", "cancelRequested": True}
    assert (first.status_code, first.json()) == (202, answer | {"idempotentReplay": False})
    again = await run.cancel(reason="another reason")
    assert (again.status_code, again.json()) == (200, answer | {"idempotentReplay": True})
    [(seq, event)] = await run.frames_above(0)
    assert (seq, event["eventType"]) == (1, "run.cancel_requested")
    assert (event["payload"]["reason"], event["payload"]["requested_by"]) == ("enough", "control_plane")


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
async def test_canceling_what_has_ended_says_how(run: RunCalls, log: EventLog, status: str) -> None:
    """Runtime §2.8."""
    await told(log, run, ("run.finished", {"status": status}))
    answer = await run.cancel()
    assert (answer.status_code, answer.json()["status"], answer.json()["idempotentReplay"]) == (200, status, True)
    assert (await run.snapshot())["latestSeq"] == 1


async def test_of_thirty_first_cancels_one_is_the_first(here: Node, run: RunCalls, pool: "Pool[Any]") -> None:
    """DEC-8, on two nodes: exactly one 202 and one event."""
    async with node(pool) as there:
        callers = [here.ada, there.ada] * 15
        calls = [RunCalls(caller, run.run_id) for caller in callers]
        answers = await asyncio.gather(*(call.cancel() for call in calls))
    assert sorted(answer.status_code for answer in answers) == [200] * 29 + [202]
    assert {answer.json()["status"] for answer in answers} == {"canceling"}
    assert [seq for seq, _ in await run.frames_above(0)] == [1]


# --- read your writes, streams --------------------------------------------------------------------------------------


async def test_after_a_cancel_the_next_request_knows_of_it(here: Node, run: RunCalls, pool: "Pool[Any]") -> None:
    """Runtime §2.18, also when another node serves the next request."""
    async with node(pool) as there:
        elsewhere = RunCalls(there.ada, run.run_id)
        assert (await run.frame("f-1")).status_code == 202
        assert (await elsewhere.frame("f-1")).status_code == 200
        assert (await run.cancel()).status_code == 202
        assert (await elsewhere.snapshot())["status"] == "canceling"
        assert [seq for seq, _ in await elsewhere.frames_above(0)] == [1]
        assert (await elsewhere.cancel()).status_code == 200


async def test_a_snapshot_is_as_old_as_the_last_event(run: RunCalls, pool: "Pool[Any]") -> None:
    """DEC-33, DEC-1: what is appended moves `updatedAt`, by whole seconds (runtime §0.3)."""
    later = EventLog(pool, clock=lambda: datetime(2040, 1, 1, 12, 30, 15, 999_999, tzinfo=UTC))
    await told(later, run, ("run.started", {}), ("note", {}))
    await later.close()
    snapshot = await run.snapshot()
    assert (snapshot["status"], snapshot["latestSeq"], snapshot["updatedAt"]) == ("running", 2, "2040-01-01T12:30:15Z")


async def test_a_whole_run_as_a_client_sees_it(run: RunCalls, log: EventLog) -> None:
    """Runtime A.2, §2.17, DEC-15, DEC-17: each type has its frame; unknown ones and unknown reasons stream on."""
    result = {"tool_call_id": "tc", "status": "failed", "state": "failed", "reason_code": "policy_denied.nobody_knows"}
    end = {"status": "succeeded", "reason_class": "completed", "reason": "completed", "frame_id": "f-3"}
    note = {"frame_id": "f-2", "frame_type": "note", "payload": {"k": 1}}
    await told(
        log,
        run,
        ("run.started", {}),
        ("run.delta", {"delta": "Bon", "frame_id": "f-1"}),
        ("text.delta", {"text": "jour"}),
        ("text.delta", {}),
        ("tool.call", {"tool_call_id": "tc", "tool_name": "t", "input": {}}),
        ("tool.result", result),
        ("run.frame_consumed", note),
        ("operator.note", {"b": 1, "a": 2}),
        ("run.finished", end),
    )
    told_of = {"runId": run.run_id}
    delta = {"type": "text-delta"} | told_of
    event = {"type": "event"} | told_of
    assert await run.frames_above(0) == [
        (1, {"type": "start", "meta": {}} | told_of),
        (2, delta | {"delta": "Bon"}),
        (3, delta | {"delta": "jour"}),
        (4, delta | {"delta": ""}),
        (5, {"type": "tool-call", "toolCall": {"tool_call_id": "tc", "tool_name": "t", "input": {}}} | told_of),
        (6, {"type": "tool-result", "toolResult": result} | told_of),
        (7, event | {"eventType": "run.frame_consumed", "payload": note}),
        (8, event | {"eventType": "operator.note", "payload": {"b": 1, "a": 2}}),
        (9, {"type": "finish", "meta": end} | told_of),
        (9, "[DONE]"),
    ]


async def test_cursors_of_a_runs_stream(run: RunCalls, log: EventLog) -> None:
    """Runtime §2.17: rules 1 to 4, and cursors above the latest seq."""
    await told(log, run, *DELTAS[:3])

    async def seqs(headers: dict[str, str] | None = None, **query: Any) -> list[int]:
        answer = await run.get("stream", params={"tail_ms": 1} | query, headers=headers or {})
        assert answer.status_code == 200, answer.text
        return [seq for seq, _ in run_frames(answer.text)]

    assert await seqs() == []
    assert await seqs(cursor=1) == [2, 3]
    assert await seqs({"last-event-id": "0"}) == [1, 2, 3]
    assert await seqs({"last-event-id": "2"}, cursor=2) == [3]
    assert await seqs(cursor=99) == []
    for headers, query in (
        ({"last-event-id": "0"}, {"cursor": 1}),
        ({}, {"cursor": -1}),
        ({"last-event-id": "x"}, {}),
        ({}, {"tail_ms": 0}),
        ({}, {"tail_ms": "1.5"}),
    ):
        assert refused(await run.get("stream", params=query, headers=headers)) == (400, "invalid_request")


@pytest.mark.invariant("I8")
async def test_eight_slow_streams_see_the_same_complete_sequence_and_its_end(run: RunCalls, log: EventLog) -> None:
    """Runtime §13: they read while the run goes on, and stay open after `[DONE]` (DEC-16)."""
    async with asyncio.TaskGroup() as group:
        streams = [group.create_task(slowly_read(run)) for _ in range(8)]
        await told(log, run, *DELTAS, FINISHED)
        seen = [await stream for stream in streams]
    expected = [(seq, f"{seq - 1} ") for seq in range(1, 21)]
    for frames in seen:
        assert [(seq, data["delta"]) for seq, data in frames[:-2]] == expected
        assert [(seq, data if data == "[DONE]" else data["type"]) for seq, data in frames[-2:]] == [
            (21, "finish"),
            (21, "[DONE]"),
        ]


async def slowly_read(run: RunCalls) -> list[tuple[int, Any]]:
    """A character at a time, until `[DONE]`."""
    text = ""
    token = signed_token(user_id=run.caller.user_id, run_id=run.run_id, thread_id=run.thread_id)
    headers = {HEADER: token, "x-oa-user-id": str(run.caller.user_id)}
    query = {"thread_id": run.thread_id, "cursor": "0", "tail_ms": "20000"}
    url = f"/internal/v1/runs/{run.run_id}/stream"
    async with run.caller.http.stream("GET", url, params=query, headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert (stream.headers["cache-control"], stream.headers["x-accel-buffering"]) == ("no-cache", "no")
        async for chunk in stream.aiter_text(chunk_size=1):
            text += chunk
            await asyncio.sleep(0)
            if text.endswith("data: [DONE]\n\n"):
                break
    return run_frames(text)


async def test_a_tailing_stream_delivers_an_append_within_its_window(run: RunCalls, log: EventLog) -> None:
    """Runtime §2.18, DEC-16: the stream is open before the event is there, and closes at its deadline."""
    tailing = asyncio.create_task(run.frames_above(0, tail_ms=1500))
    await told(log, run, FINISHED)
    assert [seq for seq, _ in await tailing] == [1, 1]


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"frame_id": "f" * 256}, 400),
        ({"frame_id": "a\x00b"}, 400),
        ({"frame_id": " "}, 400),
        ({"type": "t" * 256}, 400),
        ({"type": "a\x1fb"}, 400),
        ({"payload": [1]}, 400),
        ({"payload": "text"}, 400),
        ({"occurred_at": "soon"}, 400),
        ({"thread_id": 5}, 400),
        ({"thread_id": ["thr_demo"]}, 400),
        ({"thread_id": "t" * 256}, 400),
        ({"payload": {"text": "x" * 530_000}}, 413),
    ],
)
async def test_bad_frames_are_refused_and_nothing_is_written(
    run: RunCalls, pool: "Pool[Any]", fields: dict[str, Any], status: int
) -> None:
    """DEC-18, DEC-19, DEC-49."""
    body = {"thread_id": "thr_demo", "frame_id": "f-1", "type": "note"} | fields
    claims = {"thread_id": body["thread_id"]} if isinstance(body["thread_id"], str) else {}
    answer = await run.call("POST", f"/{run.run_id}/frames", claims, json=body)
    assert refused(answer) == (status, "invalid_request")
    assert await LogReader(pool).read_stream(inbox_stream(run.run_id), 0, 10) == []


@pytest.mark.parametrize("run_id", ["r" * 256, "a\x07b", "a/b", " "])
async def test_a_bad_run_id_is_refused(here: Node, run_id: str) -> None:
    """DEC-18, DEC-49."""
    assert refused(await RunCalls(here.ada, run_id).create()) == (400, "invalid_request")
