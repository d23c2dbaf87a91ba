"""An owner's calls as the log tells of them, with what rules ask about each, and how many there were lately."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from producers.eventlog.recent import Recent
from producers.policy_rules import Counted, Facts, Rules
from schemas.amounts import sats_of
from schemas.budgets_generated import HoldReserved
from schemas.events import Payload, Recorded
from schemas.names import run_id_of
from schemas.runs_generated import PolicyDecision

SPENDING: Final = "spend"
"""What a call is called of which nobody said the tool."""
LONGEST_WINDOW: Final = timedelta(days=1)
"""Whoever counts for rates has to begin so long before."""
_MOST_HELD: Final = 10_000
"""Between a hold and its tool call no more of an owner's calls begin."""


class Call(NamedTuple):
    """`hold_id` is of the money that was held for it; a call that was `denied` did not go through."""

    run_id: str
    tool_call_id: str
    facts: Facts
    hold_id: str | None = None
    denied: bool = False


def call_of(event: Recorded) -> Call | None:
    """The call that an event tells of; of an erased one nothing is known."""
    payload, at = event.payload, event.recorded_at
    match event.type:
        case HoldReserved.type if payload:
            facts = facts_of(payload["metadata"], at, sats=sats_of(payload["amount_msats"]))
            return Call(payload["run_id"], payload["tool_call_id"], facts, hold_id=payload["hold_id"])
        case PolicyDecision.type if payload:
            facts = _denied(payload, at)
            return Call(run_id_of(event.stream), str(payload.get("tool_call_id")), facts, denied=True)
        case "tool.call" if payload:
            told = _object(payload.get("input")) | {"tool": payload.get("tool_name")}
            return Call(run_id_of(event.stream), str(payload.get("tool_call_id")), facts_of(told, at))
    return None


def facts_of(told: Mapping[str, Any], now: datetime, *, sats: int = 0) -> Facts:
    """Of what a reservation's metadata or a tool's input say: `tool`, `host` or `url`, `project`."""
    return Facts(
        tool=_text(told.get("tool")) or SPENDING,
        now=now,
        amount_sats=sats,
        host=_text(told.get("host")) or _host(_text(told.get("url"))),
        project=_text(told.get("project")),
    )


class Windows:
    """When calls went through, by what counts them; what is older than its window is forgotten."""

    def __init__(self) -> None:
        self._times = defaultdict[str, deque[datetime]](deque)

    def recent(self, counted: Iterable[Counted], now: datetime) -> dict[str, int]:
        """`Facts.recent` of a call that happens now; the moment itself counts, a whole window ago does not."""
        return {each.key: self._count(each, now) for each in counted}

    def add(self, counted: Iterable[Counted], at: datetime) -> None:
        """A call went through; calls are told in their order."""
        for each in counted:
            self._times[each.key].append(at)

    def _count(self, counted: Counted, now: datetime) -> int:
        times, oldest = self._times[counted.key], now - timedelta(seconds=counted.window_s)
        while times and times[0] <= oldest:
            times.popleft()
        return len(times)


class Passed:
    """An owner's calls one after the other, each once, and how many of them went through lately."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._windows = Windows()
        self._held: Recent[tuple[str, str], str] = Recent(_MOST_HELD)

    def call_of(self, event: Recorded) -> Call | None:
        """None also for a tool call whose money was held before: the hold is what counts."""
        call = call_of(event)
        if call is None or call.denied:
            return call
        identity = (call.run_id, call.tool_call_id)
        if call.hold_id is None:
            return None if self._held.get(identity) else call
        self._held.put(identity, call.hold_id)
        return call

    def with_counts(self, facts: Facts) -> Facts:
        """As rules have to be given them."""
        recent = self._windows.recent(self._rules.counted(facts), facts.now)
        return msgspec.structs.replace(facts, recent=recent)

    def add(self, call: Call) -> None:
        """It went through."""
        self._windows.add(self._rules.counted(call.facts), call.facts.now)


def _denied(payload: Payload, at: datetime) -> Facts:
    """As it was decided on, when that was written down."""
    told = _object(_object(payload.get("inputs")).get("facts"))
    sats = payload.get("amount_sats")
    return facts_of(told, at, sats=sats if isinstance(sats, int) else 0)


def _object(value: Any) -> Payload:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _host(url: str | None) -> str | None:
    try:
        return urlsplit(url).hostname if url else None
    except ValueError:
        return None
