"""Whole streams folded for the audit: the state and the document that the log says they have."""

from collections.abc import Collection
from typing import Any

from processors.audit.evidence import Noun
from readmodels.engine.fold import Row
from schemas.events import Recorded


class Told:
    """What a stream's events say, taken one by one: its state, and its document as far as it is projected.

    `up_to` is where the document ends: what is not projected yet is not told, nor what is parked.
    """

    def __init__(self, noun: Noun, up_to: int, skipped: Collection[int]) -> None:
        self._noun = noun
        self._up_to = up_to
        self._skipped = skipped
        self.state: Any = None
        self.state_error = ""
        self.row: Row[Any] | None = None
        self.document_error = ""

    def take(self, event: Recorded) -> None:
        self._evolve(event)
        if event.position <= self._up_to and event.position not in self._skipped and not self.document_error:
            self._apply(event)

    def _evolve(self, event: Recorded) -> None:
        if self.state_error:
            return
        try:
            self.state = self._noun.decider.evolve(self.state, event)
        except Exception as error:  # noqa: BLE001 what the log holds is judged here, not trusted
            self.state_error = f"position {event.position}: {error!r}"

    def _apply(self, event: Recorded) -> None:
        try:
            document = self._noun.view.after(self.row.document if self.row else None, event)
        except Exception as error:  # noqa: BLE001 the same
            self.document_error = f"position {event.position} cannot be applied and is not parked: {error!r}"
        else:
            self.row = Row(document, event.seq, event.position)
