"""The lock of Kafka's jars."""

import hashlib
from pathlib import Path

from ops.stack.kafka import jars
from ops.stack.kafka.jars import Jar


def test_the_lock_names_each_jar_once() -> None:
    found = jars.locked(jars.LOCK.read_text())
    assert len({jar.file_name for jar in found}) == len(found) == 45
    assert Jar("org.apache.kafka", "kafka_2.13", "4.4.0", found[0].sha256).file_name in {jar.file_name for jar in found}


def test_a_jar_with_other_content_does_not_match(tmp_path: Path) -> None:
    jar = Jar("g", "a", "1", hashlib.sha256(b"right").hexdigest())
    assert not jar.matches(tmp_path)
    (tmp_path / "a-1.jar").write_bytes(b"wrong")
    assert not jar.matches(tmp_path)
    (tmp_path / "a-1.jar").write_bytes(b"right")
    assert jar.matches(tmp_path)


def test_jars_that_are_there_are_not_fetched_again(tmp_path: Path) -> None:
    folder = jars.home(tmp_path) / "jars"
    folder.mkdir(parents=True)
    told: list[str] = []
    assert jars.ensure(tmp_path, told.append) == folder
    assert told == []
