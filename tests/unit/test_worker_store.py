"""The daemon's file: one daemon at a time, kept over a restart, put aside when it is broken."""

import os
import stat
from pathlib import Path

import pytest
from oa_client.errors import StoreFailed
from oa_client.worker.marks import Mark, Marks, Message
from oa_client.worker.store import Store, place


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "worker.sqlite"


def write_both(store: Store, first: object, second: object) -> None:
    with store.durably():
        store.write("set_fact", "first", first)
        store.write("set_fact", "second", second)


def replace(path: Path, content: bytes, at: int = 0) -> None:
    before = path.read_bytes()
    path.write_bytes(before[:at] + content + (before[at + len(content) :] if at else b""))


async def test_what_was_kept_is_there_after_a_restart(path: Path) -> None:
    store = Store.open(path)
    store.set_fact("cursor", "41")
    identity = store.identity
    store.close()
    again = Store.open(path)
    assert (again.fact("cursor"), again.identity) == ("41", identity)
    again.close()


async def test_only_what_was_saved_survives_a_killed_daemon(path: Path) -> None:
    store = Store.open(path)
    store.set_fact("first", "kept")
    with store.durably():
        store.set_fact("second", "kept")
    store.set_fact("third", "lost")
    store._connection.rollback()  # what the death of its process does
    assert [store.fact(name) for name in ("first", "second", "third")] == ["kept", "kept", None]
    store.close()


async def test_half_of_what_belongs_together_is_not_kept(path: Path) -> None:
    store = Store.open(path)
    with pytest.raises(StoreFailed):
        write_both(store, "half", object())
    assert store.fact("first") is None
    store.close()


async def test_one_daemon_at_a_time(path: Path) -> None:
    store = Store.open(path)
    with pytest.raises(StoreFailed, match="another daemon"):
        Store.open(path)
    store.close()
    Store.open(path).close()


async def test_nobody_else_may_read_it(path: Path) -> None:
    os.umask(0)
    store = Store.open(path)
    with store.durably():
        store.set_fact("cursor", "1")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    store.close()
    assert set(modes) >= {"worker.sqlite", "worker.sqlite-wal"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be one" * 100, b"torn"])
async def test_a_broken_file_is_put_aside_and_a_new_one_begins(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store.open(path)
    identity = store.identity
    store.close()
    replace(path, content)
    fresh = Store.open(path)
    assert fresh.identity != identity
    fresh.close()
    assert path.with_suffix(".broken").stat().st_size == len(content)
    assert "starts without it" in caplog.text


async def test_a_file_with_torn_pages_is_put_aside(path: Path) -> None:
    store = Store.open(path)
    for number in range(200):
        store.set_fact(f"fact {number}", "x" * 500)
    identity = store.identity
    store.close()
    replace(path, os.urandom(8192), at=8192)
    fresh = Store.open(path)
    assert fresh.identity != identity
    fresh.close()


async def test_a_file_of_a_newer_daemon_is_put_aside(path: Path) -> None:
    store = Store.open(path)
    identity = store.identity
    store._connection.execute("pragma user_version = 99")
    store.close()
    fresh = Store.open(path)
    assert fresh.identity != identity
    fresh.close()


def test_each_worker_of_each_edge_has_its_own_file(tmp_path: Path) -> None:
    places = {
        place(tmp_path, url, worker_id)
        for url in ("https://a.example", "https://b.example")
        for worker_id in ("desktopw:shared", "desktopw-shared", "../../desktopw:shared")
    }
    assert len(places) == 6
    assert {where.parent for where in places} == {tmp_path}


async def test_marks_are_kept_in_the_order_their_messages_were_sent(path: Path) -> None:
    store = Store.open(path)
    marks = Marks(store)
    written = [Mark(Message(f"m{seq}", seq, "hello"), f"s:claim:{seq}", "claimed") for seq in (12, 3, 7)]
    for mark in written:
        marks.set(mark)
    marks.set(Mark(Message("unanswered", 5, "hello"), "s:claim:5"))
    marks.set(written[1].moved("ended", "t1", "u1"))
    store.close()
    store = Store.open(path)
    assert [mark.message.seq for mark in Marks(store).open()] == [7, 12]
    assert Marks(store).get("m3") == written[1].moved("ended", "t1", "u1")
    assert Marks(store).get("unknown") is None
    store.close()
