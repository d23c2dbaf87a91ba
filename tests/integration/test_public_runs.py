"""Runs on the public API: the same runs as on the signed one, named by their id alone (docs/runs.md; DESIGN §8)."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from ops.run_records import RunRecords
from tests.nodes import Caller, Node, node
from tests.run_calls import RunCalls, run_frames
from tests.spend_calls import SpendCalls

Pool = asyncpg.Pool
RUNS = "/runtime/runs"


@pytest.fixture
async def here(pool: "Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


@pytest.fixture
def run_id(request: pytest.FixtureRequest) -> str:
    return f"run:{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"


async def created(caller: Caller, run_id: str, **fields: Any) -> dict[str, Any]:
    answer = await caller.public("POST", RUNS, json={"run_id": run_id} | fields)
    assert answer.status_code in (200, 202), answer.text
    told: dict[str, Any] = answer.json()["data"]
    return told


async def read(caller: Caller, path: str, **query: Any) -> Any:
    answer = await caller.public("GET", f"{RUNS}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def say(pool: "Pool[Any]", run_id: str, *words: str) -> None:
    """As an operator writes into a run; no executor is running here."""
    for text in words:
        await RunRecords(pool, "ada").append(run_id, "text.delta", {"delta": text})


async def test_a_run_made_here_is_found_on_both_apis(here: Node, run_id: str) -> None:
    made = await created(here.ada, run_id, thread_id="thr:both")
    assert (made["status"], made["idempotentReplay"]) == ("created", False)
    assert (await created(here.ada, run_id, thread_id="thr:both"))["idempotentReplay"] is True
    snapshot = await read(here.ada, f"/{run_id}")
    assert await RunCalls(here.ada, run_id, "thr:both").snapshot() == {
        name: snapshot[name] for name in ("runId", "threadId", "status", "latestSeq", "updatedAt")
    }


async def test_a_run_without_ids_gets_a_thread_of_its_own(here: Node) -> None:
    one, other = [(await here.ada.public("POST", RUNS, json={})).json()["data"] for _ in range(2)]
    assert (one["runId"][:4], one["threadId"][:7]) == ("run_", "thread_")
    assert (one["runId"], one["threadId"]) != (other["runId"], other["threadId"])


async def test_a_frame_and_a_cancel_count_once(here: Node, run_id: str) -> None:
    """Runtime §2.7, §2.8: as on the signed API, which sees what was said here."""
    await created(here.ada, run_id, thread_id="thr:once")
    frame = {"frame_id": "f-1", "type": "user_message", "payload": {"text": "hi"}}
    answers = [await here.ada.public("POST", f"{RUNS}/{run_id}/frames", json=frame) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 200]
    assert answers[0].json()["data"] == {
        "runId": run_id,
        "frameId": "f-1",
        "status": "accepted",
        "idempotentReplay": False,
    }
    answers = [await here.ada.public("POST", f"{RUNS}/{run_id}/cancel", json={"reason": "enough"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 200]
    assert (await RunCalls(here.ada, run_id, "thr:once").snapshot())["status"] == "canceling"
    [event] = (await read(here.ada, f"/{run_id}/events", after=0))["events"]
    assert (event["event_type"], event["payload"]["reason"]) == ("run.cancel_requested", "enough")


async def test_the_list_is_newest_first_and_picked_by_how_runs_are(here: Node, pool: "Pool[Any]", run_id: str) -> None:
    names = [f"{run_id}-{n}" for n in range(3)]
    for name in names:
        await created(here.bob, name, thread_id=f"thr:{run_id}")
    await here.bob.public("POST", f"{RUNS}/{names[1]}/cancel", json={})
    mine = {"thread_id": f"thr:{run_id}"}
    assert [run["runId"] for run in await read(here.bob, "", **mine)] == names[::-1]
    assert [run["runId"] for run in await read(here.bob, "", **mine, limit=1)] == names[2:]
    assert [run["runId"] for run in await read(here.bob, "", **mine, status="canceling")] == [names[1]]
    assert [run["runId"] for run in await read(here.bob, "", **mine, status="created")] == [names[2], names[0]]
    assert [run["runId"] for run in await read(here.bob, "", run_id=names[0])] == [names[0]]
    assert await read(here.ada, "", **mine) == []


async def test_a_list_tells_last_words_and_cost(here: Node, pool: "Pool[Any]", run_id: str) -> None:
    await created(here.ada, run_id)
    await say(pool, run_id, "Bon", "jour", " ", "!")
    spend = SpendCalls(here.ada, f"auth-{run_id}", run_id)
    await spend.authorize()
    for tool_call_id in ("paid", "given back", "held"):
        assert (await spend.reserve(tool_call_id, 7)).status_code == 202
    await spend.settle("commit", "paid", amount_sats=5)
    await spend.settle("release", "given back")
    [listed] = await read(here.ada, "", run_id=run_id)
    assert (listed["lastWords"], listed["spentSats"], listed["heldSats"]) == ("Bonjour!", 5, 7)
    snapshot = await read(here.ada, f"/{run_id}")
    assert {name: snapshot[name] for name in listed} == listed


async def test_pages_of_events_come_from_either_end(here: Node, pool: "Pool[Any]", run_id: str) -> None:
    await created(here.ada, run_id)
    await say(pool, run_id, *"abcde")

    async def page(**query: int) -> list[str]:
        return [event["payload"]["delta"] for event in (await read(here.ada, f"/{run_id}/events", **query))["events"]]

    assert await page(after=3) == ["d", "e"]
    assert await page(limit=2) == ["d", "e"]
    assert await page(before=4, limit=2) == ["b", "c"]
    assert await page(after=5) == []


async def test_what_was_pruned_is_not_served_and_the_chain_goes_on(here: Node, pool: "Pool[Any]", run_id: str) -> None:
    """DEC-38, runtime §1.4."""
    await created(here.ada, run_id)
    await say(pool, run_id, *"abcde")
    before = await read(here.ada, f"/{run_id}/chain")
    assert (before["intact"], before["events"], before["anchor"]) == (True, 5, {"seq": 0, "hash": None})
    await RunRecords(pool, "ada").prune(run_id, 4)
    page = await read(here.ada, f"/{run_id}/events", before=6)
    assert ([event["seq"] for event in page["events"]], page["floor"], page["latestSeq"]) == ([4, 5], 3, 5)
    stale = await here.ada.public("GET", f"{RUNS}/{run_id}/events", params={"after": 2})
    assert (stale.status_code, stale.json()["error"]["code"]) == (410, "stale_cursor")
    after = await read(here.ada, f"/{run_id}/chain")
    assert (after["intact"], after["events"], after["head"]) == (True, 2, before["head"])
    assert after["anchor"]["seq"] == 3
    assert (await read(here.ada, f"/{run_id}"))["anchor"] == after["anchor"]


async def test_a_broken_chain_is_told(here: Node, pool: "Pool[Any]", run_id: str) -> None:
    """Runtime §1.4: the first event that does not fit."""
    await created(here.ada, run_id)
    await say(pool, run_id, *"abc")
    harm = "update events set payload = $2 where stream = $1 and seq = 2"
    await pool.execute(harm, f"run/{run_id}", '{"delta":"x"}')
    told = await read(here.ada, f"/{run_id}/chain")
    assert (told["intact"], told["brokenAt"], told["cause"]) == (False, 2, "event_hash_mismatch")


async def test_the_stream_has_the_signed_ones_frames(here: Node, pool: "Pool[Any]", run_id: str) -> None:
    """Runtime §2.17; `Last-Event-ID` wins, so that an EventSource comes back to where it was."""
    made = await created(here.ada, run_id)
    await say(pool, run_id, *"abc")
    path = f"/api{RUNS}/{run_id}/stream"
    headers = {"authorization": f"Bearer {here.ada.bearer}", "last-event-id": "1"}
    answer = await here.http.get(path, params={"cursor": 0, "tail_ms": 1}, headers=headers)
    assert run_frames(answer.text) == await RunCalls(here.ada, run_id, made["threadId"]).frames_above(1)
    assert [seq for seq, _ in run_frames(answer.text)] == [2, 3]


async def test_nobody_sees_somebody_elses(here: Node, run_id: str) -> None:
    """As for workers: 403; there is no such run: 404."""
    await created(here.ada, run_id)
    for suffix in ("", "/events", "/chain", "/stream"):
        answer = await here.bob.public("GET", f"{RUNS}/{run_id}{suffix}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        assert (await here.bob.public("GET", f"{RUNS}/{run_id}x{suffix}")).status_code == 404
    for action, body in (("frames", {"frame_id": "f", "type": "note"}), ("cancel", {})):
        assert (await here.bob.public("POST", f"{RUNS}/{run_id}/{action}", json=body)).status_code == 403
    assert run_id not in [run["runId"] for run in await read(here.bob, "")]
