"""Epochs: which history of the log this is, and how a new one begins after a restore or a failover (DESIGN I2).

Whoever finds that the log is behind what it has already seen suspends it: a word in `log_head` that every append reads
anyway. A new epoch begins far above everything that was ever published, so no position is used twice.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from producers.eventlog.commands import NO_STREAM, Decider, StreamHead, dumps
from producers.eventlog.log import head_of
from schemas import hashing, sql_files
from schemas.events import NewEvent, Recorded
from schemas.history import Epoch, History

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

_SQL = sql_files.load(__file__)
_PAGE: Final = 1000

MARGIN: Final = 1_000_000
"""How far above everything seen a new epoch begins: sockets may have been served what nobody else has written down."""

OTHER_SERVER: Final = (
    "this Postgres is not the one that wrote the log last: it was restored from a backup, or a standby was promoted. "
    "`oa log recover` shows what was lost and begins a new epoch"
)


async def install(connection: "Connection") -> None:
    """Create or replace what tells one Postgres from another; runs with the migrations."""
    await connection.execute(_SQL["install"])


async def check_server(connection: "Connection") -> None:
    """Suspend the log when this is another Postgres than the one that wrote last; for every new connection."""
    await connection.execute(_SQL["check_server"], OTHER_SERVER)


async def suspension(connection: "Connection") -> str | None:
    """Why the log is suspended, if it is."""
    reason: str | None = await connection.fetchval(_SQL["suspension"])
    return reason


async def suspend(pool: "asyncpg.Pool[Any]", reason: str) -> None:
    """From the next append on nobody writes, until a new epoch begins; the first reason stays."""
    await pool.execute(_SQL["suspend"], reason)


async def history(pool: "asyncpg.Pool[Any]") -> History:
    return History([Epoch(*row) for row in await pool.fetch(_SQL["epochs"])])


async def begin(connection: "Connection", above: int, at: datetime) -> int:
    """Begin the next epoch above a position, for the log and the journals; returns its number.

    A suspended log stays so until `resume`. Within the caller's transaction.
    """
    position = await connection.fetchval(_SQL["lock"])
    epoch: int = await connection.fetchval(_SQL["begin"], max(above, position) + MARGIN, at)
    await connection.execute(_SQL["begin_journals"], MARGIN)
    return epoch


async def put_back(connection: "Connection", events: Sequence[Recorded], deciders: Sequence[Decider[Any, Any]]) -> None:
    """Write events that follow the head of a restored log as they were published: same position, same seq.

    Raises ValueError when they do not follow it, or do not continue their streams. Within the caller's transaction.
    """
    position = await connection.fetchval(_SQL["lock"])
    if [event.position for event in events] != list(range(position + 1, position + 1 + len(events))):
        raise ValueError(f"the events do not follow position {position} without a gap")
    streams = await _continued(connection, events, {decider.kind: decider for decider in deciders})
    await connection.execute(_SQL["put_back"], *_event_columns(events))
    await connection.execute(_SQL["put_back_streams"], *(list(column) for column in zip(*streams, strict=True)))
    await connection.execute(_SQL["put_back_head"], events[-1].position, position)


async def resume(connection: "Connection | asyncpg.Pool[Any]") -> None:
    """Lift the suspension: the epoch that has begun may be written."""
    await connection.execute(_SQL["resume"])


class LostEnd(NamedTuple):
    """A stream whose end is lost: it was published through this seq."""

    kind: str
    stream: str
    owner: str
    seq: int


async def fill(
    connection: "Connection",
    ends: Sequence[LostEnd],
    deciders: Sequence[Decider[Any, Any]],
    at: datetime,
) -> None:
    """Give every lost event a stand-in at its seq, in the epoch that has begun; whoever saw the lost one reads on.

    Within the caller's transaction.
    """
    position = await connection.fetchval(_SQL["lock"])
    stand_ins = {decider.kind: decider.stand_in for decider in deciders}
    seqs = {row["stream"]: row["seq"] for row in await connection.fetch(_SQL["streams"], [end.stream for end in ends])}
    missing = ((end, seq) for end in ends for seq in range(seqs.get(end.stream, 0) + 1, end.seq + 1))
    places = enumerate(missing, position + 1)
    filling = (_stand_in(end, seq, stand_ins[end.kind](seq), place, at) for place, (end, seq) in places)
    while page := list(itertools.islice(filling, _PAGE)):
        await put_back(connection, page, deciders)


def _stand_in(end: LostEnd, seq: int, event: NewEvent, position: int, at: datetime) -> Recorded:
    payload = event.body()
    digest = hashing.digest(payload)
    return Recorded(position, end.kind, end.stream, seq, event.type, event.version, end.owner, payload, digest, {}, at)


async def _continued(
    connection: "Connection", events: Sequence[Recorded], deciders: dict[str, Decider[Any, Any]]
) -> list[tuple[Any, ...]]:
    """The rows of the streams as they are after the events."""
    of_stream = {event.stream: deciders[event.kind] for event in events}
    rows = await connection.fetch(_SQL["streams"], list(of_stream))
    heads = {row["stream"]: await head_of(connection, row, of_stream[row["stream"]]) for row in rows}
    last: dict[str, Recorded] = {}
    for event in events:
        head = heads.get(event.stream, NO_STREAM)
        if event.seq != head.seq + 1:
            raise ValueError(f"event {event.seq} of {event.stream} does not follow event {head.seq}")
        heads[event.stream] = StreamHead(event.seq, of_stream[event.stream].evolve(head.state, event), event.owner)
        last[event.stream] = event
    return [_row(event, of_stream[stream], heads[stream].state) for stream, event in last.items()]


def _row(last: Recorded, decider: Decider[Any, Any], state: Any) -> tuple[Any, ...]:
    return (
        *(last.stream, last.kind, last.owner, last.seq),
        *(dumps(state), decider.state_version, decider.wake_at(state), last.recorded_at),
    )


def _event_columns(events: Sequence[Recorded]) -> list[list[Any]]:
    return [
        [event.position for event in events],
        [event.kind for event in events],
        [event.stream for event in events],
        [event.seq for event in events],
        [event.type for event in events],
        [event.version for event in events],
        [event.owner for event in events],
        [dumps(event.payload) for event in events],
        [event.digest for event in events],
        [dumps(event.headers) for event in events],
        [event.recorded_at for event in events],
    ]
