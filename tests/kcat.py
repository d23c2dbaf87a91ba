"""Debian's `kcat`: the one on the path, else its package unpacked into the user's cache, installed nowhere."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

CACHED = Path.home() / ".cache" / "oa" / "kcat"
PACKAGES = ("kcat", "librdkafka1", "libyajl2", "liblz4-1", "libsasl2-2", "libssl3", "libzstd1")


class Missing(Exception):
    """There is no kcat here, and none can be had."""


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
    if found := shutil.which("kcat"):
        return Kcat(found, dict(os.environ))
    if not CACHED.exists():
        _unpack(CACHED)
    libraries = ":".join(str(path) for path in sorted(CACHED.glob("usr/lib/*")))
    return Kcat(str(CACHED / "usr" / "bin" / "kcat"), os.environ | {"LD_LIBRARY_PATH": libraries})


def _unpack(target: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Missing("no kcat on the path, and no apt-get that could fetch it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        unpacked = Path(folder) / "unpacked"
        _run(["apt-get", "-qq", "download", *PACKAGES], folder)
        for package in sorted(Path(folder).glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(unpacked)], folder)
        unpacked.rename(target)


def _run(command: Sequence[str], folder: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise Missing(f"no kcat: {' '.join(command[:3])} said {done.stderr.strip()[:200]}")
