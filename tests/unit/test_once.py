"""Folders that are made once."""

from pathlib import Path

import pytest

from ops.stack.once import made_beside


def test_it_is_there_when_it_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "jars"
    with made_beside(folder) as fresh:
        (fresh / "one").touch()
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["one"]
    assert [path.name for path in folder.parent.iterdir()] == ["jars"]


def test_what_failed_leaves_nothing(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        with made_beside(folder) as fresh:
            (fresh / "one").touch()
            raise ValueError

    with pytest.raises(ValueError):
        make(tmp_path / "jars")
    assert list(tmp_path.iterdir()) == []


def test_of_two_the_first_to_end_wins(tmp_path: Path) -> None:
    folder = tmp_path / "jars"
    with made_beside(folder) as slow:
        (slow / "slow").touch()
        with made_beside(folder) as quick:
            (quick / "quick").touch()
    assert [path.name for path in folder.iterdir()] == ["quick"]
    assert list(tmp_path.iterdir()) == [folder]
