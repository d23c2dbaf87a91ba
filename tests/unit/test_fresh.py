"""The parts of `make check-fresh` that need no machine of their own."""

import subprocess
import sys
from pathlib import Path

from ops import fresh
from ops.fresh import Cell, Outcome
from tests.services import until


def test_a_path_without_a_program_keeps_every_other(tmp_path: Path) -> None:
    with_java, without = tmp_path / "bin", tmp_path / "other"
    for program in (with_java / "java", with_java / "make", without / "npm"):
        program.parent.mkdir(exist_ok=True)
        program.touch()
    path = fresh.path_without(["java"], f"{with_java}:{without}", tmp_path / "links")
    links, kept = map(Path, path.split(":"))
    assert [(program.name, program.resolve()) for program in links.iterdir()] == [("make", with_java / "make")]
    assert kept == without


def test_the_table_has_users_down_and_java_across() -> None:
    outcomes = {
        Cell(user, java): Outcome({"install": 60.4, "up": 40.2}) for user in fresh.USERS for java in fresh.JAVAS
    }
    outcomes[Cell("root", "no Java")] = Outcome({"install": 61.0}, failure="`make up` ended with 2")
    head, root, ordinary = fresh.table(outcomes).splitlines()
    assert head.split("  ")[-1] == "no Java"
    assert root.startswith("root")
    assert root.endswith("FAILED 61 s (install 61)")
    assert ordinary.count("ok 101 s (install 60, up 40)") == 2


def test_a_process_that_was_left_behind_is_found_by_where_it_works(tmp_path: Path) -> None:
    assert fresh.running_in(tmp_path) == []
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        until(lambda: fresh.running_in(tmp_path) == [process.pid])
        process.kill()
    assert fresh.running_in(tmp_path) == []


def test_it_needs_nothing_but_the_standard_library() -> None:
    answer = subprocess.run([sys.executable, "-S", "-c", "import ops.fresh"], cwd=fresh.REPOSITORY, check=False)
    assert answer.returncode == 0
