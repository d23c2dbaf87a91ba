"""Folds a batch of events over the documents they touch, in memory."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic

import msgspec

from readmodels.engine.views import D, Key, View, says_the_same
from schemas.events import Recorded


class Row(msgspec.Struct, Generic[D], frozen=True):
    """A document as the view's table has it."""

    document: D
    doc_version: int
    last_position: int


class Change(msgspec.Struct, Generic[D], frozen=True):
    """A document after its last event of the batch; `says_more` when readers see a difference."""

    row: Row[D]
    projected_at: datetime
    says_more: bool


class Failure(msgspec.Struct, frozen=True):
    """An event that could not be applied; its document stays as it was before it (DESIGN §6)."""

    key: Key
    position: int
    error: str


@dataclass
class Folded(Generic[D]):
    changes: dict[Key, Change[D]] = field(default_factory=dict)
    failures: dict[Key, Failure] = field(default_factory=dict)


def fold(
    view: View[D],
    rows: Mapping[Key, Row[D]],
    broken: Iterable[Key],
    events: Iterable[Recorded],
    skipped: Collection[int] = (),
) -> Folded[D]:
    """What the documents become; keys in `broken` are left alone, and so are the events at positions in `skipped`."""
    by_key: dict[Key, list[Recorded]] = {}
    for event in events:
        if view.folds(event) and event.position not in skipped:
            by_key.setdefault(view.key(event), []).append(event)
    folded = Folded[D]()
    for key in by_key.keys() - set(broken):
        _fold_one(view, key, rows.get(key), by_key[key], folded)
    return folded


def _fold_one(view: View[D], key: Key, row: Row[D] | None, events: list[Recorded], folded: Folded[D]) -> None:
    """The document's last good state; a failing event ends its entity's fold and nobody else's."""
    before = row.document if row else None
    last: Recorded | None = None
    for event in events:
        if row and event.position <= row.last_position:
            continue
        try:
            document = view.after(row.document if row else None, event)
        except Exception as error:  # noqa: BLE001 the supervised border of an entity: recorded, counted, not hidden
            folded.failures[key] = Failure(key, event.position, repr(error))
            break
        row, last = _row(view, row, document, event), event
    if row and last:
        says_more = not says_the_same(before, row.document)
        folded.changes[key] = Change(row, last.recorded_at, says_more)


def _row(view: View[D], before: Row[D] | None, document: D, event: Recorded) -> Row[D]:
    return Row(document, view.version_after(before.doc_version if before else 0, event), event.position)
