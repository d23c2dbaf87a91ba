"""How Postgres gets a uid other than 0, for every kind of caller (STACK §2)."""

import signal
from collections.abc import Sequence
from pathlib import Path

from ops.stack.postgres import NAMESPACE, NOBODY, Owner, Plan, Postgres, plan
from ops.stack.processes import leashed

DATA = Path("/srv/project/.oa")
ROOT, ADA = Owner(0, 0), Owner(1000, 1000)
AS_ADA = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--")


def everything(_command: Sequence[str]) -> bool:
    return True


def nothing(_command: Sequence[str]) -> bool:
    return False


def test_an_ordinary_caller_runs_it_as_itself() -> None:
    assert plan(DATA, 1000, ADA, everything) == Plan((), DATA / "postgres", None)


def test_root_in_somebodys_tree_runs_it_as_its_owner() -> None:
    assert plan(DATA, 0, ADA, everything) == Plan(AS_ADA, DATA / "postgres", ADA)


def test_root_in_a_tree_whose_owner_cannot_reach_it_uses_a_namespace() -> None:
    assert plan(DATA, 0, ADA, lambda command: command[0] == "unshare").prefix == NAMESPACE


def test_root_in_roots_tree_uses_a_namespace_and_files_stay_roots() -> None:
    assert plan(DATA, 0, ROOT, everything) == Plan(NAMESPACE, DATA / "postgres", None)


def test_root_without_namespaces_runs_it_as_nobody_in_a_folder_of_its_own() -> None:
    found = plan(DATA, 0, ROOT, nothing)
    assert found.owner == Owner(NOBODY, NOBODY)
    assert found.home.parent == Path("/var/tmp")
    assert found.home != plan(Path("/elsewhere"), 0, ROOT, nothing).home


def test_the_leash_comes_last_because_a_change_of_user_clears_it() -> None:
    server = Postgres(plan(DATA, 0, ROOT, everything), Path("/pg/bin"), 5432)
    command = list(server.program().command)
    postgres = command[command.index("/pg/bin/postgres") :]
    assert command == [*NAMESPACE, *leashed(postgres, signal.SIGINT)]


def test_a_socket_path_that_is_too_long_moves_to_the_temporary_folder() -> None:
    near = Postgres(Plan((), DATA / "postgres", None), Path("/pg/bin"), 5432)
    far = Postgres(Plan((), Path("/" + "x" * 100), None), Path("/pg/bin"), 5432)
    assert near.socket_folder == DATA / "postgres"
    assert len(str(far.socket_folder)) < 60


def test_the_dsn_can_be_read_by_a_shell() -> None:
    dsn = Postgres(Plan((), Path("/a b/postgres"), None), Path("/pg/bin"), 5432).dsn()
    assert dsn == "postgresql://oa@%2Fa%20b%2Fpostgres:5432/oa"
