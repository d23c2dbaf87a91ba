"""Requests and claims on real edges and one real log: each thing sent runs once and ends (ADR 13; DEC-45, 46)."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from edge.workers import WorkerSettings
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.retention import CommandRetention
from producers.workers import DECIDER, Wake
from schemas.names import worker_stream
from tests.nodes import SETTINGS, Caller, Node, node

Pool = asyncpg.Pool
WORKERS = "/runtime/codex/workers"
SIGNED = "/codex/workers"
HURRIED = replace(SETTINGS, workers=WorkerSettings(answer_within=timedelta(seconds=0.3)))


@pytest.fixture
async def here(pool: "Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


class Desk:
    """One caller's worker, and the daemon behind it."""

    def __init__(self, caller: Caller, pool: "Pool[Any]", worker_id: str | None = None) -> None:
        self.caller = caller
        self.worker_id = worker_id or f"w:{uuid.uuid4().hex}"
        self._pool = pool

    def at(self, caller: Caller) -> "Desk":
        """The same worker through another node; who signs in there gets a new token instead of the old one."""
        self.caller = replace(self.caller, bearer=caller.bearer)
        return Desk(caller, self._pool, self.worker_id)

    @property
    def stream(self) -> str:
        return worker_stream(f"user:{self.caller.user_id}", self.worker_id)

    async def open(self, **told: Any) -> "Desk":
        (await self.caller.public("POST", WORKERS, json={"worker_id": self.worker_id})).raise_for_status()
        await self.beat(**told)
        return self

    async def beat(self, **told: Any) -> None:
        says = {"source": "autopilot-desktop", "daemon": "on", "accepts_requests": True}
        await self.append("worker.heartbeat", says | told)

    async def append(self, event_type: str, payload: dict[str, Any]) -> dict[str, Any]:
        event = {"event": {"event_type": event_type, "payload": payload}}
        answer = await self.caller.public("POST", f"{WORKERS}/{self.worker_id}/events", json=event)
        assert answer.status_code == 202, answer.text
        appended: dict[str, Any] = answer.json()["data"]
        return appended

    async def batch(self, *events: tuple[str, str, dict[str, Any]], signed: bool = False) -> httpx.Response:
        items = [{"event_id": name, "event_type": kind, "payload": payload} for name, kind, payload in events]
        if signed:
            return await self.caller.signed("POST", f"{SIGNED}/{self.worker_id}/events/batch", json={"events": items})
        return await self.caller.public("POST", f"{WORKERS}/{self.worker_id}/events/batch", json={"events": items})

    async def message(self, message_id: str, **params: Any) -> int:
        told = {"method": "ios/user_message", "message_id": message_id, "params": {"text": "go"} | params}
        return int((await self.append("worker.event", told))["seq"])

    async def claim_message(self, message_id: str, seq: int, claim_id: str, *, signed: bool = False) -> httpx.Response:
        claim = {"message_id": message_id, "seq": seq, "claim_id": claim_id, "daemon_id": "d"}
        return await self.batch((claim_id, "worker.message.claimed", claim), signed=signed)

    async def claim(self, request_id: str, claim_id: str = "d:claim:1") -> httpx.Response:
        claim = {"request_id": request_id, "claim_id": claim_id, "daemon_id": "d"}
        return await self.batch((claim_id, "worker.request.claimed", claim))

    async def answer(self, request_id: str, kind: str = "worker.response", **told: Any) -> dict[str, Any]:
        response = {"jsonrpc": "2.0", "id": request_id} | (told or {"result": {"n": 1}})
        return await self.append(kind, {"request_id": request_id, "response": response})

    def ask(self, request_id: str | None = None, **fields: Any) -> "asyncio.Task[httpx.Response]":
        request = {"request_id": request_id, "method": "thread/list", "params": {"limit": 5}} | fields
        path = f"{WORKERS}/{self.worker_id}/requests"
        return asyncio.create_task(self.caller.public("POST", path, json={"request": request}))

    async def events(self) -> list[tuple[str, int, dict[str, Any]]]:
        """Type, version and payload of all but the start and the heartbeats."""
        found = await LogReader(self._pool).read_stream(self.stream, 0, 1000)
        return [(event.type, event.version, event.payload) for event in found if event.type not in _QUIET]

    async def received(self, count: int = 1) -> list[dict[str, Any]]:
        """What the daemon is asked, once it is."""
        for _ in range(1000):
            asked = [payload for kind, _, payload in await self.events() if kind == "worker.request.received"]
            if len(asked) >= count:
                return asked
            await asyncio.sleep(0.01)
        raise AssertionError("nothing was received")

    async def snapshot(self) -> dict[str, Any]:
        answer = await self.caller.public("GET", f"{WORKERS}/{self.worker_id}")
        document: dict[str, Any] = answer.json()["data"]
        return document


_QUIET = ("worker.started", "worker.heartbeat")


def code_of(answer: httpx.Response) -> tuple[int, bool, int]:
    """Status, `ok` and the JSON-RPC error's code."""
    told = answer.json()["data"]
    return answer.status_code, told["ok"], told["response"]["error"]["code"]


def reason_of(answer: httpx.Response) -> tuple[int, str, Any]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("details")


def because(reason_code: str) -> tuple[int, str, list[dict[str, str]]]:
    return 409, "conflict", [{"reason_code": reason_code}]


@pytest.fixture
async def desk(here: Node, pool: "Pool[Any]") -> Desk:
    return await Desk(here.ada, pool).open()


# --- requests -------------------------------------------------------------------------------------------------------


async def test_a_request_is_answered_by_the_daemon(desk: Desk) -> None:
    asking = desk.ask("r-1")
    [asked] = await desk.received()
    assert asked["params"] == {"limit": 5}
    deadline = datetime.fromisoformat(asked["deadline"])
    assert timedelta(seconds=10) < deadline - datetime.now(UTC) <= timedelta(seconds=15)
    token = asked["requested_by"].pop("token")
    assert str(token) == desk.caller.bearer.partition("|")[0]
    assert asked["requested_by"] == {"owner": f"user:{desk.caller.user_id}", "client": None}
    assert (await desk.claim("r-1")).status_code == 202
    await desk.answer("r-1")
    answer = await asking
    assert answer.status_code == 200
    assert answer.json()["data"] == {
        "worker_id": desk.worker_id,
        "request_id": "r-1",
        "ok": True,
        "response": {"jsonrpc": "2.0", "id": "r-1", "result": {"n": 1}},
    }
    assert [(kind, version) for kind, version, _ in await desk.events()] == [
        ("worker.request.received", 1),
        ("worker.request.claimed", 1),
        ("worker.response", 1),
    ]


async def test_what_the_daemon_cannot_do_is_not_ok(desk: Desk) -> None:
    asking = desk.ask("r-1", method="rm")
    await desk.received()
    await desk.answer("r-1", "worker.error", error={"code": -32601, "message": "not allowed"})
    assert code_of(await asking) == (200, False, -32601)


async def test_a_signed_request_says_so_and_gets_an_id(desk: Desk) -> None:
    path = f"{SIGNED}/{desk.worker_id}/requests"
    asking = asyncio.create_task(desk.caller.signed("POST", path, json={"method": "model/list"}))
    [asked] = await desk.received()
    assert asked["request_id"].startswith("req_")
    assert asked["requested_by"] == {"owner": f"user:{desk.caller.user_id}", "client": "signed", "token": None}
    await desk.answer(asked["request_id"])
    assert (await asking).json()["data"]["ok"] is True


async def test_the_client_is_called_what_it_calls_itself(desk: Desk) -> None:
    headers = {"authorization": f"Bearer {desk.caller.bearer}", "x-client": "autopilot-ios"}
    path = f"/api{WORKERS}/{desk.worker_id}/requests"
    body = {"request": {"request_id": "r", "method": "m"}}
    asking = asyncio.create_task(desk.caller.http.post(path, json=body, headers=headers))
    [asked] = await desk.received()
    assert asked["requested_by"]["client"] == "autopilot-ios"
    await desk.answer("r")
    await asking


@pytest.mark.invariant("I6")
async def test_a_repeated_request_attaches_and_later_replays(here: Node, pool: "Pool[Any]", desk: Desk) -> None:
    """DEC-46: on whichever node, while it is open and for ever after."""
    async with node(pool) as there:
        elsewhere = desk.at(there.ada)
        asking = [desk.ask("r-1"), desk.ask("r-1"), elsewhere.ask("r-1")]
        await desk.received()
        await desk.answer("r-1")
        answers = [await one for one in asking]
        again = await elsewhere.ask("r-1")
        other = await elsewhere.ask("r-1", params={"limit": 6})
    assert [answer.status_code for answer in [*answers, again]] == [200] * 4
    assert len({answer.text for answer in [*answers, again]}) == 1
    assert reason_of(other) == (409, "conflict", None)
    assert [kind for kind, _, _ in await desk.events()] == ["worker.request.received", "worker.response"]
    await desk.caller.public("POST", f"{WORKERS}/{desk.worker_id}/stop", json={})
    assert (await desk.ask("r-1")).text == again.text
    assert (await desk.ask("r-2")).status_code == 409


async def test_nobody_answers_before_the_deadline(pool: "Pool[Any]") -> None:
    async with node(pool, HURRIED) as hurried:
        desk = await Desk(hurried.ada, pool).open()
        asking = [desk.ask("r-1"), desk.ask("r-1")]
        assert [code_of(await one) for one in asking] == [(200, False, -32003)] * 2
        assert reason_of(await desk.claim("r-1")) == because("not_open")
        late = await desk.answer("r-1")
        assert code_of(await desk.ask("r-1")) == (200, False, -32003)
        assert [(kind, version) for kind, version, _ in await desk.events()] == [
            ("worker.request.received", 1),
            ("worker.error", 1),
            ("worker.response", 0),
        ]
        assert late["event_type"] == "worker.response"


async def test_an_error_that_a_timer_wrote_is_the_answer(pool: "Pool[Any]", desk: Desk) -> None:
    """Whoever comes first ends a request; here somebody whose clock is ahead."""
    asking = desk.ask("r-1")
    await desk.received()
    timer = EventLog(pool, clock=lambda: datetime.now(UTC) + timedelta(seconds=15))
    try:
        await timer.execute(DECIDER, desk.stream, f"user:{desk.caller.user_id}", [Item(Wake())])
    finally:
        await timer.close()
    assert code_of(await asking) == (200, False, -32003)


async def test_a_daemon_that_is_not_there_is_not_asked(pool: "Pool[Any]", here: Node) -> None:
    desk = await Desk(here.ada, pool).open(daemon="off")
    assert code_of(await desk.ask("r-1")) == (200, False, -32002)
    assert await desk.events() == []
    await desk.beat()
    asking = desk.ask("r-1")
    await desk.received()
    await desk.answer("r-1")
    assert (await asking).json()["data"]["ok"] is True


async def test_a_worker_of_another_daemon_echoes_each_time(pool: "Pool[Any]", here: Node) -> None:
    desk = await Desk(here.ada, pool).open(accepts_requests=False)
    counts = [(await desk.ask("r-1")).json()["data"]["response"]["result"]["request_count"] for _ in range(2)]
    assert counts == [1, 2]


async def test_more_than_128_requests_are_too_many(pool: "Pool[Any]", here: Node) -> None:
    async with httpx.AsyncClient(base_url=here.url, timeout=30, limits=httpx.Limits()) as unlimited:
        desk = await Desk(replace(here.ada, http=unlimited), pool).open()
        asking = [desk.ask(f"r-{n}") for n in range(128)]
        await desk.received(128)
        assert code_of(await desk.ask("r")) == (200, False, -32001)
        await desk.caller.public("POST", f"{WORKERS}/{desk.worker_id}/stop", json={})
        assert {code_of(await one) for one in asking} == {(200, False, -32002)}


async def test_a_node_that_ends_lets_go_of_whoever_waits(pool: "Pool[Any]", here: Node) -> None:
    async with node(pool) as ending:
        desk = await Desk(ending.ada, pool).open()
        asking = desk.ask("r-1")
        await desk.received()
        ending.edge.drain()
        answer = await asking
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    elsewhere = desk.at(replace(here.ada, bearer=desk.caller.bearer))
    again = elsewhere.ask("r-1")
    await elsewhere.answer("r-1")
    assert (await again).json()["data"]["ok"] is True


# --- claims ---------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I6")
async def test_of_two_claims_at_once_one_is_accepted(pool: "Pool[Any]", here: Node, desk: Desk) -> None:
    async with node(pool) as there:
        elsewhere = desk.at(there.ada)
        for n in range(20):
            seq = await desk.message(f"m-{n}")
            claims = [
                *(
                    desk.claim_message(f"m-{n}", seq, f"a:claim:{n}"),
                    elsewhere.claim_message(f"m-{n}", seq, f"b:claim:{n}"),
                ),
                *(
                    desk.claim_message(f"m-{n}", seq, f"a:claim:{n}"),
                    elsewhere.claim_message(f"m-{n}", seq, f"b:claim:{n}"),
                ),
            ]
            answers = await asyncio.gather(*claims)
            accepted = [answer for answer in answers if answer.is_success]
            assert sorted(answer.status_code for answer in accepted) == [200, 202]
            assert {reason_of(answer)[2][0]["reason_code"] for answer in answers if not answer.is_success} == {
                "already_claimed"
            }
    claimed = [payload["message_id"] for kind, _, payload in await desk.events() if kind == "worker.message.claimed"]
    assert claimed == [f"m-{n}" for n in range(20)]


async def test_a_request_is_claimed_once(desk: Desk) -> None:
    assert reason_of(await desk.claim("r-1")) == because("not_open")
    asking = desk.ask("r-1")
    await desk.received()
    assert (await desk.claim("r-1", "a")).status_code == 202
    assert reason_of(await desk.claim("r-1", "b")) == because("already_claimed")
    await desk.answer("r-1")
    await asking
    assert (await desk.claim("r-1", "a")).status_code == 200
    assert reason_of(await desk.claim("r-1", "b")) == because("already_claimed")


@pytest.mark.invariant("I6")
async def test_a_claim_is_remembered_for_ever_and_on_every_node(pool: "Pool[Any]", desk: Desk) -> None:
    seq = await desk.message("m")
    assert (await desk.claim_message("m", seq, "a")).status_code == 202
    later = CommandRetention(pool, lambda: datetime.now(UTC) + timedelta(days=400))
    await later.sweep()
    async with node(pool) as restarted:
        again = desk.at(restarted.ada)
        assert (await again.claim_message("m", seq, "a", signed=True)).status_code == 200
        assert reason_of(await again.claim_message("m", seq, "b", signed=True)) == because("already_claimed")


async def test_a_claim_without_an_event_id_is_a_claim_too(desk: Desk) -> None:
    seq = await desk.message("m")
    event = {"event_type": "worker.message.claimed"}
    claim = {"message_id": "m", "seq": seq, "claim_id": "a", "daemon_id": "d"}
    path = f"/codex/workers/{desk.worker_id}/events"
    first, again = [
        await desk.caller.signed("POST", path, json=event | {"payload": claim | {"daemon_id": name}}) for name in "de"
    ]
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == first.json()
    other = await desk.caller.public(
        "POST", f"{WORKERS}/{desk.worker_id}/events", json={"event": event | {"payload": claim | {"claim_id": "b"}}}
    )
    assert reason_of(other) == because("already_claimed")


async def test_a_refused_claim_takes_its_whole_batch_along(desk: Desk) -> None:
    note = ("e-1", "worker.event", {"n": 1})
    claim = {"request_id": "r", "claim_id": "c", "daemon_id": "d"}
    answer = await desk.batch(note, ("c", "worker.request.claimed", claim))
    assert reason_of(answer) == because("not_open")
    assert await desk.events() == []
    assert (await desk.batch(note)).status_code == 202


async def test_a_message_that_expired_is_never_claimed(pool: "Pool[Any]", desk: Desk) -> None:
    expires_at = (datetime.now(UTC) + timedelta(seconds=60)).isoformat()
    taken, late = await desk.message("m", expires_at=expires_at), await desk.message("n", expires_at=expires_at)
    assert (await desk.claim_message("m", taken, "a")).status_code == 202
    timer = EventLog(pool, clock=lambda: datetime.now(UTC) + timedelta(seconds=61))
    try:
        await timer.execute(DECIDER, desk.stream, f"user:{desk.caller.user_id}", [Item(Wake())])
    finally:
        await timer.close()
    assert reason_of(await desk.claim_message("n", late, "b")) == because("too_late")
    assert (await desk.claim_message("m", taken, "a")).status_code == 200
    expired = [payload for kind, _, payload in await desk.events() if kind == "worker.message.expired"]
    assert expired == [{"message_id": "n"}]


async def test_a_stopped_worker_refuses_claims_without_a_reason_code(desk: Desk) -> None:
    seq = await desk.message("m")
    await desk.caller.public("POST", f"{WORKERS}/{desk.worker_id}/stop", json={})
    assert reason_of(await desk.claim_message("m", seq, "a")) == (409, "conflict", None)


@pytest.mark.parametrize("seq", [10**18, 2**63, -1, "x"])
async def test_a_claim_of_no_event_is_answered(desk: Desk, seq: Any) -> None:
    answer = await desk.claim_message("m", seq, "a")
    assert answer.status_code == (202 if seq == 10**18 else 400)


# --- what callers see -------------------------------------------------------------------------------------------------


async def test_a_snapshot_tells_of_the_daemon(desk: Desk) -> None:
    busy = {"what": "turn", "since": "2026-11-22T21:00:00Z", "thread_id": "t", "turn_id": "u"}
    await desk.beat(busy=busy, consumed_seq=2)
    used = {"input_tokens": 7, "cached_input_tokens": 2, "output_tokens": 3, "reasoning_output_tokens": 1}
    turn = {"thread_id": "t", "turn_id": "u", "outcome": "completed", "total_tokens": 10}
    await desk.append("worker.turn.usage", turn | used)
    await desk.append("worker.limits.set", {"day_tokens": 100})
    for approval_id, minutes in (("a-1", 5), ("a-2", -5)):
        asked = {"approval_id": approval_id, "kind": "command", "choices": ["accept", "deny"]}
        ids = {"thread_id": "t", "turn_id": "u", "item_id": "i"}
        expires_at = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
        await desk.append("worker.approval.requested", asked | ids | {"expires_at": expires_at})
    snapshot = await desk.snapshot()
    told = ("daemon_state", "busy", "accepts_requests", "consumed_seq", "usage", "limits", "open_approvals")
    assert {name: snapshot[name] for name in told} == {
        "daemon_state": "working",
        "busy": busy,
        "accepts_requests": True,
        "consumed_seq": 2,
        "usage": {"day": datetime.now(UTC).date().isoformat(), "day_tokens": 10, "total_tokens": 10, "turns": 1},
        "limits": {"turn_tokens": None, "day_tokens": 100},
        "open_approvals": ["a-1"],
    }
    assert snapshot["daemon_seen_at"] < snapshot["last_heartbeat_at"]
    listed = (await desk.caller.signed("GET", SIGNED)).json()["data"]
    [item] = [item for item in listed if item["worker_id"] == desk.worker_id]
    assert {name: item[name] for name in told} == {name: snapshot[name] for name in told}


async def test_a_snapshot_of_a_worker_without_a_daemon_says_so(pool: "Pool[Any]", here: Node) -> None:
    desk = await Desk(here.ada, pool).open(source="somebody")
    snapshot = await desk.snapshot()
    told = ("daemon_seen_at", "daemon_state", "busy", "consumed_seq", "usage")
    assert {snapshot[name] for name in told} == {None}
    assert (snapshot["accepts_requests"], snapshot["open_approvals"]) == (False, [])
    assert snapshot["limits"] == {"turn_tokens": None, "day_tokens": None}
