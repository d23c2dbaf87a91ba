"""Turns of Codex workers are charged to a budget at a price per model, and cut short when it pays no more (ADR 14)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from tests.charged_workers import REPORT_TOKENS, Desk, desk_of

Pool = asyncpg.Pool


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
async def desk(pool: "Pool[Any]") -> AsyncIterator[Desk]:
    async with desk_of(pool) as desk:
        yield desk


async def test_a_turn_has_a_hold_that_is_charged_and_spent_when_it_ends(desk: Desk) -> None:
    """runtime §3.5, DEC-50: held, charged by sums, committed with what it cost"""
    await desk.authorize(max_total_sats=100)
    await desk.bind("wk1", 10)
    await desk.report("wk1", 2000)
    assert await desk.totals() == (0, 10)
    await desk.report("wk1", 3500)
    hold = await desk.hold("wk1")
    assert hold
    assert (hold.status, hold.amount_msats, hold.charged_msats) == ("reserved", 10_000, 3500)
    await desk.end("wk1", 4001)
    assert (await desk.budget()).spent_msats == 4001
    assert await desk.totals() == (5, 0)
    assert await desk.interruptions("wk1") == []


@pytest.mark.parametrize(("model", "charged_msats"), [("small", 1000), ("large", 5000), ("new", 5000), (None, 5000)])
async def test_a_model_without_a_price_costs_as_much_as_the_dearest(
    desk: Desk, model: str | None, charged_msats: int
) -> None:
    await desk.authorize()
    await desk.bind("wk1", 10)
    await desk.report("wk1", 1000, model)
    hold = await desk.hold("wk1")
    assert hold
    assert hold.charged_msats == charged_msats


async def test_a_turn_that_is_told_of_when_it_ends_is_held_and_spent_at_once(desk: Desk) -> None:
    """Daemons that do not meter"""
    await desk.authorize()
    await desk.bind("wk1", 10)
    await desk.end("wk1", 4000)
    assert await desk.totals() == (4, 0)


async def test_a_turn_that_used_its_hold_up_is_interrupted_once_and_told(desk: Desk) -> None:
    await desk.authorize()
    await desk.bind("wk1", 3)
    for tokens in (1000, 2000):
        await desk.report("wk1", tokens)
    assert await desk.interruptions("wk1") == []
    for tokens in (3000, 4000):  # while it is asked nobody asks again
        await desk.report("wk1", tokens)
    assert await desk.interruptions("wk1") == [{"thread_id": "th", "turn_id": "t-wk1"}]
    [told] = await desk.notifications()
    assert (told["cause"], told["subject"]["reason_code"]) == ("turn_unpaid", "hold_used_up")
    await desk.end("wk1", 4000, "interrupted")
    assert await desk.totals() == (3, 0)


@pytest.mark.parametrize(
    ("authorization_id", "reason"),
    [("a", "over_budget"), ("none", "authorization_not_found"), ("theirs", "authorization_not_found")],
)
async def test_a_turn_that_nobody_pays_for_is_interrupted(desk: Desk, authorization_id: str, reason: str) -> None:
    """runtime §3.5: over_budget, nothing held; DEC-37"""
    await desk.authorize(max_total_sats=3)
    await desk.authorize("theirs", "user:42")
    await desk.bind("wk1", 10, authorization_id)
    await desk.report("wk1", 1000)
    assert len(await desk.interruptions("wk1")) == 1
    [told] = await desk.notifications()
    assert told["subject"]["reason_code"] == reason
    assert (await desk.totals(), (await desk.budget("theirs")).held_msats) == ((0, 0), 0)


async def test_what_is_told_again_changes_nothing(desk: Desk) -> None:
    """ADR 14: at least once told, exactly once charged, in any order"""
    await desk.authorize()
    await desk.bind("wk1", 2)
    events = [*await desk.report("wk1", 1000), *await desk.report("wk1", 2000), *await desk.end("wk1", 2000)]
    before = (await desk.reader.head()).position
    await desk.charges.react(events)
    await desk.charges.react(events[1:2])
    assert (await desk.reader.head()).position == before
    assert len(await desk.interruptions("wk1")) == 1


async def test_a_worker_that_is_not_bound_is_not_charged(desk: Desk) -> None:
    """A binding of another shape is none"""
    await desk.authorize()
    await desk.bind("wk1", 2)
    await desk.append("wk1", "worker.charging.set", {})
    await desk.report("wk1", 9000)
    assert (await desk.totals(), await desk.interruptions("wk1")) == ((0, 0), [])


async def test_what_is_told_of_a_turn_that_has_ended_costs_nothing_more(desk: Desk) -> None:
    """runtime §3.5: what is committed stays as it is"""
    await desk.authorize()
    await desk.bind("wk1", 2)
    await desk.end("wk1", 1000)
    await desk.report("wk1", 9000)
    assert (await desk.totals(), await desk.interruptions("wk1"), await desk.notifications()) == ((1, 0), [], [])


async def test_a_turn_that_goes_on_is_asked_again_at_its_next_report(desk: Desk) -> None:
    """Not when the same sum is told again"""
    await desk.authorize()
    await desk.bind("wk1", 2)
    for tokens, asked in ((2000, 1), (2000, 1), (3000, 2)):
        await desk.report("wk1", tokens)
        assert len(await desk.interruptions("wk1")) == asked
        await desk.answer_requests("wk1")
    assert len(await desk.notifications()) == 1


async def test_a_refused_report_that_is_told_again_asks_for_nothing(desk: Desk) -> None:
    """ADR 14: at least once told"""
    await desk.authorize(max_total_sats=1)
    await desk.bind("wk1", 2)
    events = await desk.report("wk1", 1000)
    await desk.answer_requests("wk1")
    await desk.charges.react(events)
    assert len(await desk.interruptions("wk1")) == 1


async def test_a_worker_that_takes_no_requests_is_told_of_and_not_asked(desk: Desk) -> None:
    """DEC-45: it would only be echoed"""
    await desk.authorize(max_total_sats=1)
    await desk.bind("wk1", 2)
    await desk.append("wk1", "worker.heartbeat", {"source": "autopilot-desktop", "accepts_requests": False})
    await desk.report("wk1", 1000)
    assert (await desk.interruptions("wk1"), len(await desk.notifications())) == ([], 1)


async def test_each_decision_about_a_turn_is_counted_once(desk: Desk) -> None:
    """DEC-37"""
    before = {decision: decisions(decision) for decision in ("allowed", "denied")}
    await desk.authorize(max_total_sats=3)
    for name in ("wk1", "wk2"):
        await desk.bind(name, 2)
        for tokens in (1000, 1500, 2000):
            await desk.charges.react(await desk.report(name, tokens))
    assert {decision: decisions(decision) - count for decision, count in before.items()} == {"allowed": 1, "denied": 1}


def decisions(decision: str) -> float:
    labels = {"decision": decision, "authorization_mode": "delegated_budget", "settlement_boundary": "true"}
    return REGISTRY.get_sample_value("openagents_runtime_policy_decision_count_total", labels) or 0.0


async def test_fifty_turns_overshoot_by_one_report_each_at_most(desk: Desk) -> None:
    """runtime §3.4, §3.5: side by side on one budget"""
    await desk.authorize(max_total_sats=100)
    names = [f"wk{number:02}" for number in range(50)]
    await asyncio.gather(*(desk.bind(name, 4) for name in names))
    used = dict.fromkeys(names, 0)

    async def turn(name: str) -> None:
        while not await desk.interruptions(name):
            used[name] += REPORT_TOKENS
            await desk.report(name, used[name])
        await desk.end(name, used[name], "interrupted")

    await asyncio.gather(*map(turn, names))
    assert await desk.totals() == (100, 0)
    assert 100 <= sum(used.values()) / REPORT_TOKENS <= 100 + len(names)
    assert [len(await desk.interruptions(name)) for name in names] == [1] * len(names)
