"""Whole streams folded for the audit: the states and the documents that the log says there are."""

from collections.abc import Collection
from typing import Any

from producers.eventlog.commands import Decider
from readmodels.engine import View
from readmodels.engine.fold import Row, fold
from readmodels.engine.views import Key
from schemas.events import Recorded


class StateTold:
    """What a stream's events, taken one by one, say of its state."""

    def __init__(self, decider: Decider[Any, Any]) -> None:
        self.decider = decider
        self.state: Any = None
        self.state_error = ""

    def take(self, event: Recorded) -> None:
        if self.state_error:
            return
        try:
            self.state = self.decider.evolve(self.state, event)
        except Exception as error:  # noqa: BLE001 what the log holds is judged here, not trusted
            self.state_error = f"position {event.position}: {error!r}"


class DocumentTold:
    """What the events of a document's streams, taken in order, say of it.

    `up_to` is where the document ends: what is not projected yet is not told, nor what is parked.
    """

    def __init__(self, view: View[Any], key: Key, up_to: int, skipped: Collection[int]) -> None:
        self._view = view
        self._key = key
        self._up_to = up_to
        self._skipped = skipped
        self.row: Row[Any] | None = None
        self.document_error = ""

    def take(self, event: Recorded) -> None:
        if event.position <= self._up_to and not self.document_error and self._is_of_document(event):
            rows = {self._key: self.row} if self.row else {}
            folded = fold(self._view, rows, (), [event], self._skipped)
            for change in folded.changes.values():
                self.row = change.row
            for failure in folded.failures.values():
                self.document_error = (
                    f"position {failure.position} cannot be applied and is not parked: {failure.error}"
                )

    def _is_of_document(self, event: Recorded) -> bool:
        return self._view.folds(event) and self._view.key(event) == self._key
