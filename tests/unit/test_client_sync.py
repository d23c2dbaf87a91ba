"""The socket protocol of the client: the machine alone (sync §5–9, §12), then over a real socket."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
from oa_client import Client
from oa_client.errors import BadAnswer, StaleCursor, SubscriptionRefused, Unauthorized
from oa_client.sync import WORKER_EVENTS, Session, SessionEnded, Update, follow

from tests.fake_edge import TOKEN, FakeEdge, serving
from tests.services import free_port

WORKER = "desktopw:shared"


def frame(event: str, payload: object, ref: str | None = None, topic: str = "sync:v1") -> str:
    return json.dumps(["1", ref, topic, event, payload])


def batch(*watermarks: int) -> str:
    updates = [
        {"topic": WORKER_EVENTS, "doc_key": f"k:{mark}", "doc_version": 1, "watermark": mark, "payload": {}}
        for mark in watermarks
    ]
    return frame("sync:update_batch", {"updates": updates, "replay_complete": True})


def marks(updates: list[Update]) -> list[int]:
    return [update.watermark for update in updates]


def test_the_opening_joins_with_a_null_join_ref_and_subscribes_with_the_cursor() -> None:
    join, subscribe = [json.loads(text) for text in Session([WORKER_EVENTS], {WORKER_EVENTS: 40}).opening()]
    assert join == [None, "1", "sync:v1", "phx_join", {}]
    assert subscribe[:4] == ["1", "2", "sync:v1", "sync:subscribe"]
    assert subscribe[4] == {
        "topics": [WORKER_EVENTS],
        "resume_after": {WORKER_EVENTS: 40},
        "replay_batch_size": 200,
    }


def test_heartbeats_count_their_refs_on() -> None:
    session = Session([WORKER_EVENTS], {})
    beats = [json.loads(session.heartbeat()) for _ in range(2)]
    assert [(beat[1], beat[3]) for beat in beats] == [("3", "sync:heartbeat"), ("4", "sync:heartbeat")]


def test_rows_at_or_below_the_cursor_are_dropped() -> None:
    session = Session([WORKER_EVENTS], {WORKER_EVENTS: 41})
    assert marks(session.receive(batch(41, 42, 44))) == [42, 44]
    assert marks(session.receive(batch(44, 45))) == [45]


def test_replies_heartbeats_and_other_topics_give_nothing() -> None:
    session = Session([WORKER_EVENTS], {})
    ok = {"status": "ok", "response": {"subscription_id": "sub_9"}}
    assert session.receive(frame("phx_reply", ok, "1")) == []
    assert not session.subscribed
    assert session.receive(frame("phx_reply", ok, "2")) == []
    assert session.subscribed
    assert session.receive(frame("sync:heartbeat", {"watermarks": []})) == []
    assert session.receive(frame("sync:update_batch", {}, topic="phoenix")) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (frame("sync:error", {"code": "stale_cursor", "message": "old"}), StaleCursor),
        (frame("phx_reply", {"status": "error", "response": {"code": "stale_cursor"}}, "2"), StaleCursor),
        (frame("phx_reply", {"status": "error", "response": {"code": "forbidden_topic"}}, "2"), SubscriptionRefused),
        (frame("phx_reply", {"status": "error", "response": {"reason": "unmatched topic"}}, "5"), SessionEnded),
        (frame("phx_close", {}), SessionEnded),
        (frame("phx_error", {}), SessionEnded),
        (frame("sync:update_batch", {"updates": [{"topic": 1}]}), BadAnswer),
        ('["1","2","sync:v1"]', BadAnswer),
        ("not json", BadAnswer),
    ],
)
def test_what_ends_a_session_says_why(text: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Session([WORKER_EVENTS], {}).receive(text)


async def worker_with_events(edge: FakeEdge, client: Client, count: int) -> None:
    await client.create_worker(WORKER, adapter="desktop_bridge")
    for n in range(count):
        await edge.append("worker.event", {"n": n})


async def take(updates: Any, count: int) -> list[Update]:
    return [await anext(updates) for _ in range(count)]


async def test_what_was_missed_comes_first_and_then_what_happens() -> None:
    edge = FakeEdge()
    async with serving(edge, free_port()) as url, Client(url, TOKEN) as client:
        await worker_with_events(edge, client, 2)
        async with aclosing(follow(client, [WORKER_EVENTS], {WORKER_EVENTS: 1000})) as updates:
            assert marks(await take(updates, 2)) == [1001, 1002]
            await edge.append("worker.event", {"text": "live\u2028"})
            [update] = await take(updates, 1)
            assert update.worker_event().payload == {"text": "live\u2028"}
            assert update.worker_event().seq == 4


async def test_a_cut_socket_is_opened_again_with_a_new_token_and_the_newest_cursor() -> None:
    edge, port = FakeEdge(), free_port()
    async with Client(f"http://127.0.0.1:{port}", TOKEN) as client:
        async with serving(edge, port):
            await worker_with_events(edge, client, 1)
            updates = follow(client, [WORKER_EVENTS])
            assert marks(await take(updates, 2)) == [1000, 1001]
        await edge.append("worker.event", {"while": "away"})
        async with serving(edge, port), aclosing(updates):
            assert marks(await take(updates, 1)) == [1002]
    assert edge.sync_tokens == 2


async def test_heartbeats_are_sent_while_nothing_happens() -> None:
    edge = FakeEdge()
    async with serving(edge, free_port()) as url, Client(url, TOKEN) as client:
        await worker_with_events(edge, client, 0)
        async with aclosing(follow(client, [WORKER_EVENTS], heartbeat_s=0.01)) as updates:
            await take(updates, 1)
            following = asyncio.ensure_future(anext(updates))
            await edge.sent_by_client("sync:heartbeat", 3)
            await edge.append("worker.event", {})
            assert (await following).watermark == 1001


async def test_a_refusal_to_mint_a_token_ends_it() -> None:
    async with serving(FakeEdge(), free_port()) as url, Client(url, "not a token") as client:
        with pytest.raises(Unauthorized):
            await anext(follow(client, [WORKER_EVENTS]))
