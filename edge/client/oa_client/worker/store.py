"""What the daemon must not forget: one SQLite file for an edge and a worker, used by one daemon at a time."""

import asyncio
import fcntl
import hashlib
import logging
import os
import re
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from oa_client.errors import StoreFailed

_LOG = logging.getLogger(__name__)

_VERSION = 1
_SAVED_WITHIN_S = 0.02


def _statements() -> dict[str, str]:
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- name: (\w+)\s*$", text, flags=re.MULTILINE)
    return {name: statement.strip() for name, statement in zip(parts[::2], parts[1::2], strict=True)}


_SQL = _statements()


def place(folder: Path, url: str, worker_id: str) -> Path:
    """The file for this worker of this edge."""
    readable = re.sub(r"[^A-Za-z0-9._-]", "-", worker_id)[:80]
    return folder / f"{readable}-{hashlib.sha256(f'{url} {worker_id}'.encode()).hexdigest()[:12]}.sqlite"


class Store:
    """Writes are in one order. Those inside `durably` are on the disk when it ends; others shortly after they are made,
    which a killed daemon may lose, but never one without all that came after it."""

    def __init__(self, connection: sqlite3.Connection, lock: int) -> None:
        self._connection = connection
        self._lock = lock
        self._saving: asyncio.TimerHandle | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises StoreFailed when another daemon has it. A file that cannot be used is put aside for a new one."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _locked(path)
        try:
            return cls(_usable(path), lock)
        except (sqlite3.Error, OSError) as error:
            os.close(lock)
            raise StoreFailed(f"{path}: {error}") from error

    def close(self) -> None:
        self.save()
        self._connection.close()
        os.close(self._lock)

    @property
    def identity(self) -> str:
        """New with every new file."""
        identity = self.fact("identity")
        assert identity is not None
        return identity

    def fact(self, name: str) -> str | None:
        return next((value for (value,) in self.read("fact", name)), None)

    def set_fact(self, name: str, value: str | None) -> None:
        if value is None:
            self.write("drop_fact", name)
        else:
            self.write("set_fact", name, value)

    def read(self, statement: str, *values: Any) -> Sequence[Any]:
        with _failing():
            return self._connection.execute(_SQL[statement], values).fetchall()

    def write(self, statement: str, *values: Any) -> int:
        """The new row's number, if the statement makes one."""
        with _failing():
            if not self._connection.in_transaction:
                self._connection.execute("begin immediate")
                self._save_soon()
            return self._connection.execute(_SQL[statement], values).lastrowid or 0

    def save(self) -> None:
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        with _failing():
            self._connection.commit()

    @contextmanager
    def durably(self) -> Iterator[None]:
        """What is written inside is kept all or not at all, also when the machine loses power right after it."""
        self.save()
        with _failing():
            self._connection.execute("pragma synchronous = full")
            try:
                yield
                self.save()
            finally:
                self._connection.rollback()
                self._connection.execute("pragma synchronous = normal")

    def _save_soon(self) -> None:
        self._saving = asyncio.get_running_loop().call_later(_SAVED_WITHIN_S, self.save)


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreFailed(f"the daemon's store: {error}") from error


def _locked(path: Path) -> int:
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StoreFailed(
            f"another daemon here serves this worker: stop it, or give this one a --state folder of its own ({path})"
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock


def _usable(path: Path) -> sqlite3.Connection:
    existed = path.exists()
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if not existed or isinstance(error, sqlite3.OperationalError):
            raise
        aside = path.with_suffix(".broken")
        _LOG.warning("%s cannot be used (%s): it is now %s, and this daemon starts without it", path, error, aside.name)
    path.replace(aside)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    """Readable by the user alone from its first byte on, as are the files that SQLite puts beside it."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        _prepare(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    [(verdict,)] = connection.execute("pragma quick_check(1)").fetchall()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    [(version,)] = connection.execute("pragma user_version").fetchall()
    if version == 0:
        connection.executescript(f"begin; {_SQL['schema']} pragma user_version = {_VERSION};")
        connection.execute(_SQL["set_fact"], ("identity", str(uuid.uuid4())))
        connection.execute("commit")
    elif version != _VERSION:
        raise sqlite3.DatabaseError(f"it is of version {version}")
