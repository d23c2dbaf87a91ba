"""Workers over both HTTP APIs of a real edge (runtime §2.13–2.18, §7; edge §2.6)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.nodes import Caller, Node, node, signed_token, sse_events

WORKERS = "/runtime/codex/workers"
SIGNED = "/codex/workers"


@pytest.fixture
async def here(pool: "asyncpg.Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


@pytest.fixture
def worker_id(request: pytest.FixtureRequest) -> str:
    return f"desktopw:{request.node.originalname}"[:160]


async def created(caller: Caller, worker_id: str, **fields: Any) -> dict[str, Any]:
    answer = await caller.public("POST", WORKERS, json={"worker_id": worker_id, **fields})
    assert answer.status_code in (200, 202), answer.text
    body: dict[str, Any] = answer.json()["data"]
    return body


async def appended(caller: Caller, worker_id: str, payload: dict[str, Any], event_type: str = "worker.event") -> int:
    event = {"event": {"event_type": event_type, "payload": payload}}
    answer = await caller.public("POST", f"{WORKERS}/{worker_id}/events", json=event)
    assert answer.status_code == 202, answer.text
    return int(answer.json()["data"]["seq"])


async def test_a_worker_round_trip_on_the_signed_api(here: Node, worker_id: str) -> None:
    """Runtime A.5."""
    ada, path = here.ada, f"{SIGNED}/{worker_id}"
    answer = await ada.signed("POST", SIGNED, json={"worker_id": worker_id, "workspace_ref": "ws://demo"})
    assert answer.status_code == 202
    assert answer.json() == {
        "data": {"workerId": worker_id, "status": "running", "latestSeq": 1, "idempotentReplay": False}
    }
    request = {"request_id": "r-1", "method": "thread/start", "params": {"prompt": "salut"}}
    result = {"status": "accepted", "method": "thread/start", "echo": {"prompt": "salut"}, "request_count": 1}
    for body in ({"request": request}, request):
        answer = await ada.signed("POST", f"{path}/requests", json=body)
        assert answer.status_code == 200
        assert answer.json()["data"] == {
            "worker_id": worker_id,
            "request_id": "r-1",
            "ok": True,
            "response": {"jsonrpc": "2.0", "id": "r-1", "result": result},
        }
        result = result | {"request_count": 2}
    events = sse_events((await ada.signed("GET", f"{path}/stream?cursor=0&tail_ms=1")).text)
    assert [(event["id"], event["data"]["eventType"]) for event in events] == [
        (1, "worker.started"),
        *((2, "worker.request.received"), (3, "worker.response")),
        *((4, "worker.request.received"), (5, "worker.response")),
    ]


async def test_create_replay_stop_and_reattach(here: Node, worker_id: str) -> None:
    assert (await created(here.ada, worker_id))["idempotentReplay"] is False
    answer = await here.ada.public("POST", WORKERS, json={"worker_id": worker_id, "adapter": "other"})
    assert (answer.status_code, answer.json()["data"]["idempotentReplay"]) == (200, True)
    for status, replay in ((202, False), (200, True)):
        answer = await here.ada.public("POST", f"{WORKERS}/{worker_id}/stop", json={"reason": "done"})
        assert answer.status_code == status
        assert answer.json()["data"] == {"worker_id": worker_id, "status": "stopped", "idempotent_replay": replay}
    answer = await here.ada.public("POST", f"{WORKERS}/{worker_id}/events", json={"event": {"event_type": "worker.x"}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    answer = await here.ada.public("POST", WORKERS, json={"worker_id": worker_id})
    assert (answer.status_code, answer.json()["data"]["latestSeq"]) == (202, 3)


async def test_a_worker_without_an_id_gets_one(here: Node) -> None:
    answer = await here.ada.signed("POST", SIGNED, json={"worker_id": ""})
    assert answer.json()["data"]["workerId"].startswith("codexw_")


async def test_snapshot_and_list_show_what_was_answered(here: Node, worker_id: str) -> None:
    await created(here.ada, worker_id, workspace_ref="ws://here", adapter="desktop_bridge", metadata={"source": "x"})
    seq = await appended(here.ada, worker_id, {"source": "desk"}, "worker.heartbeat")
    worker = (await here.ada.public("GET", f"{WORKERS}/{worker_id.replace(':', '%3A')}")).json()["data"]
    assert (worker["status"], worker["latest_seq"], worker["adapter"]) == ("running", seq, "desktop_bridge")
    assert worker["heartbeat_state"] == "fresh"
    assert 0 <= worker["heartbeat_age_ms"] < worker["heartbeat_stale_after_ms"] == 120_000
    query = {"workspace_ref": "ws://here", "status": "running", "limit": "5"}
    [item] = (await here.ada.public("GET", WORKERS, params=query)).json()["data"]
    lag, words = item.pop("khala_projection"), item.pop("last_words")
    assert words is None
    assert item | {"heartbeat_age_ms": 0} == worker | {"heartbeat_age_ms": 0}
    assert lag["status"] == "lagging"
    assert lag["lag_events"] == seq
    assert set(lag) == {
        *("document_id", "last_runtime_seq", "lag_events", "status", "projection_version", "last_projected_at")
    }


async def test_the_list_is_ordered_by_last_change(here: Node) -> None:
    for name in ("list:a", "list:b", "list:c"):
        await created(here.bob, name)
    await appended(here.bob, "list:a", {})
    found = (await here.bob.public("GET", WORKERS)).json()["data"]
    assert [worker["worker_id"] for worker in found] == ["list:a", "list:c", "list:b"]
    assert len((await here.bob.signed("GET", f"{SIGNED}?limit=2")).json()["data"]) == 2


async def test_the_list_is_read_page_by_page_and_who_moves_is_not_lost(here: Node) -> None:
    """Edge §2.6: the page before a worker; one that is changed meanwhile is at the front."""
    for name in "abcde":
        await created(here.bob, f"pages:{name}")

    async def page(**query: str) -> list[str]:
        found = (await here.bob.public("GET", WORKERS, params={"limit": "2", **query})).json()["data"]
        return [worker["worker_id"] for worker in found]

    assert (await page(), await page(before="pages:d")) == (["pages:e", "pages:d"], ["pages:c", "pages:b"])
    await appended(here.bob, "pages:b", {})
    assert (await page(before="pages:c"))[0] == "pages:a"
    assert await page(before="pages:b") == ["pages:e", "pages:d"]
    assert await page(before="pages:nobody") == []


async def test_ids_are_unique_per_owner(here: Node, worker_id: str) -> None:
    """DEC-44: somebody else's id is forbidden, nobody's is not found, creating it makes one's own."""
    path = f"{WORKERS}/{worker_id}"
    assert (await here.bob.public("GET", path)).status_code == 404
    await created(here.ada, worker_id)
    event = {"event": {"event_type": "worker.event"}}
    for method, suffix, body in (
        ("GET", "", None),
        ("POST", "/events", event),
        ("POST", "/stop", {}),
        ("GET", "/stream", None),
        ("GET", "/events", None),
    ):
        answer = await here.bob.public(method, path + suffix, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert (await created(here.bob, worker_id))["latestSeq"] == 1
    assert (await here.bob.public("GET", path)).status_code == 200


async def history(caller: Caller, worker_id: str, query: str) -> dict[str, Any]:
    answer = await caller.public("GET", f"{WORKERS}/{worker_id}/events?{query}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()["data"]
    return page


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("limit=2", [5, 6]),
        ("before=4&limit=2", [2, 3]),
        ("before=2", [1]),
        ("before=1", []),
        ("after=0&limit=2", [1, 2]),
        ("after=4", [5, 6]),
        ("after=6", []),
        ("after=9223372036854775807", []),
    ],
)
async def test_history_is_read_in_pages_from_either_end(
    here: Node, worker_id: str, query: str, seqs: list[int]
) -> None:
    """Edge §2.6."""
    await created(here.ada, worker_id)
    known = (await here.ada.public("GET", f"{WORKERS}/{worker_id}")).json()["data"]["latest_seq"]
    for number in range(known + 1, 7):
        assert await appended(here.ada, worker_id, {"n": number}) == number
    page = await history(here.ada, worker_id, query)
    assert [event["seq"] for event in page["events"]] == seqs
    assert (page["floor"], page["latestSeq"]) == (0, 6)


async def test_an_event_of_the_history_is_as_it_is_on_the_stream(here: Node, worker_id: str) -> None:
    await created(here.ada, worker_id)
    seq = await appended(here.ada, worker_id, {"b": {}, "a": [" x "]})
    [on_stream] = sse_events((await here.ada.public("GET", f"{WORKERS}/{worker_id}/stream?cursor={seq - 1}")).text)
    [event] = (await history(here.ada, worker_id, f"after={seq - 1}"))["events"]
    told = on_stream["data"]
    assert list(event["payload"]) == ["b", "a"]
    assert event == {
        "seq": seq,
        "event_type": told["eventType"],
        "payload": told["payload"],
        "occurred_at": told["occurredAt"],
    }


async def test_history_says_what_is_not_kept_and_what_was_erased(
    here: Node, worker_id: str, pool: "asyncpg.Pool[Any]"
) -> None:
    """ADR 12."""
    await created(here.ada, worker_id)
    for number in range(2, 6):
        await appended(here.ada, worker_id, {"n": number})
    stream = f"stream like '%/{worker_id}'"
    await pool.execute(f"delete from events where {stream} and seq < 3")
    await pool.execute(f"update events set payload = '{{}}', headers = '{{}}' where {stream} and seq = 3")
    page = await history(here.ada, worker_id, "before=5")
    assert [(event["seq"], event["payload"], event.get("erased")) for event in page["events"]] == [
        (3, {}, True),
        (4, {"n": 4}, None),
    ]
    assert page["floor"] == 2
    assert (await history(here.ada, worker_id, "after=2"))["events"] == (await history(here.ada, worker_id, ""))[
        "events"
    ]
    assert (await history(here.ada, worker_id, "before=3"))["events"] == []
    answer = await here.ada.public("GET", f"{WORKERS}/{worker_id}/events?after=1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "stale_cursor")


async def test_payloads_reach_the_stream_byte_faithfully(here: Node, worker_id: str) -> None:
    await created(here.ada, worker_id)
    payload = {"b": {}, "a": [1.5, 12345678901234567890123, None, " x "], "é": "\u0001\u2028", "text": "  kept "}
    seq = await appended(here.ada, worker_id, payload)
    stream = await here.ada.public("GET", f"{WORKERS}/{worker_id}/stream?cursor={seq - 1}&tail_ms=1")
    [event] = sse_events(stream.text)
    assert event["data"]["payload"] == payload
    assert list(event["data"]["payload"]) == list(payload)
    assert list(event["data"]) == ["workerId", "seq", "eventType", "payload", "occurredAt"]


@pytest.mark.invariant("I6")
async def test_a_batch_is_accepted_once(here: Node, worker_id: str) -> None:
    """DEC-47."""
    await created(here.ada, worker_id)
    path = f"{WORKERS}/{worker_id}/events/batch"
    items = [{"event_id": f"e{n}", "event_type": "worker.event", "payload": {"n": n}} for n in range(3)]
    answer = await here.ada.public("POST", path, json={"events": items})
    assert answer.status_code == 202
    assert answer.json()["data"] == {
        "worker_id": worker_id,
        "events": [{"event_id": f"e{n}", "seq": n + 2, "idempotent_replay": False} for n in range(3)],
    }
    again = await here.ada.public("POST", path, json={"events": items})
    assert again.status_code == 200
    assert [item["seq"] for item in again.json()["data"]["events"]] == [2, 3, 4]
    new = {"event_id": "e3", "event_type": "worker.event"}
    mixed = await here.ada.public("POST", path, json={"events": [items[2], new]})
    assert mixed.status_code == 202
    assert [item["idempotent_replay"] for item in mixed.json()["data"]["events"]] == [True, False]
    other = {**items[0], "payload": {"n": 9}}
    refused = await here.ada.signed(
        "POST", f"{SIGNED}/{worker_id}/events/batch", json={"events": [new | {"event_id": "e9"}, other]}
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert (await here.ada.public("GET", f"{WORKERS}/{worker_id}")).json()["data"]["latest_seq"] == 5


async def test_a_tailing_stream_delivers_what_comes(here: Node, worker_id: str) -> None:
    await created(here.ada, worker_id)
    path = f"{WORKERS}/{worker_id}/stream"
    headers = {"authorization": f"Bearer {here.ada.bearer}"}
    async with here.http.stream("GET", f"/api{path}", params={"tail_ms": "5000"}, headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-cache, no-transform"
        assert stream.headers["x-accel-buffering"] == "no"
        seqs = [await appended(here.ada, worker_id, {"n": n}) for n in range(3)]
        text = ""
        async for chunk in stream.aiter_text():
            text += chunk
            if text.count("\n\n") == 3:
                break
    assert [event["id"] for event in sse_events(text)] == seqs == [2, 3, 4]


@pytest.mark.invariant("I8")
async def test_many_streams_see_the_same_complete_sequence(here: Node, worker_id: str) -> None:
    await created(here.ada, worker_id)
    path = f"{WORKERS}/{worker_id}/stream?cursor=0&tail_ms=1500"
    streams = [asyncio.create_task(here.ada.public("GET", path)) for _ in range(8)]
    await asyncio.gather(*(appended(here.ada, worker_id, {"n": n}) for n in range(40)))
    for stream in streams:
        assert [event["id"] for event in sse_events((await stream).text)] == list(range(1, 42))


async def test_cursors_of_the_signed_stream(here: Node, worker_id: str) -> None:
    await created(here.ada, worker_id)
    await appended(here.ada, worker_id, {})
    path = f"{SIGNED}/{worker_id}/stream"

    async def ids(query: str, headers: dict[str, str] | None = None) -> list[int]:
        answer = await here.ada.signed("GET", f"{path}?tail_ms=1&{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        return [event["id"] for event in sse_events(answer.text)]

    assert await ids("") == []
    assert await ids("cursor=1") == [2]
    assert await ids("", {"last-event-id": "0"}) == [1, 2]
    assert await ids("cursor=1", {"last-event-id": "1"}) == [2]
    assert await ids("cursor=99") == []
    for query, headers in (
        ("cursor=1", {"last-event-id": "0"}),
        ("cursor=-1", {}),
        ("cursor=x", {}),
        ("tail_ms=0", {}),
    ):
        answer = await here.ada.signed("GET", f"{path}?{query}", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


async def test_the_last_event_id_wins_on_the_public_stream(here: Node, worker_id: str) -> None:
    """D10."""
    await created(here.ada, worker_id)
    headers = {"authorization": f"Bearer {here.ada.bearer}", "last-event-id": "0"}
    answer = await here.http.get(f"/api{WORKERS}/{worker_id}/stream?cursor=1&tail_ms=1", headers=headers)
    assert [event["id"] for event in sse_events(answer.text)] == [1]
    assert (await here.ada.public("GET", f"{WORKERS}/{worker_id}/stream?tail_ms=120001")).status_code == 422


@pytest.mark.invariant("I8")
async def test_a_cursor_below_the_oldest_event_is_stale(here: Node, pool: "asyncpg.Pool[Any]", worker_id: str) -> None:
    await created(here.ada, worker_id)
    for n in range(3):
        await appended(here.ada, worker_id, {"n": n})
    await pool.execute("delete from events where seq < 3 and stream like '%' || $1", worker_id)
    answer = await here.ada.public("GET", f"{WORKERS}/{worker_id}/stream?cursor=1&tail_ms=1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "stale_cursor")
    assert (await here.ada.public("GET", f"{WORKERS}/{worker_id}/stream?cursor=2&tail_ms=1")).status_code == 200


async def test_health_needs_a_token_and_probes_do_not(here: Node) -> None:
    """Runtime §2.5, DEC-3."""
    assert (await here.ada.signed("GET", "/health")).json() == {
        "status": "ok",
        "service": "openagents-runtime",
        "version": "test",
    }
    assert (await here.http.get("/internal/v1/health")).status_code == 401
    for path in ("/livez", "/readyz", "/metrics", "/up"):
        assert (await here.http.get(path)).status_code == 200


async def test_guests_have_workers_of_their_own(here: Node, worker_id: str) -> None:
    async def guest(scope: str) -> int:
        headers = {"x-oa-runtime-signature": signed_token(guest_scope=scope), "x-oa-guest-scope": scope}
        answer = await here.http.get(f"/internal/v1{SIGNED}/{worker_id}/snapshot", headers=headers)
        return answer.status_code

    headers = {"x-oa-runtime-signature": signed_token(guest_scope="g-1"), "x-oa-guest-scope": "g-1"}
    answer = await here.http.post(f"/internal/v1{SIGNED}", json={"worker_id": worker_id}, headers=headers)
    assert answer.status_code == 202
    assert (await guest("g-1"), await guest("g-2")) == (200, 403)
    both = {"x-oa-guest-scope": "g-3"}
    answer = await here.ada.signed("POST", SIGNED, json={"worker_id": worker_id}, headers=both)
    assert answer.status_code == 403  # the token is not for this guest
