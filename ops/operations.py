"""The operators' view and hands, for the edge: what `oa status` and `oa quarantine` do, by the same functions."""

from typing import TYPE_CHECKING, Any

from edge.operations import Drop, Operations
from ops.overview import Overview
from processors.quarantine import CannotRelease, Quarantine, everything, identity
from producers.errors import Conflict, NotFound
from readmodels.engine.skips import Decision

if TYPE_CHECKING:
    import asyncpg


def operations(pool: "asyncpg.Pool[Any]", topic_prefix: str) -> Operations:
    quarantine = Quarantine(pool, topic_prefix)

    async def release(wanted: str, drop: Drop | None) -> dict[str, Any] | None:
        one = next((one for one in await everything(pool) if identity(one) == wanted), None)
        if one is None:
            raise NotFound("nothing is parked there any more")
        try:
            again = await quarantine.release(one, Decision(drop.by, drop.why) if drop else None)
        except CannotRelease as error:
            raise Conflict(str(error)) from None
        return {"position": again.position, "error": again.error} if again else None

    return Operations(Overview(pool, topic_prefix).look, release)
