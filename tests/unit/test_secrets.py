"""`secrets.env`: made once, for its owner's eyes only."""

import stat
from pathlib import Path

from ops.stack import secrets

ADDRESSES = {"OA_DATABASE_URL": "postgresql://oa@%2Fx:21004/oa"}


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    secrets.ensure(tmp_path, ADDRESSES)
    assert stat.S_IMODE((tmp_path / "secrets.env").stat().st_mode) == 0o600


def test_what_was_made_once_stays(tmp_path: Path) -> None:
    first = secrets.ensure(tmp_path, ADDRESSES)
    assert secrets.ensure(tmp_path, ADDRESSES) == first == secrets.read(tmp_path)


def test_every_secret_is_long_and_its_own(tmp_path: Path) -> None:
    made = [secrets.ensure(tmp_path, {})[name] for name in secrets.MADE_ONCE]
    assert min(map(len, made)) >= 40
    assert len(set(made)) == len(made)


def test_addresses_follow_the_stack_and_other_lines_stay(tmp_path: Path) -> None:
    secrets.ensure(tmp_path, ADDRESSES | {"OA_LOCAL_TOKEN": "1|abc"})
    moved = secrets.ensure(tmp_path, {"OA_DATABASE_URL": "postgresql://elsewhere"})
    assert (moved["OA_DATABASE_URL"], moved["OA_LOCAL_TOKEN"]) == ("postgresql://elsewhere", "1|abc")


def test_a_wider_mode_is_narrowed_when_it_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "secrets.env"
    path.write_text("# by hand\nOA_URL = http://x\n")
    path.chmod(0o644)
    assert secrets.ensure(tmp_path, {})["OA_URL"] == "http://x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_there_is_nothing_without_a_file(tmp_path: Path) -> None:
    assert secrets.read(tmp_path) == {}
