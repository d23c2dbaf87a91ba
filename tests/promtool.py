"""Prometheus' own checks of alerting rules, by Debian's `promtool`."""

import shutil
import subprocess
from pathlib import Path

from tests import debian


class Promtool:
    def __init__(self, program: str) -> None:
        self._program = program

    def run(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._program, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )


def promtool() -> Promtool:
    """Raises debian.Missing."""
    found = shutil.which("promtool")
    return Promtool(found or str(debian.unpacked("prometheus") / "usr" / "bin" / "promtool"))
