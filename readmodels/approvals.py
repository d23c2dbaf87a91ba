"""What became of an approval: what was asked, and who answered, read from its worker's newest events (ADR 13)."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas import canonical_json, sql_files
from schemas.events import Payload
from schemas.names import worker_stream
from schemas.workers import WorkerApprovalAnswered, WorkerApprovalRequested

if TYPE_CHECKING:
    import asyncpg

SQL = sql_files.load(__file__)

LATELY_EVENTS: Final = 10_000
_PLAIN: Final = ("kind", "command", "cwd", "reason")


class Told(msgspec.Struct, frozen=True):
    """An event's payload, and when it was recorded."""

    payload: Payload
    at: datetime


class Approval(msgspec.Struct, frozen=True):
    """None is what was not told among a worker's newest events, or is erased."""

    asked: Told | None = None
    answered: Told | None = None


async def find(pool: "asyncpg.Pool[Any]", owner: str, worker_id: str, approval_id: str) -> Approval:
    kinds = (WorkerApprovalRequested.type, WorkerApprovalAnswered.type)
    rows = await pool.fetch(SQL["told"], worker_stream(owner, worker_id), LATELY_EVENTS, kinds, approval_id)
    told = {row["type"]: Told(canonical_json.decode(row["payload"]), row["recorded_at"]) for row in rows}
    return Approval(*(told.get(kind) for kind in kinds))


def brief(asked: Payload) -> Payload:
    """What would be done, without the text of diffs."""
    brief = {name: asked[name] for name in _PLAIN if name in asked}
    paths = [change["path"] for change in asked.get("changes") or () if "path" in change]
    return brief | ({"paths": paths} if paths else {})
