"""Applies batches: rows, journal and checkpoints in one transaction, holes filled from the log (DESIGN I5, §7)."""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

import msgspec

from readmodels import journal
from readmodels.engine.deliveries import Delivery, Hole, chained, in_order
from readmodels.engine.fold import Change, Failure, Folded, Row, fold
from readmodels.engine.views import D, Key, View, encode
from schemas import sql_files
from schemas.events import Recorded

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)

Fill = Callable[[int, int, int], Awaitable[Sequence[Recorded]]]
"""`fill(partition, after, up_to)`: the partition's next events of the log in `(after, up_to]`, a page at a time."""

Batch = Mapping[int, Sequence[Delivery]]
"""Deliveries by partition."""


class LogBehind(Exception):
    """The log lacks what was published or applied before: nothing may be projected from it (DESIGN I2)."""


class Applied(msgspec.Struct, frozen=True):
    """What a batch did: events taken (duplicates are not), documents changed, entities newly broken.

    Not `live`: another version has become the one that readers see, and this one told the journal nothing.
    """

    events: int = 0
    documents: int = 0
    failures: tuple[Failure, ...] = ()
    live: bool = True


async def apply_batch(pool: "asyncpg.Pool[Any]", view: View[D], generation: int, batch: Batch, fill: Fill) -> Applied:
    """Apply each event that is above its partition's checkpoint, once and in order, whatever the batch looks like.

    Raises LogBehind when a hole cannot be filled.
    """
    while isinstance(outcome := await _apply(pool, view, generation, batch), Hole):
        reached = await _fill(pool, view, generation, outcome, fill)
        if reached < outcome.up_to:
            raise LogBehind(f"{view.topic} has position {outcome.up_to}, which the log lacks")
    return outcome


async def catch_up(
    pool: "asyncpg.Pool[Any]", view: View[Any], generation: int, partition: int, up_to: int, fill: Fill
) -> int:
    """Apply from the log what a partition misses up to a position, for deliveries that nothing follows."""
    after = (await checkpoints(pool, view, generation)).get(partition, 0)
    return await _fill(pool, view, generation, Hole(partition, after, up_to), fill)


async def checkpoints(pool: "asyncpg.Pool[Any]", view: View[Any], generation: int) -> dict[int, int]:
    rows = await pool.fetch(SQL["checkpoints"], view.name, view.version, generation)
    return {row["partition"]: row["position"] for row in rows}


async def advance(
    pool: "asyncpg.Pool[Any]", view: View[Any], generation: int, partitions: Sequence[int], position: int
) -> None:
    """Raise the checkpoints of partitions that are known to have nothing unapplied up to a position."""
    await pool.execute(SQL["advance"], view.name, view.version, generation, list(partitions), position)


async def digest(pool: "asyncpg.Pool[Any]", view: View[Any]) -> bytes:
    """SHA-256 over all rows in key order: equal for equal views, however they were made (DESIGN I5)."""
    hashed = hashlib.sha256()
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        async for row in connection.cursor(_statement(view.table, "in_order"), prefetch=1000):
            hashed.update("\x1f".join(map(str, row.values())).encode() + b"\x1e")
    return hashed.digest()


async def _fill(pool: "asyncpg.Pool[Any]", view: View[D], generation: int, hole: Hole, fill: Fill) -> int:
    """Apply the hole from the log, page by page; returns the position of the last event it had."""
    reached = hole.after
    while reached < hole.up_to and (events := await fill(hole.partition, reached, hole.up_to)):
        outcome = await _apply(pool, view, generation, {hole.partition: chained(events, reached)})
        if isinstance(outcome, Hole):
            raise LogBehind(f"the checkpoint of {view.name} fell below {reached}")
        reached = events[-1].position
    return reached


async def _apply(pool: "asyncpg.Pool[Any]", view: View[D], generation: int, batch: Batch) -> Applied | Hole:
    """Nothing is written when there is a hole."""
    async with pool.acquire() as connection:
        while (outcome := await _attempt(connection, view, generation, batch)) is None:
            pass
        return outcome


async def _attempt(connection: "Connection", view: View[D], generation: int, batch: Batch) -> Applied | Hole | None:
    """Look, fold, write; None, and nothing written, when somebody else moved a checkpoint in between."""
    wanted = {
        view.key(delivery.event): partition
        for partition, some in batch.items()
        for delivery in some
        if view.folds(delivery.event)
    }
    positions = [delivery.event.position for delivery in chain(*batch.values())]
    newest = max(positions, default=0)
    seen = await look(connection, view, generation, wanted, batch, (min(positions, default=0), newest))
    if newest > seen.head:
        raise LogBehind(f"{view.topic} has position {newest}, the log ends at {seen.head}")
    fresh: dict[int, list[Delivery]] = {}
    for partition, deliveries in batch.items():
        ordered = in_order(partition, deliveries, seen.checkpoints.get(partition, 0))
        if isinstance(ordered, Hole):
            return ordered
        if ordered:
            fresh[partition] = ordered
    events = [delivery.event for delivery in chain(*fresh.values())]
    folded = fold(view, seen.rows, seen.broken, events, seen.skipped)
    moves = {
        partition: Move(
            seen.checkpoints[partition], ordered[-1].event.position, ordered[-1].epoch, seen.stamps.get(partition)
        )
        for partition, ordered in fresh.items()
    }
    if not moves:
        return Applied(0, 0, (), live=True)
    written = await write(connection, view, generation, moves, folded, seen.broken)
    if not written.ok:
        return None
    return Applied(len(events), len(folded.changes), tuple(folded.failures.values()), written.live)


@dataclass(frozen=True)
class Seen(Generic[D]):
    """What a batch builds on, all of one snapshot."""

    checkpoints: dict[int, int]
    stamps: dict[int, str]
    rows: dict[Key, Row[D]]
    broken: set[Key]
    head: int
    skipped: Collection[int]


class Move(NamedTuple):
    """A partition's checkpoint on its way from the position that was seen; `stamp` is of the row that was."""

    seen: int
    position: int
    epoch: int
    stamp: str | None = None


class Written(NamedTuple):
    """`ok` unless a checkpoint was not what was seen; then nothing is written. `live`: the journal was told."""

    ok: bool
    live: bool


async def look(
    connection: "Connection",
    view: View[D],
    generation: int,
    wanted: Mapping[Key, int],
    partitions: Collection[int],
    between: tuple[int, int] = (0, 0),
) -> Seen[D]:
    """The documents of keys, each in its partition, the partitions' checkpoints, and what is skipped between positions.

    A partition that none of the documents is in is looked for with a key that no document has.
    """
    bare = [partition for partition in partitions if partition not in wanted.values()]
    rows = [*((*key, partition) for key, partition in wanted.items()), *((None, None, partition) for partition in bare)]
    scope = (view.name, view.version, generation)
    columns = ([row[place] for row in rows] for place in range(3))
    found = await connection.fetch(_statement(view.table, "look"), *scope, *columns, *between)
    if new := {row["partition"] for row in found if row["checkpoint"] is None}:
        await connection.execute(SQL["add_checkpoints"], *scope, list(new))
    return Seen(
        {row["partition"]: row["checkpoint"] or 0 for row in found},
        {row["partition"]: row["stamp"] for row in found if row["stamp"]},
        {
            (row["owner"], row["doc_key"]): Row(view.decode(row["document"]), row["doc_version"], row["last_position"])
            for row in found
            if row["document"] is not None
        },
        {(row["owner"], row["doc_key"]) for row in found if row["broken_from"] is not None},
        max((row["head"] for row in found), default=0),
        (found[0]["skipped"] or ()) if found else (),
    )


async def write(
    connection: "Connection",
    view: View[D],
    generation: int,
    moves: Mapping[int, Move],
    folded: Folded[D],
    left_alone: Collection[Key] = (),
) -> Written:
    """Rows, journal, quarantine and checkpoints by one statement; what was `left_alone` has to be parked still."""
    changes = sorted(folded.changes.items(), key=lambda item: item[1].row.last_position)
    texts = [encode(change.row.document) for _, change in changes]
    said = [_news(*one) for one in zip(changes, texts, strict=True) if one[0][1].says_more] if view.feeds else []
    row = await connection.fetchrow(
        _statement(view.table, "write"),
        *(view.name, view.version, generation),
        list(moves),
        *([getattr(move, name) for move in moves.values()] for name in ("seen", "position", "epoch")),
        *_document_columns(changes, texts),
        *_failure_columns(folded.failures.values()),
        view.feeds,
        *journal.columns(said),
        [owner for owner, _ in left_alone],
        [doc_key for _, doc_key in left_alone],
        [move.stamp for move in moves.values()],
    )
    assert row is not None, "one row says what was done"
    return Written(row["ok"], row["journals"])


def _document_columns(changes: Sequence[tuple[Key, Change[D]]], texts: list[str]) -> tuple[list[Any], ...]:
    return (
        [owner for (owner, _), _ in changes],
        [doc_key for (_, doc_key), _ in changes],
        texts,
        [change.row.doc_version for _, change in changes],
        [change.row.last_position for _, change in changes],
        [change.projected_at for _, change in changes],
    )


def _failure_columns(failures: Collection[Failure]) -> tuple[list[Any], ...]:
    return (
        [failure.key[0] for failure in failures],
        [failure.key[1] for failure in failures],
        [failure.position for failure in failures],
        [failure.error for failure in failures],
    )


def _news(changed: tuple[Key, Change[Any]], text: str) -> journal.News:
    (owner, doc_key), change = changed
    return journal.News(owner, doc_key, change.row.doc_version, change.row.last_position, text)


@cache
def _statement(table: str, name: str) -> str:
    return SQL[name].replace("<documents>", table)
