"""`make check-fresh`: `make up` where nothing was ever installed — as root or not, with the system's Java or none.

Each cell is a clone of the commit with a home of its own, and gone afterwards. It runs before anything is installed, so
it uses the standard library only.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from ops.stack import ports

USERS: Final = ("root", "ordinary user")
JAVAS: Final = ("system JDK", "no Java")
JAVA_PROGRAMS: Final = ("java", "mvn")
NOT_HANDED_ON: Final = ("OA_", "APP_URL", "XDG_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CODEX_", "MAKE", "MFLAGS")
FIRST_PORT, LAST_PORT, PORTS = 26_000, 27_000, 20
NOBODY: Final = 65534
REPOSITORY: Final = Path(__file__).parents[1]

# a real change of user first, so that files of others are out of reach; the namespace then gives it an ordinary number
FROM_ROOT: Final = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
TO_ORDINARY: Final = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
TO_ROOT: Final = ("unshare", "--user", "--map-root-user", "--")


class CellFailed(Exception):
    """What did not happen, in words for the table."""


@dataclass(frozen=True)
class Cell:
    user: str
    java: str

    def __str__(self) -> str:
        return f"{self.user} × {self.java}"

    @property
    def folder_name(self) -> str:
        return f"{self.user}-{self.java}".replace(" ", "-").lower()


@dataclass
class Outcome:
    """Seconds of each step that was done, and why there was no next one."""

    seconds: dict[str, float] = field(default_factory=dict)
    failure: str = ""

    def __str__(self) -> str:
        steps = ", ".join(f"{step} {seconds:.0f}" for step, seconds in self.seconds.items())
        return f"{'FAILED' if self.failure else 'ok'} {sum(self.seconds.values()):.0f} s ({steps})"


@dataclass(frozen=True)
class Machine:
    """Where a cell's commands run: as whom, with which environment, and what they write."""

    prefix: Sequence[str]
    environment: Mapping[str, str]
    clone: Path
    log: IO[bytes]

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*self.prefix, *command],
            cwd=self.clone,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def run(self, *command: str, within_s: float) -> None:
        with _ended(self.start(*command)) as process:
            try:
                code = process.wait(within_s)
            except subprocess.TimeoutExpired:
                raise CellFailed(f"`{' '.join(command)}` did not end within {within_s:g} s") from None
        if code:
            raise CellFailed(f"`{' '.join(command)}` ended with {code}")


@contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """Its whole session is gone afterwards."""
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=REPOSITORY, check=False).returncode:
        print("changes that are not committed are not in the clones")
    cells = [Cell(user, java) for user in USERS for java in JAVAS]
    with tempfile.TemporaryDirectory(prefix="oa-fresh-") as folder:
        Path(folder).chmod(0o755)
        commit = Path(folder) / "commit.git"
        subprocess.run(["git", "clone", "--quiet", "--bare", REPOSITORY, commit], check=True)
        outcomes = {cell: attempt(cell, commit, Path(folder) / cell.folder_name) for cell in cells}
    print(table(outcomes))
    sys.exit(any(outcome.failure for outcome in outcomes.values()))


def attempt(cell: Cell, commit: Path, folder: Path) -> Outcome:
    """One cell from the clone to the last process; whatever it started is ended."""
    outcome = Outcome()
    folder.mkdir()
    log_path = folder.with_suffix(".log")
    try:
        with log_path.open("wb") as log:
            _play(
                machine(cell, commit, folder, log), outcome.seconds, lambda step: print(f"{cell}: {step}", flush=True)
            )
        _nothing_runs_in(folder)
    except CellFailed as failure:
        outcome.failure = str(failure)
        print(f"{cell}: {failure}\n" + "\n".join(log_path.read_text(errors="replace").splitlines()[-30:]))
    finally:
        for pid in running_in(folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def machine(cell: Cell, commit: Path, folder: Path, log: IO[bytes]) -> Machine:
    """An empty home and a clone, which belong to the cell's user."""
    clone, home, links = folder / "clone", folder / "home", folder / "path"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", commit, clone], check=True)
    home.mkdir()
    has_java = cell.java == "system JDK"
    if has_java and not shutil.which("java"):
        raise CellFailed("this machine has no Java")
    path = os.environ["PATH"] if has_java else path_without(JAVA_PROGRAMS, os.environ["PATH"], links)
    prefix = _prefix(cell.user)
    if FROM_ROOT[0] in prefix:
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", folder], check=True)
    return Machine(prefix, _environment(home, path, has_java), clone, log)


def _prefix(user: str) -> tuple[str, ...]:
    if (os.geteuid() == 0) == (user == "root"):
        return ()
    return TO_ROOT if user == "root" else (*FROM_ROOT, *TO_ORDINARY)


def _environment(home: Path, path: str, has_java: bool) -> dict[str, str]:
    not_handed_on = NOT_HANDED_ON if has_java else (*NOT_HANDED_ON, "JAVA_HOME")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(not_handed_on)}
    return kept | {
        "HOME": str(home),
        "PATH": path,
        "OA_PORT": str(ports.free_block(FIRST_PORT, LAST_PORT, PORTS)),
        "MAVEN_OPTS": f"-Duser.home={home}",  # Java asks the system for the home, not the environment
    }


def path_without(programs: Sequence[str], path: str, links: Path) -> str:
    """The path, with each folder that has one of `programs` replaced by one of links to everything else in it."""
    places = [Path(place) for place in path.split(os.pathsep)]
    return os.pathsep.join(str(_without(programs, place, links / str(n))) for n, place in enumerate(places))


def _without(programs: Sequence[str], place: Path, links: Path) -> Path:
    if not any((place / program).exists() for program in programs):
        return place
    links.mkdir(parents=True)
    for program in place.iterdir():
        if program.name not in programs:
            (links / program.name).symlink_to(program)
    return links


def _play(on: Machine, seconds: dict[str, float], tell: Callable[[str], None]) -> None:
    def timed(step: str, do: Callable[[], None]) -> None:
        begun = time.monotonic()
        do()
        seconds[step] = time.monotonic() - begun
        tell(f"{step} {seconds[step]:.1f} s")

    oa, python = ".venv/bin/oa", ".venv/bin/python"
    timed("install", lambda: on.run("make", within_s=1200))
    with _ended(on.start("make", "up")) as up:
        timed("up", lambda: _until_ready(on.clone / ".oa" / "stack.json", up, within_s=900))
        address = f"http://127.0.0.1:{on.environment['OA_PORT']}"
        timed("smoke", lambda: on.run(python, "-m", "ops.smoke", address, within_s=120))
        on.run(oa, "status", within_s=30)
        timed("down", lambda: on.run("make", "down", within_s=120))
        up.wait(30)
    on.run(oa, "reset", "--yes", within_s=60)


def _until_ready(state: Path, up: "subprocess.Popen[bytes]", within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while (found := _read(state)).get("phase") != "ready":
        if up.poll() is not None:
            raise CellFailed(f"`make up` ended with {up.returncode}")
        if time.monotonic() > deadline:
            raise CellFailed(f"not ready after {within_s:g} s: {found.get('step')}")
        time.sleep(0.2)
    names = {process["name"] for process in found["processes"]}
    if shutil.which("npm") and "worker" not in names:
        raise CellFailed("the stack is ready, but without its worker")


def _read(state: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def _nothing_runs_in(folder: Path) -> None:
    deadline = time.monotonic() + 5
    while left := running_in(folder):
        if time.monotonic() > deadline:
            raise CellFailed(f"left behind: {', '.join(map(_command_line, left))}")
        time.sleep(0.1)


def running_in(folder: Path) -> list[int]:
    """Processes whose program, working directory or command line is in the folder."""
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [number for number in numbers if number != os.getpid() and str(folder) in _traces(number)]


def _traces(pid: int) -> str:
    try:
        return f"{os.readlink(f'/proc/{pid}/exe')}\n{os.readlink(f'/proc/{pid}/cwd')}\n{_command_line(pid)}"
    except OSError:  # it has ended, or is not ours to look at
        return ""


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def table(outcomes: Mapping[Cell, Outcome]) -> str:
    """Users down, Java across."""
    rows = [["", *JAVAS], *([user, *(str(outcomes[Cell(user, java)]) for java in JAVAS)] for user in USERS)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


if __name__ == "__main__":
    main()
