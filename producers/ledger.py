"""The ledger read back: whether every budget's totals are those of its holds, at every position (DESIGN I7)."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from producers import budgets, holds
from producers.budgets import Budget
from producers.holds import Hold
from schemas.amounts import msats_of
from schemas.budgets import (
    BudgetFreed,
    BudgetHeld,
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
    open_msats: int = 0


class Ledger:
    """Takes events of budgets and holds in the log's order; what is wrong about one is told when it is above `after`.

    A command writes the budgets of a path, from the root, and then the hold: nothing stands between them.
    """

    def __init__(self, after: int = 0) -> None:
        self._after = after
        self._books: dict[str, _Book] = {}
        self._holds: dict[str, Hold] = {}
        self._moved: list[Recorded] = []

    def take(self, event: Recorded) -> list[str]:
        found = [*self._broken_off(event), *self._taken(event)]
        return found if event.position > self._after else []

    def end(self) -> list[str]:
        """What the last command lacks."""
        return list(_alone(self._moved)) if self._moved and self._moved[-1].position > self._after else []

    def _taken(self, event: Recorded) -> Iterator[str]:
        if event.kind == BUDGET:
            book = self._books.setdefault(event.stream, _Book())
            book.budget = budgets.evolve(book.budget, event)
            if event.type in _OF_HOLD:
                yield from _in_book(book, event)
                yield from _in_bounds(book, book.budget, event)
                self._moved.append(event)
        elif event.kind == HOLD:
            hold = self._holds[event.stream] = holds.evolve(self._holds.get(event.stream), event)
            if event.type in _OF_HOLD.values():
                yield from _together(hold, event, self._moved)
                self._moved = []

    def _broken_off(self, event: Recorded) -> Iterator[str]:
        if self._moved and self._moved[-1].position + 1 != event.position:
            told = _alone(self._moved) if self._moved[-1].position > self._after else ()
            self._moved = []
            yield from told


def _in_book(book: _Book, event: Recorded) -> Iterator[str]:
    """A hold is opened once and closed once, with the amount it was opened with."""
    told = event.payload
    hold_id = told["hold_id"]
    if event.type == BudgetHeld.type:
        if hold_id in book.open:
            yield f"{_at(event)}: {hold_id} is held already"
        book.open_msats += told["amount_msats"] - book.open.get(hold_id, 0)
        book.open[hold_id] = told["amount_msats"]
        return
    amount = told["held_msats"] if event.type == BudgetSpent.type else told["amount_msats"]
    held = book.open.pop(hold_id, 0)
    book.open_msats -= held
    if held != amount:
        yield f"{_at(event)}: {hold_id} was held with {held} msats, not with {amount}"
    if told.get("spent_msats", 0) > amount:
        yield f"{_at(event)}: more was spent than was held"


def _in_bounds(book: _Book, budget: Budget, event: Recorded) -> Iterator[str]:
    """granted = held + spent + free, and free is never below zero."""
    if budget.held_msats != book.open_msats:
        yield f"{_at(event)}: {budget.held_msats} msats are held, the open holds are {book.open_msats}"
    granted = budget.terms.max_total_sats
    if granted is not None and budget.held_msats + budget.spent_msats > msats_of(granted):
        yield f"{_at(event)}: {budget.held_msats} held and {budget.spent_msats} spent are more than {granted} sats"


def _together(hold: Hold, event: Recorded, moved: Sequence[Recorded]) -> Iterator[str]:
    """Right before what happened to the hold, the same happened to each budget of its path, and to nothing else."""
    expected = [(budget_stream(name), event.stream, event.type, _money(event, hold)) for name in hold.path]
    found = [(one.stream, hold_stream(one.payload["hold_id"]), _OF_HOLD[one.type], _money(one)) for one in moved]
    if found != expected:
        yield f"{_at(event)}: {event.type} is not what its budgets say"


def _money(event: Recorded, hold: Hold | None = None) -> tuple[int, int]:
    """Held, and spent of it."""
    told = event.payload
    held: int = hold.amount_msats if hold else told["held_msats" if "held_msats" in told else "amount_msats"]
    return held, told.get("spent_msats", 0)


def _alone(moved: Sequence[Recorded]) -> Iterator[str]:
    yield from (f"{_at(event)}: {event.type} without its hold" for event in moved)


def _at(event: Recorded) -> str:
    return f"position {event.position}, {event.stream}"
