"""Programs of Debian's: the one on the path, else its packages unpacked into the user's cache, installed nowhere."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

CACHE = Path.home() / ".cache" / "oa"
_STATUS = "/var/lib/dpkg/status"


class Missing(Exception):
    """There is no such program here, and none can be had."""


def unpacked(package: str) -> Path:
    """The folder with what the package, and all that it needs and this machine lacks, would install.

    Fetched once a user. Raises Missing.
    """
    target = CACHE / package
    if not target.exists():
        _unpack(target, package)
    return target


def environment(folder: Path) -> dict[str, str]:
    """In which programs of such a folder find their libraries, and their fonts where the system has none."""
    beneath = ("usr/lib/*-linux-gnu*/", "usr/lib/*-linux-gnu*/*/")
    libraries = [str(path) for pattern in beneath for path in sorted(folder.glob(pattern)) if path.is_dir()]
    found = os.environ | {"LD_LIBRARY_PATH": ":".join(libraries)}
    return found | ({"FONTCONFIG_SYSROOT": str(folder)} if (folder / "etc" / "fonts").exists() else {})


def _unpack(target: Path, package: str) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Missing(f"no {package} on the path, and no apt-get that could fetch it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh = Path(folder) / "unpacked"
        apt = _apt(Path(folder))
        _run(package, [*apt, "update"], 120)
        _run(package, [*apt, "install", "--yes", "--download-only", "--no-install-recommends", package], 600)
        for archive in sorted(Path(folder).glob("archives/*.deb")):
            _run(package, ["dpkg", "-x", str(archive), str(fresh)], 120)
        fresh.rename(target)


def _apt(folder: Path) -> list[str]:
    """Lists and archives in a folder of its own: needs no root, and not that the machine's own lists are there."""
    for name in ("state/lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    places = {
        "Dir::State": folder / "state",
        "Dir::State::status": _STATUS,
        "Dir::Cache": folder,
        "Dir::Cache::archives": folder / "archives",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "1",
    }
    return ["apt-get", "-qq", *(f"--option={name}={value}" for name, value in places.items())]


def _run(package: str, command: Sequence[str], within_s: float) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=within_s, check=False)
    if done.returncode:
        raise Missing(f"no {package}: {command[0]} said {done.stderr.strip()[:200]}")
