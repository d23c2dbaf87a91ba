"""Which epoch a position belongs to, and which cursors are of a history that was lost (DESIGN I2, ADR 11)."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple


class Epoch(NamedTuple):
    """Positions of this epoch are above `began_after`; of those before it, none above `kept_through` is left."""

    number: int
    kept_through: int
    began_after: int


class History:
    """All epochs of a log, or of a document topic's watermarks."""

    def __init__(self, epochs: Sequence[Epoch]) -> None:
        self._epochs = sorted(epochs)
        self._begins = [epoch.began_after for epoch in self._epochs]

    def epoch_of(self, position: int) -> int:
        return self._epochs[max(bisect_left(self._begins, position) - 1, 0)].number

    def began_after_loss_of(self, cursor: int) -> int | None:
        """Where the history goes on for whoever has read up to a position that was lost since; None: it was not."""
        for epoch in self._epochs:
            if epoch.kept_through < cursor < epoch.began_after:
                return epoch.began_after
        return None
