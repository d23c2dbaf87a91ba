"""Books that commands are written into without a database: the log's own batches, for tests of budgets and holds."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from producers import budgets, denials, holds, ownership, spending
from producers.budgets import Authorize, Budget, Revoke, Terms
from producers.eventlog.batch import Batch
from producers.eventlog.commands import Decider, Item, Outcome, Part, Rules, StreamHead, Submission, alone
from producers.holds import Hold
from producers.ownership import CreateRun
from producers.spending import Commit, Release, Reserve, Target
from schemas.amounts import msats_of
from schemas.events import KnownEvent, Recorded
from schemas.names import budget_stream, ownership_stream

OWNER: Final = "user:41"
NOON: Final = datetime(2026, 2, 20, 12, tzinfo=UTC)
RUN: Final = "run_desk"


class Books:
    """One history; `now` is what the next command is decided at."""

    def __init__(self) -> None:
        self.now = NOON
        self.heads: dict[str, StreamHead] = {}
        self.events: list[Recorded] = []

    def later(self, **passed: float) -> None:
        self.now += timedelta(**passed)

    def execute(self, rules: Rules[Any], parts: Sequence[Part], command: Any) -> Outcome[Any]:
        batch = Batch(self.heads, {}, self.now)
        batch.decide(Submission(tuple(parts), rules, [Item(command)]))
        [(_, answer)] = batch.answers
        if isinstance(answer, Exception):
            raise answer
        batch.placed(len(self.events))
        self.heads |= batch.heads
        self.events += batch.events
        [outcome] = answer
        return outcome

    def alone(self, decider: Decider[Any, Any], stream: str, command: Any, owner: str = OWNER) -> Outcome[Any]:
        return self.execute(alone(decider, stream), [Part(stream, owner, decider)], command)

    def lose(self, decider: Decider[Any, Any], stream: str) -> None:
        """What a recovery writes where an event was (ADR 11)."""
        self.execute(lambda _, event, __: [(stream, event)], [Part(stream, OWNER, decider)], decider.stand_in(1))

    # --- budgets ---

    def authorize(
        self, name: str = "auth_desk", parent: str | None = None, *, owner: str = OWNER, **terms: Any
    ) -> Outcome[Any]:
        above = self.budget(parent).path if parent else ()
        command = Authorize(name, (*above, name), Terms(parent_authorization_id=parent, **terms))
        return self.alone(budgets.DECIDER, budget_stream(name), command, owner)

    def revoke(self, name: str = "auth_desk") -> Outcome[Any]:
        return self.alone(budgets.DECIDER, budget_stream(name), Revoke())

    def create_run(self, run_id: str = RUN, thread_id: str = "thread_desk", owner: str = OWNER) -> None:
        self.alone(ownership.DECIDER, ownership_stream(run_id), CreateRun(run_id, thread_id), owner)

    def budget(self, name: str = "auth_desk") -> Budget:
        budget: Budget = self.heads[budget_stream(name)].state
        return budget

    def totals(self, name: str = "auth_desk") -> tuple[int, int, int | None]:
        """Spent, held and left, in sats."""
        budget = self.budget(name)
        return budget.spent_sats, budget.reserved_sats, budget.remaining_sats

    # --- holds ---

    def target(self, tool_call: str, name: str = "auth_desk", run_id: str = RUN) -> Target:
        head = self.heads.get(budget_stream(name))
        return Target(head.state.path if head else (name,), run_id, tool_call)

    def hold(self, tool_call: str, name: str = "auth_desk") -> Hold:
        hold: Hold = self.heads[self.target(tool_call, name).hold].state
        return hold

    def reserve(
        self, tool_call: str, sats: int, name: str = "auth_desk", *, run_id: str = RUN, owner: str = OWNER, **more: Any
    ) -> Outcome[Any]:
        target = self.target(tool_call, name, run_id)
        command = Reserve(target, msats_of(sats), **more)
        return self.execute(spending.reserve, spending.reserve_parts(owner, target), command)

    def ask(self, tool_call: str, sats: int, name: str = "auth_desk", **more: Any) -> Outcome[Any]:
        """As `reserve`, but a denial is a fact."""
        target = self.target(tool_call, name)
        return self.execute(denials.reserve, denials.parts(OWNER, target), Reserve(target, msats_of(sats), **more))

    def commit(self, tool_call: str, sats: int | None = None, name: str = "auth_desk", **more: Any) -> Outcome[Any]:
        target = self.target(tool_call, name)
        command = Commit(target, None if sats is None else msats_of(sats), **more)
        return self.execute(spending.commit, spending.parts(OWNER, target), command)

    def release(self, tool_call: str, name: str = "auth_desk", **more: Any) -> Outcome[Any]:
        target = self.target(tool_call, name)
        return self.execute(spending.release, spending.parts(OWNER, target), Release(target, **more))

    def require_reconcile(self, tool_call: str, name: str = "auth_desk", **more: Any) -> Outcome[Any]:
        return self.alone(holds.DECIDER, self.target(tool_call, name).hold, holds.RequireReconcile(**more))

    def wake(self, tool_call: str, name: str = "auth_desk") -> Outcome[Any]:
        return self.alone(holds.DECIDER, self.target(tool_call, name).hold, holds.Wake())


def told(outcome: Outcome[Any]) -> list[str]:
    return [event.type for event in outcome.events]


def said(outcome: Outcome[Any], kind: type[KnownEvent]) -> list[KnownEvent]:
    return [msgspec.convert(event.payload, kind) for event in outcome.events if event.type == kind.type]
