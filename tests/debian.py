"""Programs of Debian's: the one on the path, else its package unpacked into the user's cache, installed nowhere."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

CACHE = Path.home() / ".cache" / "oa"


class Missing(Exception):
    """There is no such program here, and none can be had."""


def unpacked(name: str, packages: Sequence[str]) -> Path:
    """The folder with what the packages would install; fetched once a user. Raises Missing."""
    target = CACHE / name
    if not target.exists():
        _unpack(target, packages)
    return target


def _unpack(target: Path, packages: Sequence[str]) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Missing(f"no {target.name} on the path, and no apt-get that could fetch it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh = Path(folder) / "unpacked"
        _run(target.name, ["apt-get", "-qq", "download", *packages], folder)
        for package in sorted(Path(folder).glob("*.deb")):
            _run(target.name, ["dpkg", "-x", str(package), str(fresh)], folder)
        fresh.rename(target)


def _run(name: str, command: Sequence[str], folder: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise Missing(f"no {name}: {' '.join(command[:3])} said {done.stderr.strip()[:200]}")
