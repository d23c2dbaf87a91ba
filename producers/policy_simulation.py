"""What a policy set would have refused, had it counted while a part of the log was written."""

from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from producers.policy_calls import Call, Passed
from producers.policy_rules import Facts, Fired, Rules
from schemas.budgets_generated import HoldCommitted
from schemas.events import Recorded

MAX_EXAMPLES: Final = 20


class Refusal(NamedTuple):
    """A call that went through, and would not have."""

    position: int
    at: datetime
    run_id: str
    tool_call_id: str
    facts: Facts
    fired: Fired


class Money(msgspec.Struct):
    """What was held and what of it was spent: by calls that would have gone through, and by those that would not."""

    held_msats: int = 0
    spent_msats: int = 0
    refused_msats: int = 0
    saved_msats: int = 0


class Report(msgspec.Struct):
    """Of `calls` some were `denied` at the time already; `refused` counts the others by the rule that fired, and
    `examples` are the newest of them."""

    calls: int = 0
    denied: int = 0
    refused: dict[str, int] = {}
    money: Money = msgspec.field(default_factory=Money)
    examples: list[Refusal] = []


class Simulation:
    """Is told of events in their order, from the longest window before `since` on, for the rates."""

    def __init__(self, rules: Rules, since: datetime) -> None:
        self.report = Report()
        self._rules = rules
        self._since = since
        self._passed = Passed(rules)
        self._would_be_held = dict[str, bool]()

    def take(self, event: Recorded) -> None:
        if event.type == HoldCommitted.type:
            self._spent(event)
        elif call := self._passed.call_of(event):
            fired = self._decided(call)
            if event.recorded_at >= self._since:
                self._count(event, call, fired)

    def _decided(self, call: Call) -> Fired | None:
        """Only what went through, and would have, counts for a rate."""
        fired = self._rules.refusal(self._passed.with_counts(call.facts))
        if fired is None and not call.denied:
            self._passed.add(call)
        return fired

    def _count(self, event: Recorded, call: Call, fired: Fired | None) -> None:
        report, money = self.report, self.report.money
        report.calls += 1
        if call.denied:
            report.denied += 1
            return
        msats = event.payload["amount_msats"] if call.hold_id else 0
        if call.hold_id:
            self._would_be_held[call.hold_id] = fired is None
        if fired is None:
            money.held_msats += msats
            return
        money.refused_msats += msats
        report.refused[fired.rule] = report.refused.get(fired.rule, 0) + 1
        refusal = Refusal(event.position, event.recorded_at, call.run_id, call.tool_call_id, call.facts, fired)
        report.examples = [*report.examples, refusal][-MAX_EXAMPLES:]

    def _spent(self, event: Recorded) -> None:
        """A hold from before the beginning is not ours to judge."""
        would_be_held = self._would_be_held.pop(event.stream.partition("/")[2], None)
        spent_msats = event.payload.get("spent_msats", 0)
        if would_be_held is True:
            self.report.money.spent_msats += spent_msats
        elif would_be_held is False:
            self.report.money.saved_msats += spent_msats
