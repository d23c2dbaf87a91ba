"""The broker's jars, exactly those of `kafka.lock`: fetched once a user, verified, kept under the lock's hash."""

import hashlib
import importlib
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.stack.once import made_beside
from ops.stack.processes import StackError

LOCK: Final = Path(__file__).with_name("kafka.lock")
POM: Final = Path(__file__).with_name("pom.xml")

Tell = Callable[[str], None]
"""Shows the operator what is going on."""


@dataclass(frozen=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def matches(self, folder: Path) -> bool:
        path = folder / self.file_name
        return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def locked(text: str) -> list[Jar]:
    """The jars of a lock file: one `group:artifact:version sha256` a line."""
    return [Jar(*line.replace(":", " ").split()) for line in text.splitlines()]


def home(cache: Path) -> Path:
    """Where everything made for this lock is kept."""
    return cache / f"kafka-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"


def ensure(cache: Path, tell: Tell) -> Path:
    """The folder with the verified jars; fetched when it is not there."""
    folder = home(cache) / "jars"
    if not folder.exists():
        tell("fetching Apache Kafka (45 jars, 43 MB, once for this user)")
        with made_beside(folder) as fresh:
            _fetch(fresh, tell)
    return folder


def _fetch(folder: Path, tell: Tell) -> None:
    jars = locked(LOCK.read_text(encoding="utf-8"))
    if not (shutil.which("mvn") and _by_maven(folder, tell)):
        _by_jgo(folder, jars)
    wrong = [jar.file_name for jar in jars if not jar.matches(folder)]
    if wrong:
        raise StackError(f"these jars are not what kafka.lock says: {', '.join(wrong)}; check your Maven mirror")
    for path in {*folder.iterdir()} - {folder / jar.file_name for jar in jars}:
        path.unlink()


def _by_maven(folder: Path, tell: Tell) -> bool:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    answer = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(POM), *goal], capture_output=True, text=True, check=False, cwd=folder
    )
    if answer.returncode:
        tell(f"Maven could not fetch them, trying without it: {answer.stdout.strip()[-300:]}")
    return answer.returncode == 0


def _by_jgo(folder: Path, jars: list[Jar]) -> None:
    context = importlib.import_module("jgo.maven").MavenContext()

    def fetch(jar: Jar) -> None:
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        shutil.copy2(artifact.resolve(), folder / jar.file_name)

    try:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(fetch, jars))
    except (OSError, RuntimeError) as error:
        raise StackError(f"could not fetch Apache Kafka: {error}; check the network and run this again") from error
