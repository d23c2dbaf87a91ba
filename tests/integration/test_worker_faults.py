"""Bad input on every worker route of both APIs: the contract's error, nothing written (runtime §2, edge §2.6)."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import asyncpg
import pytest

from edge.auth.request_token import HEADER
from producers.eventlog.reader import LogReader
from tests.nodes import Node, node, signed_token

PUBLIC = "/api/runtime/codex/workers"
SIGNED = "/internal/v1/codex/workers"
JSON = {"content-type": "application/json"}
MIB = 1024 * 1024


class Fault(NamedTuple):
    """A call that must be refused; `public` and `signed` are the statuses on the two APIs, None: not a fault there."""

    name: str
    method: str
    path: str
    body: Any
    public: int | None
    signed: int | None


def event(**fields: Any) -> dict[str, Any]:
    return {"event": {"event_type": "worker.event", "payload": {}} | fields}


def batch(*items: dict[str, Any]) -> dict[str, Any]:
    return {"events": [{"event_id": f"e{n}", "event_type": "worker.event"} | item for n, item in enumerate(items)]}


HANDSHAKE = {"source": "autopilot-ios", "method": "ios/handshake", "handshake_id": "h", "occurred_at": "2026-02-25"}
MALFORMED = [b"{", b"\xff\xfe", b'{"a":NaN}', b"[" * 5000, b'"text"', b"[1]"]
DEEP = b'{"event":{"event_type":"worker.event","payload":' + b'{"a":' * 500 + b"1" + b"}" * 502

FAULTS = [
    *(Fault("malformed", "POST", "", body, 422, 400) for body in MALFORMED),
    *(Fault("malformed", "POST", "/w:faults/events", body, 422, 400) for body in [*MALFORMED, DEEP]),
    *(Fault("malformed", "POST", "/w:faults/events/batch", body, 422, 400) for body in MALFORMED),
    *(Fault("malformed", "POST", "/w:faults/requests", body, 422, 400) for body in MALFORMED),
    *(Fault("malformed", "POST", "/w:faults/stop", body, 422, 400) for body in MALFORMED),
    *(
        Fault("oversized", "POST", f"/w:faults/{suffix}", b" " * (8 * MIB + 1), 413, 413)
        for suffix in ("events", "events/batch", "requests", "stop")
    ),
    Fault("types", "POST", "", {"worker_id": 5}, 422, 400),
    Fault("types", "POST", "", {"worker_id": "abc", "metadata": "x"}, 422, 400),
    Fault("types", "POST", "", {"worker_id": "abc", "adapter": "a" * 121}, 422, 400),
    Fault("types", "POST", "", {"worker_id": "abc", "workspace_ref": "a" * 256}, 422, 400),
    Fault("id", "POST", "", {"worker_id": "ab"}, 400, 400),
    Fault("id", "POST", "", {"worker_id": "w" * 161}, 422, 400),
    Fault("id", "POST", "", {"worker_id": "with/slash"}, 400, 400),
    Fault("control", "POST", "", {"worker_id": "a\x1fbc"}, 400, 400),
    Fault("control", "POST", "", {"worker_id": "abc", "codex_home_ref": "a\x00b"}, 422, 400),
    Fault("types", "POST", "/w:faults/events", {}, 422, 400),
    Fault("types", "POST", "/w:faults/events", {"event": []}, 422, 400),
    Fault("types", "POST", "/w:faults/events", event(event_type=None), 422, 400),
    Fault("types", "POST", "/w:faults/events", event(event_type="heartbeat"), 422, 400),
    Fault("types", "POST", "/w:faults/events", event(event_type="worker." + "x" * 154), 422, 400),
    Fault("types", "POST", "/w:faults/events", event(event_type="worker." + "x" * 150), 400, 400),
    Fault("types", "POST", "/w:faults/events", event(payload="x"), 422, 400),
    Fault("control", "POST", "/w:faults/events", event(event_type="worker.\x1f"), 400, 400),
    Fault("payload", "POST", "/w:faults/events", event(payload={"text": "x" * 530_000}), 413, 413),
    Fault("handshake", "POST", "/w:faults/events", event(payload=HANDSHAKE), 400, 400),
    Fault("types", "POST", "/w:faults/events/batch", {"events": []}, 422, 400),
    Fault("types", "POST", "/w:faults/events/batch", batch(*[{}] * 501), 422, 400),
    Fault("types", "POST", "/w:faults/events/batch", batch({}, {"event_id": 5}), 422, 400),
    Fault("types", "POST", "/w:faults/events/batch", batch({}, {"event_type": "x"}), 422, 400),
    Fault("control", "POST", "/w:faults/events/batch", batch({}, {"event_id": "a\x00"}), 400, 400),
    Fault("control", "POST", "/w:faults/events/batch", batch({}, {"event_type": "worker.\x7f"}), 400, 400),
    Fault("limit", "POST", "/w:faults/events/batch", batch({"payload": {"text": "x" * MIB}}), 422, 400),
    Fault("conflict", "POST", "/w:faults/events/batch", batch({}, {"event_id": "e0", "payload": {"n": 1}}), 409, 409),
    Fault("types", "POST", "/w:faults/requests", {}, 422, 400),
    Fault("types", "POST", "/w:faults/requests", {"request": {}}, 422, 400),
    Fault("types", "POST", "/w:faults/requests", {"request": {"method": 5}}, 422, 400),
    Fault("control", "POST", "/w:faults/requests", {"request": {"method": "a\x00b"}}, 400, 400),
    Fault("types", "POST", "/w:faults/stop", {"reason": 5}, 422, 400),
    Fault("types", "POST", "/w:faults/stop", {"reason": "x" * 256}, 422, 400),
    Fault("query", "GET", "?status=asleep", None, 422, 400),
    Fault("query", "GET", "?limit=0", None, 422, 400),
    Fault("query", "GET", "?limit=201&workspace_ref=" + "w" * 256, None, 422, 400),
    Fault("query", "GET", "/w:faults/stream?cursor=x", None, 422, 400),
    Fault("query", "GET", "/w:faults/stream?cursor=-1", None, 422, 400),
    Fault("query", "GET", "/w:faults/stream?tail_ms=0", None, 422, 400),
    *(
        Fault("unknown", method, f"/w:nobody{suffix}", body, 404, 404)
        for method, suffix, body in [
            *(("POST", "/events", event()), ("POST", "/events/batch", batch({})), ("POST", "/stop", {})),
            *(("POST", "/requests", {"request": {"method": "m"}}), ("GET", "/stream", None)),
        ]
    ),
    *(
        Fault("somebody else's", method, f"/w:theirs{suffix}", body, 403, 403)
        for method, suffix, body in [
            *(("POST", "/events", event()), ("POST", "/events/batch", batch({})), ("POST", "/stop", {})),
            *(("POST", "/requests", {"request": {"method": "m"}}), ("GET", "/stream", None)),
        ]
    ),
    *(
        Fault("stopped", "POST", f"/w:stopped/{suffix}", body, 409, 409)
        for suffix, body in [
            *(("events", event()), ("events/batch", batch({})), ("requests", {"request": {"method": "m"}})),
        ]
    ),
    Fault("control", "GET", "/w%00x/stream", None, 400, 400),
    Fault("route", "GET", "/w:faults/nothing", None, 404, 404),
    Fault("method", "DELETE", "", None, 405, 405),
    Fault("method", "GET", "/w:faults/stop", None, 405, 405),
]


@pytest.fixture
async def here(pool: "asyncpg.Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        for caller, worker_id in ((running.ada, "w:faults"), (running.ada, "w:stopped"), (running.bob, "w:theirs")):
            await caller.public("POST", "/runtime/codex/workers", json={"worker_id": worker_id})
        await running.ada.public("POST", "/runtime/codex/workers/w:stopped/stop")
        yield running


def content(body: Any) -> dict[str, Any]:
    return {"content": body, "headers": JSON} if isinstance(body, bytes) else {"json": body}


async def test_every_fault_gets_its_error_and_writes_nothing(here: Node, pool: "asyncpg.Pool[Any]") -> None:
    head = await LogReader(pool).head()
    wrong: list[Any] = []
    for fault in FAULTS:
        options = content(fault.body) if fault.body is not None else {}
        headers = options.pop("headers", {})
        authorised = {**headers, "authorization": f"Bearer {here.ada.bearer}"}
        answer = await here.http.request(fault.method, PUBLIC + fault.path, headers=authorised, **options)
        if answer.status_code != fault.public or not _is_public_error(answer.status_code, answer.json()):
            wrong.append((fault.name, fault.method, PUBLIC + fault.path, str(fault.body)[:60], answer.text[:200]))
        answer = await here.ada.signed(fault.method, SIGNED[12:] + fault.path, headers=headers, **options)
        if answer.status_code != fault.signed or "code" not in answer.json()["error"]:
            wrong.append((fault.name, fault.method, SIGNED + fault.path, str(fault.body)[:60], answer.text[:200]))
    print(f"{2 * len(FAULTS)} rows of route × fault")
    assert wrong == []
    assert await LogReader(pool).head() == head
    assert await pool.fetchval("select count(*) from commands") == 0


def _is_public_error(status: int, body: dict[str, Any]) -> bool:
    """Validation for 422; what the runtime refuses is coded; the framework's failures are a message (edge §1.1)."""
    match status:
        case 422:
            return set(body) == {"message", "errors"}
        case 405:
            return "message" in body
    return "message" in body or set(body["error"]) >= {"code", "message"}


@pytest.mark.parametrize("path", [PUBLIC, SIGNED])
async def test_nobody_gets_in_without_a_token(here: Node, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer 1|nonsense"}, {HEADER: "v1.e30.AAAA", "x-oa-user-id": "1"}):
        for method, suffix in (("GET", ""), ("POST", ""), ("POST", "/w:faults/events"), ("GET", "/w:faults/stream")):
            assert (await here.http.request(method, path + suffix, headers=headers)).status_code == 401


async def test_expired_forged_and_replayed_tokens(here: Node, pool: "asyncpg.Pool[Any]") -> None:
    ada = here.ada
    user = {"x-oa-user-id": str(ada.user_id)}
    head = await LogReader(pool).head()
    tokens = {
        "expired": signed_token(user_id=ada.user_id, iat=1_700_000_000, exp=1_700_000_060),
        "forged": signed_token("another key", user_id=ada.user_id),
        "somebody else's": signed_token(user_id=ada.user_id + 1),
        "nobody's": signed_token(),
    }
    expected = {"expired": 401, "forged": 401, "somebody else's": 403, "nobody's": 403}
    for name, token in tokens.items():
        answer = await here.http.post(f"{SIGNED}/w:faults/events", json=event(), headers=user | {HEADER: token})
        assert (name, answer.status_code) == (name, expected[name])
    assert await LogReader(pool).head() == head
    once = user | {HEADER: signed_token(user_id=ada.user_id)}
    answers = [await here.http.get(f"{SIGNED}/w:faults/snapshot", headers=once) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[1].json()["error"]["code"] == "unauthorized"
