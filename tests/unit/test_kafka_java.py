"""Which Java runs the broker."""

from pathlib import Path

import pytest

from ops.stack.kafka import jre
from ops.stack.kafka.broker import Broker
from ops.stack.kafka.jre import Java


def make_java(folder: Path, says: str) -> str:
    folder.mkdir(parents=True)
    program = folder / "java"
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of the path."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_the_one_of_java_home_comes_first(tmp_path: Path, on_path: Path) -> None:
    make_java(on_path, 'openjdk version "17.0.15"')
    newer = make_java(tmp_path / "home" / "bin", 'openjdk version "21"')
    assert jre.java(str(tmp_path / "home")) == Java(newer, 'openjdk version "21"\n', 21)


def test_one_that_is_too_old_or_missing_is_passed_over(tmp_path: Path, on_path: Path) -> None:
    make_java(tmp_path / "home" / "bin", 'openjdk version "1.8.0_402"')
    good = make_java(on_path, 'openjdk version "17.0.15"')
    for java_home in (str(tmp_path / "home"), "/nowhere", None):
        found = jre.java(java_home)
        assert found is not None
        assert found.command == good


def test_something_that_does_not_tell_its_version_is_none(on_path: Path) -> None:
    make_java(on_path, "no JRE is installed here")
    assert jre.java(None) is None


def test_without_any_the_locked_one_is_used(tmp_path: Path) -> None:
    broker = Broker(None, tmp_path, tmp_path / "kafka", 1, 2)
    found = jre.own(tmp_path)
    assert found.major >= jre.OLDEST
    assert found.command.startswith(str(tmp_path))
    assert found.command in broker.program().command


def test_one_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    command = Path(jre.own(tmp_path).command)
    make_java(command.parent, "")
    told: list[str] = []
    jre.ensure(tmp_path, told.append)
    assert told == []
