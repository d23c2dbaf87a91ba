"""Applies the numbered `.sql` files of this folder: in name order, each in one transaction, each once."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from producers.eventlog import epochs, log
from readmodels import engine, journal
from readmodels.catalogue import VIEWS
from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

FOLDER: Final = Path(__file__).parent
SQL: Final = sql_files.load(__file__)


async def migrate(connection: "Connection", *, first_position: int = 1, folder: Path = FOLDER) -> list[str]:
    """Bring the database up to date and return the names of what was applied.

    The functions of the log and the journal, which own their text, are put in place every time. A migration reads the
    log's first position as `current_setting('oa.first_position', true)`.
    """
    await connection.execute(SQL["lock"])
    try:
        await connection.execute(SQL["create_table"])
        waiting = await pending(connection, folder)
        for name, statements in waiting.items():
            await _apply(connection, name, statements, first_position)
        await log.install(connection)
        await epochs.install(connection)
        await journal.install(connection)
        for view in VIEWS.values():
            await engine.create(connection, view)
    finally:
        await connection.execute(SQL["unlock"])
    return list(waiting)


async def pending(connection: "Connection", folder: Path = FOLDER) -> dict[str, str]:
    """The migrations that this database has not seen: statements by name, in order."""
    applied = {row["name"] for row in await connection.fetch(SQL["applied"])}
    return {name: statements for name, statements in _migrations(folder).items() if name not in applied}


def _migrations(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("[0-9]*.sql"))}


async def _apply(connection: "Connection", name: str, statements: str, first_position: int) -> None:
    async with connection.transaction():
        await connection.execute(SQL["set_first_position"], str(first_position))
        await connection.execute(statements)
        await connection.execute(SQL["record"], name)
