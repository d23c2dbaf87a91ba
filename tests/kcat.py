"""Debian's `kcat`: the one on the path, else its package unpacked into the user's cache, installed nowhere."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

from tests import debian


class Kcat(NamedTuple):
    program: str
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> list[str]:
        """The lines it prints."""
        done = subprocess.run(
            [self.program, *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


def kcat() -> Kcat:
    """Raises Missing."""
    if found := shutil.which("kcat"):
        return Kcat(found, dict(os.environ))
    folder = debian.unpacked("kcat")
    return Kcat(str(folder / "usr" / "bin" / "kcat"), debian.environment(folder))
