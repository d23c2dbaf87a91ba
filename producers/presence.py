"""Which processes of ours run, and whether they get on: each says so in Postgres, so that who is silent is seen."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import asyncpg
import structlog

from schemas import sql_files
from schemas.cancellation import raise_if_cancelled
from schemas.lost_connections import LOST_CONNECTION

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Queried = asyncpg.Pool[Any] | asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)
LOGGER = structlog.get_logger()

TELL_EVERY_S: Final = 3.0
SILENT_AFTER_S: Final = 10.0
FORGOTTEN_AFTER: Final = timedelta(minutes=10)


class Process(NamedTuple):
    """`id` is of this process alone."""

    id: str
    kind: str
    host: str
    pid: int


class State(NamedTuple):
    """What `/readyz` says."""

    ready: bool
    lag_positions: int
    lag_seconds: float
    reason: str


class Seen(NamedTuple):
    """A process as it was when it spoke last, `silent_s` ago; `age_s` is how long it ran until then."""

    kind: str
    host: str
    pid: int
    ready: bool
    state: str
    lag_positions: int
    lag_seconds: float
    age_s: float
    silent_s: float

    @property
    def runs(self) -> bool:
        return self.silent_s < SILENT_AFTER_S


async def tell(pool: "asyncpg.Pool[Any]", process: Process, state: Callable[[], Awaitable[State]]) -> None:
    """Until cancelled; whoever was silent for long is forgotten."""
    while True:
        try:
            await pool.execute(SQL["tell"], *process, *(await state()))
            await pool.execute(SQL["forget"], FORGOTTEN_AFTER)
        except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
            LOGGER.warning("nobody sees that this process runs", error=repr(error))
        raise_if_cancelled()
        await asyncio.sleep(TELL_EVERY_S)


async def everybody(queried: "Queried") -> list[Seen]:
    """By kind, those first that began first."""
    return [Seen(**row) for row in await queried.fetch(SQL["everybody"])]
