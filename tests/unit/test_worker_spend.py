"""What turns used, by Codex's own reports, and the caps on it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from oa_client.worker.spend import Spend
from oa_client.workers import Limits, Payload, Usage

from producers import worker_events
from schemas import daemons

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Facts:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def fact(self, name: str) -> str | None:
        return self.kept.get(name)

    def set_fact(self, name: str, value: str | None) -> None:
        assert value is not None
        self.kept[name] = value


class Day:
    """A spend whose events, interrupts and clock a test can see."""

    def __init__(self, limits: Limits | None = None, facts: Facts | None = None, now: datetime = NOON) -> None:
        self.now = now
        self.facts = facts or Facts()
        self.events: list[tuple[str, Payload]] = []
        self.interrupted: list[tuple[str, str, str]] = []
        self.spend = Spend(
            self.facts,
            limits or Limits(),
            note=self._note,
            interrupt=lambda *ended: self.interrupted.append(ended),
            now=lambda: self.now,
        )

    def _note(self, event_type: str, payload: Payload) -> None:
        is_typed = worker_events.typed(event_type, payload) is not None
        assert is_typed or event_type == daemons.METERED, "the server takes it"
        self.events.append((event_type, payload))

    def begin(self, thread_id: str = "t1", preview: str = "") -> None:
        self.says("thread/started", thread={"id": thread_id, "preview": preview})

    def start(self, turn_id: str = "u1", thread_id: str = "t1") -> None:
        self.says("turn/started", threadId=thread_id, turn={"id": turn_id, "status": "inProgress"})

    def report(self, total: int, last: int, turn_id: str = "u1", thread_id: str = "t1") -> None:
        usage = {"total": counts(total), "last": counts(last), "modelContextWindow": None}
        self.says("thread/tokenUsage/updated", threadId=thread_id, turnId=turn_id, tokenUsage=usage)

    def end(self, status: str = "completed", turn_id: str = "u1", thread_id: str = "t1") -> None:
        self.says("turn/completed", threadId=thread_id, turn={"id": turn_id, "status": status})

    def says(self, method: str, **params: Any) -> None:
        self.spend.notice({"method": method, "params": params})

    @property
    def used(self) -> list[tuple[str, str, int]]:
        told = [payload for event_type, payload in self.events if event_type == "worker.turn.usage"]
        return [(usage["turn_id"], usage["outcome"], usage["total_tokens"]) for usage in told]


def counts(total: int) -> Payload:
    cached, reasoning = total // 4, total // 8
    return {
        "inputTokens": total - total // 2,
        "cachedInputTokens": cached,
        "outputTokens": total // 2,
        "reasoningOutputTokens": reasoning,
        "totalTokens": total,
        "cacheWriteInputTokens": 0,
    }


def test_a_turn_tells_what_it_used_when_it_ends() -> None:
    day = Day()
    day.spend.uses("t1", "gpt-x")
    day.begin()
    day.start()
    day.report(100, 100)
    day.report(180, 80)
    day.end()
    assert day.events == [
        (
            "worker.turn.usage",
            {
                "thread_id": "t1",
                "turn_id": "u1",
                "outcome": "completed",
                "input_tokens": 90,
                "cached_input_tokens": 45,
                "output_tokens": 90,
                "reasoning_output_tokens": 22,
                "total_tokens": 180,
                "model": "gpt-x",
            },
        )
    ]


def test_a_turn_that_a_budget_pays_for_tells_what_it_uses_while_it_runs() -> None:
    """The sum at each report; what Codex repeats is not told again; remembered over a restart"""
    day = Day()
    day.spend.charged({"authorization_id": "a"})
    day.spend.uses("t1", "gpt-x")
    day.begin()
    day.start()
    for total, last in ((100, 100), (100, 100), (180, 80)):
        day.report(total, last)
    again = Day(facts=day.facts)
    again.report(190, 10)
    metered = [payload for event_type, payload in day.events + again.events if event_type == daemons.METERED]
    assert metered == [
        {"thread_id": "t1", "turn_id": "u1", "total_tokens": total, "model": "gpt-x"} for total in (100, 180, 190)
    ]


def test_a_turn_that_nobody_pays_for_any_more_tells_at_its_end_only() -> None:
    day = Day()
    day.spend.charged({"authorization_id": "a"})
    day.spend.charged({})
    day.begin()
    day.start()
    day.report(100, 100)
    day.end()
    assert [event_type for event_type, _ in day.events] == ["worker.turn.usage"]


def test_a_report_that_codex_repeats_counts_once() -> None:
    day = Day()
    day.begin()
    day.start()
    for _ in range(3):
        day.report(100, 100)
    day.end()
    assert day.used == [("u1", "completed", 100)]


def test_each_turn_of_a_thread_counts_what_is_its_own() -> None:
    day = Day()
    day.begin()
    for turn_id, total in (("u1", 100), ("u2", 160)):
        day.start(turn_id)
        day.report(total, total - 100 or 100, turn_id)
        day.end(turn_id=turn_id)
    assert day.used == [("u1", "completed", 100), ("u2", "completed", 60)]


@pytest.mark.parametrize("told_of", ["old", "u1"])  # Codex 0.169 says it when it resumes, 0.104 when a turn begins
def test_what_a_thread_used_before_it_was_resumed_or_forked_is_nobodys(told_of: str) -> None:
    day = Day()
    day.begin(preview="what was said first")
    day.start("u1")
    day.report(700, 700, told_of)
    day.report(740, 40)
    day.end()
    assert day.used == [("u1", "completed", 40)]


def test_a_thread_that_counts_anew_counts_by_its_newest_call() -> None:
    day = Day()
    day.begin()
    day.start()
    day.report(500, 500)
    day.report(30, 30)
    day.end()
    assert day.used == [("u1", "completed", 530)]


def test_turns_of_two_threads_at_once_are_told_apart() -> None:
    day = Day()
    day.begin("t1")
    day.begin("t2")
    day.start("u1", "t1")
    day.start("u2", "t2")
    day.report(10, 10, "u1", "t1")
    day.report(30, 30, "u2", "t2")
    day.end("completed", "u2", "t2")
    day.end("failed", "u1", "t1")
    assert day.used == [("u2", "completed", 30), ("u1", "failed", 10)]


def test_a_turn_that_codex_took_with_it_tells_what_was_seen() -> None:
    day = Day()
    day.begin()
    day.start()
    day.report(70, 70)
    day.spend.lost()
    day.spend.lost()
    assert day.used == [("u1", "failed", 70)]


def test_a_turn_that_the_daemon_took_with_it_is_told_by_the_next_one() -> None:
    killed = Day()
    killed.begin()
    killed.start()
    killed.report(70, 70)
    restarted = Day(facts=killed.facts)
    restarted.spend.lost()
    assert restarted.used == [("u1", "failed", 70)]


def test_reports_in_an_unknown_shape_are_no_reason_to_end() -> None:
    day = Day(Limits(turn_tokens=1))
    day.begin()
    day.start()
    day.says("thread/tokenUsage/updated", threadId="t1", turnId="u1", tokenUsage={"total": "much"})
    day.end()
    assert day.used == [("u1", "completed", 0)]


@pytest.mark.parametrize(
    ("limits", "used", "ends"),
    [
        (Limits(turn_tokens=100), 100, False),
        (Limits(turn_tokens=100), 101, True),
        (Limits(day_tokens=100), 100, False),
        (Limits(day_tokens=100), 101, True),
        (Limits(), 10**9, False),
    ],
)
def test_a_turn_is_interrupted_at_the_report_that_is_over_a_cap(limits: Limits, used: int, ends: bool) -> None:
    day = Day(limits)
    day.begin()
    day.start()
    day.report(used, used)
    day.report(used, used)
    assert [(thread_id, turn_id) for thread_id, turn_id, _ in day.interrupted] == [("t1", "u1")] * ends


def test_a_turn_that_a_cap_interrupted_was_over_its_limit() -> None:
    day = Day(Limits(turn_tokens=100))
    day.begin()
    day.start()
    day.report(120, 120)
    day.end("interrupted")
    assert day.used == [("u1", "over_limit", 120)]
    assert "used 120 tokens, its cap is 100" in day.interrupted[0][2]


def test_a_turn_that_was_done_before_its_cap_ended_it_is_completed() -> None:
    day = Day(Limits(turn_tokens=100))
    day.begin()
    day.start()
    day.report(120, 120)
    day.end("completed")
    assert day.used == [("u1", "completed", 120)]


def test_a_turn_that_a_person_interrupted_is_not_over_its_limit() -> None:
    day = Day(Limits(turn_tokens=100))
    day.begin()
    day.start()
    day.report(20, 20)
    day.end("interrupted")
    assert day.used == [("u1", "interrupted", 20)]


def test_when_the_day_is_used_up_no_turn_begins_until_the_next() -> None:
    day = Day(Limits(day_tokens=100))
    assert day.spend.refusal() is None
    day.begin()
    day.start()
    day.report(100, 100)
    refusal = day.spend.refusal()
    assert refusal is not None
    assert "the day's cap is 100" in refusal
    assert "before 2026-11-23T00:00:00Z" in refusal
    day.now = datetime(2026, 11, 23, tzinfo=UTC)
    assert day.spend.refusal() is None


def test_a_turn_over_midnight_counts_on_both_days() -> None:
    day = Day(Limits(day_tokens=100), now=NOON.replace(hour=23, minute=59))
    day.begin()
    day.start()
    day.report(90, 90)
    day.now += timedelta(minutes=2)
    day.report(130, 40)
    day.end()
    assert (day.interrupted, day.spend.refusal()) == ([], None)
    assert day.used == [("u1", "completed", 130)]


@pytest.mark.parametrize(
    ("own", "set_remotely", "counts"),
    [
        (Limits(turn_tokens=10), Limits(turn_tokens=20, day_tokens=30), Limits(turn_tokens=10, day_tokens=30)),
        (Limits(turn_tokens=20), Limits(turn_tokens=10), Limits(turn_tokens=10)),
        (Limits(day_tokens=5), Limits(), Limits(day_tokens=5)),
    ],
)
def test_the_lower_of_the_owners_option_and_a_clients_cap_counts(
    own: Limits, set_remotely: Limits, counts: Limits
) -> None:
    day = Day(own)
    day.spend.set_limits(set_remotely, {"owner": "user:41"})
    assert day.spend.limits == counts


def test_who_set_limits_is_told_and_both_survive_a_restart() -> None:
    day = Day()
    answer = day.spend.set_limits(Limits(day_tokens=9), {"owner": "user:41"})
    assert day.events == [("worker.limits.set", {"day_tokens": 9, "set_by": {"owner": "user:41"}})]
    assert answer == {"turn_tokens": None, "day_tokens": 9}
    assert Day(facts=day.facts).spend.limits == Limits(day_tokens=9)


def test_a_lost_disk_is_made_up_for_by_the_workers_snapshot() -> None:
    day = Day()
    day.spend.restore(Limits(day_tokens=100), Usage("2026-11-22", 100, 900, 3))
    assert day.spend.refusal() is not None


@pytest.mark.parametrize("usage", [None, Usage("2026-11-21", 100, 900, 3), Usage("2026-11-22", 2, 900, 3)])
def test_a_snapshot_that_knows_less_takes_nothing_back(usage: Usage | None) -> None:
    day = Day(Limits(day_tokens=10))
    day.begin()
    day.start()
    day.report(10, 10)
    day.spend.restore(None, usage)
    assert day.spend.refusal() is not None


def test_limits_that_the_edge_has_not_heard_of_yet_survive_a_restart() -> None:
    day = Day()
    day.spend.set_limits(Limits(day_tokens=9), {"owner": "user:41"})
    restarted = Day(facts=day.facts)
    restarted.spend.restore(Limits(), None)
    assert restarted.spend.limits == Limits(day_tokens=9)
