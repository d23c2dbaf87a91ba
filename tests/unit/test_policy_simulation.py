"""What a policy set would have refused on what happened: calls, rates, money (docs/policy.md)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from producers.policy_calls import Call, Windows, call_of
from producers.policy_documents import document
from producers.policy_rules import ActiveSet, Counted, Facts, Rules
from producers.policy_simulation import MAX_EXAMPLES, Money, Report, Simulation
from schemas.events import Payload, Recorded

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
RUN = "run_1"


class History:
    """Events one after the other; `at` is seconds since noon."""

    def __init__(self) -> None:
        self.events = list[Recorded]()

    def add(self, stream: str, type_: str, payload: Payload, at: float = 0) -> Recorded:
        seq = len(self.events) + 1
        kind = stream.partition("/")[0]
        moment = NOON + timedelta(seconds=at)
        self.events.append(Recorded(seq, kind, stream, seq, type_, 1, "user:41", payload, b"", {}, moment))
        return self.events[-1]

    def hold(self, hold_id: str, msats: int, at: float = 0, call: str = "tc", **metadata: Any) -> Recorded:
        payload = {"hold_id": hold_id, "run_id": RUN, "tool_call_id": call, "amount_msats": msats, "metadata": metadata}
        return self.add(f"hold/{hold_id}", "hold.reserved", payload, at)

    def commit(self, hold_id: str, msats: int, at: float = 0) -> Recorded:
        return self.add(f"hold/{hold_id}", "hold.committed", {"spent_msats": msats}, at)

    def tool(self, name: str, at: float = 0, call: str = "tc", **told: Any) -> Recorded:
        payload = {"tool_call_id": call, "tool_name": name, "input": told}
        return self.add(f"run/{RUN}", "tool.call", payload, at)

    def denied(self, at: float = 0, **payload: Any) -> Recorded:
        return self.add(f"run/{RUN}", "policy.decision", {"tool_call_id": "tc", "decision": "denied", **payload}, at)

    def simulated(self, *deny: Payload, since: datetime = NOON) -> Report:
        rules = Rules([ActiveSet(1, document({"name": "draft", "deny": list(deny)}))])
        simulation = Simulation(rules, since)
        for event in self.events:
            simulation.take(event)
        return simulation.report


NO_GIT = {"rule": "git", "tools": ["git.*"]}
NO_PAYMENT = {"rule": "dear", "tools": ["pay"], "above_sats": 10}
TWICE = {"rule": "twice", "tools": ["*"], "above_rate": "2/minute"}


# --- calls ----------------------------------------------------------------------------------------------------------


def test_a_hold_is_a_call_that_costs() -> None:
    event = History().hold("h1", 1_001, tool="pay", url="https://API.example.com:443/x", project="web")
    assert call_of(event) == Call(RUN, "tc", Facts("pay", NOON, 2, "api.example.com", "web"), hold_id="h1")


def test_a_call_without_a_tool_is_called_spend() -> None:
    call = call_of(History().hold("h1", 1_000))
    assert call is not None
    assert call.facts.tool == "spend"


def test_a_tool_call_has_its_own_name_whatever_its_input_says() -> None:
    event = History().tool("git.push", tool="harmless", host="example.com")
    assert call_of(event) == Call(RUN, "tc", Facts("git.push", NOON, host="example.com"))


def test_a_denial_is_of_what_was_decided_on() -> None:
    facts = {"tool": "pay", "host": "a.b", "now": "2026-01-01T00:00:00Z", "recent": {}}
    event = History().denied(amount_sats=7, inputs={"facts": facts})
    assert call_of(event) == Call(RUN, "tc", Facts("pay", NOON, 7, "a.b"), denied=True)
    bare = call_of(History().denied())
    assert bare == Call(RUN, "tc", Facts("spend", NOON), denied=True)


@pytest.mark.parametrize("type_", ["hold.reserved", "policy.decision", "tool.call"])
def test_of_what_was_erased_nothing_is_known(type_: str) -> None:
    """ADR 12."""
    assert call_of(History().add("run/r", type_, {})) is None


def test_other_events_are_no_calls() -> None:
    assert call_of(History().add("run/r", "run.delta", {"delta": "x"})) is None


@pytest.mark.parametrize("url", ["http://[", "no url", "", 7, None])
def test_a_url_without_a_host(url: Any) -> None:
    call = call_of(History().tool("fetch", url=url))
    assert call is not None
    assert call.facts.host is None


# --- windows --------------------------------------------------------------------------------------------------------


def test_a_window_slides() -> None:
    minute, hour = Counted("a", 60), Counted("b", 3600)
    windows = Windows()
    windows.add([minute, hour], NOON)
    windows.add([minute], NOON + timedelta(seconds=30))
    assert windows.recent([minute, hour], NOON + timedelta(seconds=59)) == {"a": 2, "b": 1}
    assert windows.recent([minute], NOON + timedelta(seconds=60)) == {"a": 1}
    assert windows.recent([minute, hour], NOON + timedelta(seconds=3599)) == {"a": 0, "b": 1}
    assert windows.recent([hour], NOON + timedelta(seconds=3600)) == {"b": 0}


# --- simulation -----------------------------------------------------------------------------------------------------


def test_calls_are_refused_by_their_tool() -> None:
    history = History()
    history.tool("git.push", call="a")
    history.tool("mail", call="b")
    report = history.simulated(NO_GIT)
    assert (report.calls, report.denied, report.refused) == (2, 0, {"git": 1})
    [example] = report.examples
    assert (example.position, example.run_id, example.tool_call_id, example.fired.rule) == (1, RUN, "a", "git")


def test_money_that_would_have_been_saved_and_what_would_have_been_spent() -> None:
    history = History()
    history.hold("dear", 20_000, tool="pay")
    history.hold("cheap", 10_000, tool="pay")
    history.hold("open", 5_000, tool="pay")
    history.commit("dear", 15_000)
    history.commit("cheap", 9_000)
    assert history.simulated(NO_PAYMENT).money == Money(
        held_msats=15_000, spent_msats=9_000, refused_msats=20_000, saved_msats=15_000
    )


def test_a_tool_call_with_a_hold_is_one_call() -> None:
    history = History()
    history.hold("h1", 1_000, call="a", tool="git.push")
    history.tool("git.push", call="a")
    history.tool("git.push", call="b")
    report = history.simulated(NO_GIT)
    assert (report.calls, report.refused) == (2, {"git": 2})


def test_what_was_denied_then_is_not_refused_again() -> None:
    history = History()
    history.denied(inputs={"facts": {"tool": "git.push"}})
    report = history.simulated(NO_GIT)
    assert (report.calls, report.denied, report.refused) == (1, 1, {})


def test_a_rate_counts_what_would_have_gone_through() -> None:
    """Refused calls do not keep themselves refused; neither do those that were denied at the time."""
    history = History()
    history.denied(at=0)
    for at in (1, 2, 3, 4, 61, 62):
        history.tool("x", at=at, call=f"c{at}")
    report = history.simulated(TWICE)
    assert [example.tool_call_id for example in report.examples] == ["c3", "c4"]


def test_a_rate_knows_the_calls_before_the_beginning() -> None:
    history = History()
    for at in (-20, -10, 1):
        history.tool("x", at=at, call=f"c{at}")
    report = history.simulated(TWICE)
    assert (report.calls, report.refused) == (1, {"twice": 1})


def test_money_held_before_the_beginning_is_not_counted() -> None:
    history = History()
    history.hold("h1", 20_000, at=-1, tool="pay")
    history.commit("h1", 20_000, at=1)
    assert history.simulated(NO_PAYMENT).money == Money()


def test_examples_are_the_newest() -> None:
    history = History()
    for number in range(MAX_EXAMPLES + 5):
        history.tool("git.push", call=str(number))
    report = history.simulated(NO_GIT)
    assert report.refused == {"git": MAX_EXAMPLES + 5}
    assert [example.tool_call_id for example in report.examples] == [str(n) for n in range(5, MAX_EXAMPLES + 5)]
