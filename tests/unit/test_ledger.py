"""The ledger read back: what a log may not say about money (DESIGN I7)."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from producers.ledger import Ledger
from schemas.budgets import BudgetFreed, BudgetHeld, BudgetSpent, HoldReserved
from schemas.events import Recorded
from tests.books import Books


def history() -> list[Recorded]:
    """A path of two; one hold is open, one was spent in part, one given back."""
    books = Books()
    books.authorize("root", max_total_sats=10)
    books.authorize("leaf", "root")
    for name in ("open", "spent", "released"):
        books.reserve(name, 3, "leaf")
    books.commit("spent", 2, "leaf")
    books.release("released", "leaf")
    return books.events


def found(events: Iterable[Recorded], after: int = 0) -> list[str]:
    ledger = Ledger(after)
    return [*(difference for event in events for difference in ledger.take(event)), *ledger.end()]


def at(kind: type, which: int = 0) -> int:
    """Where the event is in the history."""
    return [number for number, event in enumerate(history()) if event.type == kind.type][which]  # type: ignore[attr-defined]


def changed(events: list[Recorded], number: int, **fields: Any) -> list[Recorded]:
    told = events[number]
    return [*events[:number], replace(told, payload={**told.payload, **fields}), *events[number + 1 :]]


def first_hold(events: list[Recorded]) -> str:
    name: str = events[at(BudgetHeld)].payload["hold_id"]
    return name


@pytest.mark.invariant("I7")
def test_what_the_rules_write_adds_up_at_every_position() -> None:
    events = history()
    for through in range(len(events)):
        if events[through].kind == "hold":
            assert found(events[: through + 1]) == []


@pytest.mark.invariant("I7")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda events: changed(events, at(BudgetHeld), amount_msats=2000), "not what its budgets say"),
        (lambda events: changed(events, at(BudgetHeld), amount_msats=11_000), "are more than 10 sats"),
        (lambda events: changed(events, at(BudgetSpent), held_msats=2000), "was held with 3000 msats, not with 2000"),
        (lambda events: changed(events, at(BudgetSpent, 1), spent_msats=4000), "more was spent than was held"),
        (lambda events: changed(events, at(BudgetSpent, 1), spent_msats=1000), "not what its budgets say"),
        (lambda events: changed(events, at(BudgetFreed), hold_id="other"), "was held with 0 msats"),
        (lambda events: changed(events, at(BudgetFreed), amount_msats=2000), "the open holds are"),
        (lambda events: changed(events, at(HoldReserved), path=["leaf"]), "not what its budgets say"),
        (
            lambda events: changed(events, at(BudgetHeld, 2), hold_id=events[at(BudgetHeld)].payload["hold_id"]),
            "already",
        ),
        (lambda events: [*events[: at(HoldReserved)], *events[at(HoldReserved) + 1 :]], "without its hold"),
        (lambda events: events[: at(HoldReserved)], "without its hold"),
    ],
)
def test_what_does_not_add_up_is_found(spoil: Callable[[list[Recorded]], list[Recorded]], said: str) -> None:
    assert said in " ".join(found(spoil(history())))


@pytest.mark.invariant("I7")
def test_what_lies_below_is_read_and_not_told() -> None:
    spoilt = changed(history(), at(BudgetHeld), amount_msats=2000)
    assert found(spoilt)
    assert found(spoilt, after=len(spoilt)) == []
