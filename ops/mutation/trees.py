"""Copies of the source tree that may be broken, and the tests run in them."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
_LEFT_OUT: Final = (
    *(".git", ".venv", ".oa", ".hypothesis", ".*_cache", "__pycache__"),
    *("build", "mutants", "node_modules", "*.egg-info"),
)
_TEST_S: Final = 25
_RUN_S: Final = 240


class Edit(NamedTuple):
    """`old`, which the file has exactly once, becomes `new`."""

    file: str
    old: str
    new: str


class Result(Enum):
    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    """The tests could not be run: nothing is proven."""


class Verdict(NamedTuple):
    result: Result
    output: str


class Tree:
    """One copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def edited(self, edits: Sequence[Edit]) -> Iterator[None]:
        """The edits are taken back at the end. Raises ValueError when a file does not have what is to be replaced."""
        originals = {edit.file: (self.folder / edit.file).read_text(encoding="utf-8") for edit in edits}
        try:
            for edit in edits:
                self._replace(edit)
            yield
        finally:
            for name, text in originals.items():
                (self.folder / name).write_text(text, encoding="utf-8")

    def _replace(self, edit: Edit) -> None:
        path = self.folder / edit.file
        text = path.read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise ValueError(f"{edit.file} has {text.count(edit.old)} times: {edit.old}")
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")

    def run(self, tests: Sequence[str]) -> Verdict:
        """A test that hangs has failed."""
        options = ["-x", f"--timeout={_TEST_S}", "-W", "ignore::pytest.PytestUnraisableExceptionWarning"]
        command = [sys.executable, "-m", "pytest", *options, *tests]
        environment = os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("TEST_BUDGET_S", None)
        try:
            ended = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=_RUN_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Verdict(Result.FAILED, f"not over after {_RUN_S} s")
        by_code = {0: Result.PASSED, 1: Result.FAILED}
        return Verdict(by_code.get(ended.returncode, Result.BROKEN), ended.stdout + ended.stderr)


@contextmanager
def copied() -> Iterator[Tree]:
    """A copy of this tree as it is now, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="oa-mutation-") as folder:
        target = Path(folder) / "tree"
        shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        yield Tree(target)
