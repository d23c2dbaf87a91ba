"""Buf's word on the protos: what was released may not be taken away (ops/checks/protos.py)."""

import shutil
from pathlib import Path

import pytest

from ops.checks import protos

pytestmark = pytest.mark.skipif(not protos.BUF.exists(), reason="there is no buf: `make buf` installs it where npm is")

WORKERS = "openagents/protocol/v1/workers.proto"
GONE = 'field "2" with name "code" on message "CodexWorkerError" was deleted'


@pytest.fixture
def proto(tmp_path: Path) -> Path:
    return shutil.copytree(protos.ROOT / "proto", tmp_path / "proto")


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_protos_are_as_they_should_be(proto: Path) -> None:
    assert protos.complaints(proto) == []


def test_a_new_field_is_welcome(proto: Path) -> None:
    rewrite(proto / WORKERS, "  int32 code = 2;", "  int32 code = 2;\n  string hint = 6;")
    assert protos.complaints(proto) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  int32 code = 2;\n", "", GONE),
        (
            "  int32 code = 2;",
            "  int32 code = 7;",
            'field "2" with name "code" on message "CodexWorkerError" was deleted',
        ),
        ("  int32 code = 2;", "  string code = 2;", "changed type"),
        ("  int32 code = 2;", "  int32 number = 2;", "changed name"),
        ("  CODEX_EXECUTION_MODE_SANDBOX = 2;\n", "", "Previously present enum value"),
    ],
    ids=["removed", "renumbered", "other type", "renamed", "enum value removed"],
)
def test_what_was_released_may_not_be_changed(proto: Path, old: str, new: str, said: str) -> None:
    rewrite(proto / WORKERS, old, new)
    assert any(WORKERS in line and said in line for line in protos.complaints(proto)), protos.complaints(proto)


def test_style_is_checked_too(proto: Path) -> None:
    rewrite(proto / WORKERS, "  int32 code = 2;", "  int32 code = 2;\n  string badName = 6;")
    assert any("badName" in line for line in protos.complaints(proto))
