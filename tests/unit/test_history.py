"""Which epoch a position is of, and which cursors were lost with a part of the history (DESIGN I2, ADR 11)."""

import pytest

from schemas.history import Epoch, History

RESTORED = History([Epoch(1, 0, 0), Epoch(2, 40, 1_000_050), Epoch(3, 1_000_090, 2_000_100)])


@pytest.mark.parametrize(
    ("position", "epoch"), [(1, 1), (40, 1), (1_000_051, 2), (1_000_090, 2), (2_000_101, 3), (9_000_000, 3)]
)
def test_a_position_is_of_the_epoch_that_began_before_it(position: int, epoch: int) -> None:
    assert RESTORED.epoch_of(position) == epoch


@pytest.mark.parametrize("cursor", [0, 1, 40, 1_000_050, 1_000_090, 2_000_100, 2_000_101])
def test_a_cursor_of_what_was_kept_goes_on(cursor: int) -> None:
    assert RESTORED.began_after_loss_of(cursor) is None


@pytest.mark.parametrize(("cursor", "goes_on_after"), [(41, 1_000_050), (1_000_049, 1_000_050), (1_000_091, 2_000_100)])
def test_a_cursor_of_what_was_lost_is_told_where_the_history_goes_on(cursor: int, goes_on_after: int) -> None:
    assert RESTORED.began_after_loss_of(cursor) == goes_on_after


def test_without_epochs_nothing_was_lost() -> None:
    assert History([]).began_after_loss_of(7) is None
