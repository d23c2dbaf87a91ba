"""Whatever is asked in whatever order, budgets and holds are what a plain model of them says (DESIGN I7).

The model keeps every hold by itself and adds up anew whenever it is asked; it shares no code with the rules.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from producers import budgets, holds
from producers.errors import Rejection
from producers.eventlog.commands import Decider
from producers.ledger import Ledger
from tests.books import Books

CALLS = st.sampled_from("abcdefghij")
WHICH = st.integers(0, 99)
SATS = st.integers(1, 12)
CAPS = st.none() | st.none() | st.integers(5, 40)
CLASSES = st.sampled_from(["safe_retry", "dedupe_reconcile_required"])
MODES = st.sampled_from(["delegated_budget"] * 9 + ["interactive", "deny", "delegated_budget_with_threshold"])


@dataclass
class ModelHold:
    chain: list[str]
    sats: int
    made: datetime
    touched: datetime
    state: str = "reserved"
    spent: int = 0

    @property
    def counts(self) -> int:
        """What it takes of a cap."""
        return {"released": 0, "committed": self.spent}.get(self.state, self.sats)


@dataclass
class ModelBudget:
    total: int | None
    per_call: int | None
    per_day: int | None
    mode: str
    threshold: int | None
    expires: datetime | None
    revoked: bool = False


@dataclass
class Model:
    """By name; a hold by its budget and call."""

    budgets: dict[str, ModelBudget] = field(default_factory=dict)
    holds: dict[tuple[str, str], ModelHold] = field(default_factory=dict)

    def on(self, name: str) -> list[ModelHold]:
        return [hold for hold in self.holds.values() if name in hold.chain]

    def refusal(self, name: str, sats: int, now: datetime, approved: bool) -> str | None:
        """Why one budget would not hold so much: the ledger's code."""
        own = self.budgets[name]
        if own.revoked:
            return "authorization_revoked"
        if own.expires is not None and not now < own.expires:
            return "authorization_expired"
        if own.mode == "deny":
            return "explicit_deny"
        today = sum(hold.counts for hold in self.on(name) if hold.made.date() == now.date())
        ever = sum(hold.counts for hold in self.on(name))
        for cap, would_be in ((own.total, ever + sats), (own.per_call, sats), (own.per_day, today + sats)):
            if cap is not None and would_be > cap:
                return "over_budget"
        needs = own.mode == "interactive" or (own.threshold is not None and sats > own.threshold)
        return "approval_missing" if needs and not approved else None


class Spending(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.books, self.model = Books(), Model()
        self.ledger = Ledger()
        self.audited = 0

    # --- budgets, up to four below one another ---

    @rule(
        under_last=st.booleans(),
        total=CAPS,
        per_call=CAPS,
        per_day=CAPS,
        mode=MODES,
        hours=st.sampled_from([None] * 9 + [0, 9, 60]),
    )
    @precondition(lambda self: len(self.model.budgets) < 5)
    def authorize(self, under_last: bool, total: Any, per_call: Any, per_day: Any, mode: str, hours: Any) -> None:
        names = list(self.model.budgets)
        parent = names[-1] if names and under_last and len(self.books.budget(names[-1]).path) < 4 else None
        threshold = 5 if mode == "delegated_budget_with_threshold" else None
        expires = None if hours is None else self.books.now + timedelta(hours=hours)
        name = f"budget{len(names)}"
        caps = {"max_total_sats": total, "max_per_call_sats": per_call, "max_per_day_sats": per_day}
        self.books.authorize(name, parent, mode=mode, threshold_sats=threshold, expires_at=expires, **caps)
        self.model.budgets[name] = ModelBudget(total, per_call, per_day, mode, threshold, expires)

    @rule(which=st.integers(0, 60))
    @precondition(lambda self: self.model.budgets)
    def revoke(self, which: int) -> None:
        if which < len(self.model.budgets):
            name = list(self.model.budgets)[which]
            self.books.revoke(name)
            self.model.budgets[name].revoked = True

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.books.later(hours=hours)

    # --- holds ---

    @rule(which=WHICH, call=CALLS, sats=SATS, retry_class=CLASSES, approved=st.booleans())
    @precondition(lambda self: self.model.budgets)
    def reserve(self, which: int, call: str, sats: int, retry_class: str, approved: bool) -> None:
        name = self.named(which)
        expected = self.expected_of_reserve(name, call, sats, retry_class, approved)
        got = self.code(lambda: self.books.reserve(call, sats, name, retry_class=retry_class, approved=approved))
        assert got == expected
        if expected is None and (name, call) not in self.model.holds:
            chain, now = list(self.books.budget(name).path), self.books.now
            self.model.holds[name, call] = ModelHold(chain, sats, now, now)

    def expected_of_reserve(self, name: str, call: str, sats: int, retry_class: str, approved: bool) -> str | None:
        hold = self.model.holds.get((name, call))
        if hold is not None:
            if hold.sats != sats:
                return "idempotency_conflict"
            if hold.state in ("committed", "released"):
                return "already_finalized"
            blocked = hold.state == "reconcile_required" and retry_class == "dedupe_reconcile_required"
            return "reconcile_required" if blocked else None
        from_leaf = reversed(self.books.budget(name).path)
        codes = [self.model.refusal(above, sats, self.books.now, approved) for above in from_leaf]
        return min((code for code in codes if code), key=lambda code: WEIGHT.get(code, 0), default=None)

    @rule(which=WHICH, sats=st.none() | st.integers(0, 12))
    @precondition(lambda self: self.model.holds)
    def commit(self, which: int, sats: int | None) -> None:
        name, call, hold = self.held(which)
        got = self.code(lambda: self.books.commit(call, sats, name))
        if hold.state == "released":
            assert got == "invalid_transition"
        elif hold.state != "committed" and sats is not None and sats > hold.sats:
            assert got == "invalid_amount"
        else:
            assert got is None
            if hold.state != "committed":
                hold.state, hold.spent = "committed", hold.sats if sats is None else sats

    @rule(which=WHICH, operation=st.sampled_from(["released", "reconcile_required"]))
    @precondition(lambda self: self.model.holds)
    def settle(self, which: int, operation: str) -> None:
        name, call, hold = self.held(which)
        does = self.books.release if operation == "released" else self.books.require_reconcile
        got = self.code(lambda: does(call, name))
        if hold.state in ("committed", "released") and hold.state != operation:
            assert got == "invalid_transition"
        else:
            assert got is None
            hold.state = operation

    @rule()
    @precondition(lambda self: self.model.holds)
    def timers_look(self) -> None:
        """DEC-36."""
        for (name, call), hold in self.model.holds.items():
            self.books.wake(call, name)
            if hold.state == "reserved" and self.books.now - hold.touched >= timedelta(seconds=60):
                hold.state = "reconcile_required"

    def named(self, which: int) -> str:
        return list(self.model.budgets)[which % len(self.model.budgets)]

    def held(self, which: int) -> tuple[str, str, ModelHold]:
        (name, call), hold = list(self.model.holds.items())[which % len(self.model.holds)]
        return name, call, hold

    def code(self, call: Any) -> str | None:
        try:
            call()
        except Rejection as rejection:
            return rejection.reason_code
        return None

    # --- what always holds ---

    @invariant()
    def totals_are_the_models(self) -> None:
        for name in self.model.budgets:
            on = self.model.on(name)
            held = sum(hold.sats for hold in on if hold.state in ("reserved", "reconcile_required"))
            spent = sum(hold.spent for hold in on if hold.state == "committed")
            total = self.model.budgets[name].total
            assert self.books.totals(name) == (spent, held, None if total is None else total - spent - held)

    @invariant()
    def holds_are_the_models(self) -> None:
        for (name, call), hold in self.model.holds.items():
            assert self.books.hold(call, name).status == hold.state

    @invariant()
    def the_log_adds_up(self) -> None:
        for event in self.books.events[self.audited :]:
            assert self.ledger.take(event) == []
        assert self.ledger.end() == []
        self.audited = len(self.books.events)

    def teardown(self) -> None:
        """DESIGN §4: state = fold."""
        deciders: dict[str, Decider[Any, Any]] = {"budget": budgets.DECIDER, "hold": holds.DECIDER}
        for stream, head in self.books.heads.items():
            decider, state = deciders[stream.partition("/")[0]], None
            for event in self.books.events:
                state = decider.evolve(state, event) if event.stream == stream else state
            assert state == head.state


WEIGHT = {"over_budget": 1, "approval_missing": 2}
"""What a budget is comes before what it has, and that before asking people; the nearest budget first."""


@pytest.mark.invariant("I7")
def test_whatever_is_asked_the_books_are_the_models() -> None:
    """Runtime §1.8, §3.4, §3.5; DEC-28, DEC-29, DEC-36, DEC-50."""
    run_state_machine_as_test(
        Spending, settings=settings(max_examples=150, stateful_step_count=50, deadline=None, database=None)
    )
