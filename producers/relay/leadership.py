"""One relay leads: a session-level advisory lock on a connection of its own, whose end is the end of leadership."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from producers.relay.errors import LeadershipLost
from producers.relay.settings import RelaySettings
from schemas import sql_files
from schemas.lost_connections import LOST_CONNECTION

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]

_SQL = sql_files.load(__file__)
_CANDIDATE_POLL_S: Final = 0.5
_APPLICATION: Final = "oa relay leader"


@asynccontextmanager
async def leadership(settings: RelaySettings, waiting: Callable[[], None]) -> AsyncIterator["Connection"]:
    """Wait until nobody else leads; calls `waiting` while somebody does.

    The server ends the connection when a stopped process does not use it for `leader_lost_after_s`, and sooner when
    the network is gone, so that somebody else can lead. Raises what asyncpg raises.
    """
    lost_after_ms = str(int(settings.leader_lost_after_s * 1000))
    connection = await asyncpg.connect(
        settings.database_url,
        timeout=settings.leader_lost_after_s,
        command_timeout=settings.leader_lost_after_s,
        server_settings={
            "application_name": _APPLICATION,
            "idle_session_timeout": lost_after_ms,
            "tcp_user_timeout": lost_after_ms,
            "tcp_keepalives_idle": "1",
            "tcp_keepalives_interval": "1",
            "tcp_keepalives_count": "3",
        },
    )
    try:
        while not await connection.fetchval(_SQL["try_lead"], settings.fencing_id):
            waiting()
            await asyncio.sleep(_CANDIDATE_POLL_S)
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def interregnum(settings: RelaySettings, pool: "asyncpg.Pool[Any]") -> AsyncIterator[None]:
    """End whoever leads, and let nobody lead while the context lasts."""
    await pool.execute(_SQL["end_leader"], settings.fencing_id)
    async with leadership(settings, lambda: None):
        yield


async def has_candidates(pool: "asyncpg.Pool[Any]") -> bool:
    """Whether a relay runs on this log."""
    return bool(await pool.fetchval(_SQL["has_candidates"], _APPLICATION))


async def keep(connection: "Connection", interval_s: float, beat: Callable[["Connection"], Awaitable[None]]) -> None:
    """Use the connection until it is lost; then raises LeadershipLost."""
    while True:
        try:
            await connection.execute(_SQL["beat"])
            await beat(connection)
        except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
            raise LeadershipLost(repr(error)) from error
        await asyncio.sleep(interval_s)
