"""The ledger read back: whether every budget's totals are those of its holds, at every position (DESIGN I7)."""

from collections.abc import Iterator
from typing import Final

import msgspec

from producers import budgets, holds
from producers.budgets import Budget
from schemas.amounts import msats_of
from schemas.budgets import (
    BudgetFreed,
    BudgetHeld,
    BudgetLost,
    BudgetSpent,
    HoldCommitted,
    HoldReleased,
    HoldReserved,
)
from schemas.events import Recorded
from schemas.names import BUDGET, HOLD, budget_stream, hold_stream

_OF_HOLD: Final = {
    BudgetHeld.type: HoldReserved.type,
    BudgetSpent.type: HoldCommitted.type,
    BudgetFreed.type: HoldReleased.type,
}
"""What happens to the hold, right after it happened to the budgets of its path."""


class _Book(msgspec.Struct):
    """A budget and the open holds on it, in millisats."""

    budget: Budget | None = None
    open: dict[str, int] = {}


class Ledger:
    """Takes the events of budgets and holds in the log's order; each one is answered with what is wrong about it.

    A command writes the budgets of a path, from the root, and then the hold: `moved` is what the log says of a command
    whose hold has not come yet.
    """

    def __init__(self) -> None:
        self._books: dict[str, _Book] = {}
        self._holds: dict[str, holds.Hold] = {}
        self._moved: list[Recorded] = []

    def take(self, event: Recorded) -> Iterator[str]:
        if event.kind == BUDGET:
            yield from self._of_budget(event)
        elif event.kind == HOLD:
            yield from self._of_hold(event)

    def budget(self, stream: str) -> Budget | None:
        """As its events say."""
        return self._books[stream].budget if stream in self._books else None

    def _of_budget(self, event: Recorded) -> Iterator[str]:
        book = self._books.setdefault(event.stream, _Book())
        book.budget = budgets.evolve(book.budget, event)
        if event.type not in _OF_HOLD:
            return
        yield from _in_book(book, event)
        yield from _in_bounds(book, book.budget, event)
        self._moved.append(event)

    def _of_hold(self, event: Recorded) -> Iterator[str]:
        hold = holds.evolve(self._holds.get(event.stream), event)
        self._holds[event.stream] = hold
        if event.type in _OF_HOLD.values():
            moved, self._moved = self._moved, []
            yield from _together(hold, event, moved)


def _in_book(book: _Book, event: Recorded) -> Iterator[str]:
    """A hold is opened once and closed once, with the amount it was opened with."""
    told = event.payload
    hold_id = told["hold_id"]
    if event.type == BudgetHeld.type:
        if hold_id in book.open:
            yield f"{_at(event)}: {hold_id} is held twice"
        book.open[hold_id] = told["amount_msats"]
        return
    amount = told["held_msats"] if event.type == BudgetSpent.type else told["amount_msats"]
    if book.open.pop(hold_id, None) != amount:
        yield f"{_at(event)}: {hold_id} was not held with {amount} msats"
    if told.get("spent_msats", 0) > amount:
        yield f"{_at(event)}: more was spent than was held"


def _in_bounds(book: _Book, budget: Budget, event: Recorded) -> Iterator[str]:
    """granted = held + spent + free, and free is never below zero."""
    if budget.held_msats != sum(book.open.values()):
        yield f"{_at(event)}: {budget.held_msats} msats are held, the open holds are {sum(book.open.values())}"
    granted = budget.terms.max_total_sats
    if granted is not None and budget.held_msats + budget.spent_msats > msats_of(granted):
        yield f"{_at(event)}: {budget.held_msats} held and {budget.spent_msats} spent are more than {granted} sats"


def _together(hold: holds.Hold, event: Recorded, moved: list[Recorded]) -> Iterator[str]:
    """Right before what happened to the hold, the same happened to each budget of its path, and to nothing else."""
    expected = [(budget_stream(name), event.stream, event.type) for name in hold.path]
    found = [(one.stream, hold_stream(one.payload["hold_id"]), _OF_HOLD[one.type]) for one in moved]
    first = event.position - len(moved)
    is_one_command = [one.position for one in moved] == [*range(first, event.position)]
    if found != expected or not is_one_command:
        yield f"{_at(event)}: {event.type} of {event.stream} is not what its budgets say"
