"""A Postgres of a bench's own: fresh, migrated, durable, gone afterwards."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from ops.migrations.runner import migrate
from ops.stack import postgres
from ops.stack.postgres import Postgres
from ops.stack.processes import Supervised


@asynccontextmanager
async def fresh_postgres() -> AsyncIterator[tuple[Postgres, int]]:
    """The server and its pid."""
    with tempfile.TemporaryDirectory(prefix="oa-bench-") as folder:
        server = Postgres(postgres.plan_here(Path(folder) / "oa"), postgres.binaries(), port=5432)
        server.prepare()
        service = Supervised(server.program(), lambda _name, _line: None)
        await service.start(attempts=1)
        try:
            await server.ensure_database()
            connection = await asyncpg.connect(server.dsn())
            await migrate(connection)
            await connection.close()
            yield server, int((server.plan.home / "data" / "postmaster.pid").read_text().split()[0])
        finally:
            await service.stop()
