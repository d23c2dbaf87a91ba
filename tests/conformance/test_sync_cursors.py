"""What a cursor means: zero, stale, beyond the head (sync §15.3, §20.1; SD-1, SD-2, SD-5)."""

from typing import Any

import pytest

from edge.sync.settings import SyncSettings
from schemas.history import Epoch, History
from tests.live_sockets import EVENTS, ME, SOMEBODY_ELSE, SUMMARIES, MemoryTopic, connected, hub_of, until

HAZARD = SyncSettings(zero_is_no_cursor=False)


def aged(topic: str = EVENTS) -> MemoryTopic:
    """Mine: 1–3 and 6 beyond the horizon, 8–9 within; somebody else's: the rest, 7 and 10 beyond it."""
    rows = MemoryTopic(topic)
    rows.commit(ME, 3, is_old=True)
    rows.commit(SOMEBODY_ELSE, 2, is_old=True)
    rows.commit(ME, is_old=True)
    rows.commit(SOMEBODY_ELSE, is_old=True)
    rows.commit(ME, 2)
    rows.commit(SOMEBODY_ELSE, is_old=True)
    rows.hand_out()
    return rows


async def answered(
    cursors: dict[str, int] | None, settings: SyncSettings | None = None, topic: MemoryTopic | None = None
) -> tuple[Any, list[int]]:
    async with connected(hub_of(topic or aged()), settings=settings) as peer:
        await peer.join()
        reply = await peer.reply(peer.subscribe(cursors=cursors))
        return reply, peer.watermarks()


async def test_without_a_cursor_the_oldest_row_within_the_horizon_comes_first() -> None:
    reply, watermarks = await answered(None)
    assert (reply["status"], watermarks) == ("ok", [8, 9])


async def test_an_explicit_zero_means_no_cursor() -> None:
    reply, watermarks = await answered({EVENTS: 0})
    assert (reply["status"], watermarks) == ("ok", [8, 9])


async def test_an_explicit_zero_is_stale_when_the_switch_is_off() -> None:
    reply, watermarks = await answered({EVENTS: 0}, HAZARD)
    assert (reply["response"]["code"], watermarks) == ("stale_cursor", [])


async def test_an_explicit_zero_is_fine_when_nothing_is_lost_though_the_switch_is_off() -> None:
    topic = MemoryTopic()
    topic.publish(count=2)
    reply, watermarks = await answered({EVENTS: 0}, HAZARD, topic)
    assert (reply["status"], watermarks) == ("ok", [1, 2])


async def test_a_cursor_at_the_floor_is_fine() -> None:
    reply, watermarks = await answered({EVENTS: 6})
    assert (reply["status"], watermarks) == ("ok", [8, 9])


@pytest.mark.invariant("I8")
async def test_a_cursor_below_the_floor_is_stale() -> None:
    reply, watermarks = await answered({EVENTS: 5})
    stale = {"topic": EVENTS, "resume_after": 5, "retention_floor": 6}
    assert (reply["status"], watermarks) == ("error", [])
    assert reply["response"]["stale_topics"] == [stale]


async def test_old_rows_of_somebody_else_make_no_cursor_stale() -> None:
    """10 is beyond the horizon, and not mine."""
    reply, watermarks = await answered({EVENTS: 7})
    assert (reply["status"], watermarks) == ("ok", [8, 9])


@pytest.mark.invariant("I8")
async def test_a_cursor_beyond_the_head_is_no_cursor() -> None:
    reply, watermarks = await answered({EVENTS: 11})
    assert (reply["status"], watermarks) == ("ok", [8, 9])


async def test_a_cursor_at_the_head_is_a_cursor_though_the_tail_lags() -> None:
    topic = aged()
    topic.commit(ME)
    reply, watermarks = await answered({EVENTS: 11}, topic=topic)
    assert (reply["status"], watermarks) == ("ok", [])


async def test_all_stale_topics_are_told_in_request_order_and_all_or_nothing() -> None:
    events, summaries = aged(EVENTS), aged(SUMMARIES)
    async with connected(hub_of(events, summaries)) as peer:
        await peer.join()
        ref = peer.subscribe(SUMMARIES, EVENTS, cursors={EVENTS: 1, SUMMARIES: 2})
        response = (await peer.reply(ref))["response"]
        assert [topic["topic"] for topic in response["stale_topics"]] == [SUMMARIES, EVENTS]
        push, reply = peer.messages[-2:]
        assert (push[3], push[4]) == ("sync:error", reply[4]["response"])
        ref = peer.subscribe(SUMMARIES, EVENTS, cursors={EVENTS: 1})
        assert (await peer.reply(ref))["status"] == "error"
        assert peer.batches() == []


async def test_a_stale_cursor_leaves_earlier_subscriptions_alone() -> None:
    topic = aged()
    async with connected(hub_of(topic)) as peer:
        await peer.join()
        await peer.reply(peer.subscribe())
        assert (await peer.reply(peer.subscribe(cursors={EVENTS: 1})))["status"] == "error"
        topic.publish(ME)
        await until(lambda: 11 in peer.watermarks())
        assert peer.watermarks() == [8, 9, 11]


@pytest.mark.invariant("I8")
async def test_a_cursor_of_rows_that_a_restore_lost_is_stale() -> None:
    """ADR 11: everything above 7 was lost, and the history goes on above 9."""
    topic = aged()
    topic.history = History([Epoch(1, 0, 0), Epoch(2, 7, 9)])
    reply, watermarks = await answered({EVENTS: 8}, topic=topic)
    assert reply["response"]["stale_topics"] == [{"topic": EVENTS, "resume_after": 8, "retention_floor": 9}]
    assert watermarks == []
    reply, watermarks = await answered({EVENTS: 7}, topic=topic)
    assert (reply["status"], watermarks) == ("ok", [8, 9])
