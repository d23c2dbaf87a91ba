"""Applies batches: rows, journal and checkpoints in one transaction, holes filled from the log (DESIGN I5, §7)."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from readmodels import journal
from readmodels.engine.deliveries import Delivery, Hole, chained, in_order
from readmodels.engine.fold import Change, Failure, Row, fold
from readmodels.engine.views import D, Key, View
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
    """What a batch did: events taken (duplicates are not), documents changed, entities newly broken."""

    events: int = 0
    documents: int = 0
    failures: tuple[Failure, ...] = ()


async def prepare(pool: "asyncpg.Pool[Any]", view: View[Any]) -> None:
    """`create` on a connection of its own."""
    async with pool.acquire() as connection:
        await create(connection, view)


async def create(connection: "Connection", view: View[Any]) -> None:
    """Make the view's tables, and the name that readers use when there is none yet; repeatable."""
    async with connection.transaction():
        await connection.execute(SQL["one_at_a_time"])
        await connection.execute(view.statements["create"])
        if not await connection.fetchval(SQL["is_readable"], view.name):
            await connection.execute(view.statements["cut_over"])


async def apply_batch(pool: "asyncpg.Pool[Any]", view: View[D], generation: int, batch: Batch, fill: Fill) -> Applied:
    """Apply each event that is above its partition's checkpoint, once and in order, whatever the batch looks like.

    Raises LogBehind when a hole cannot be filled.
    """
    while isinstance(outcome := await _attempt(pool, view, generation, batch), Hole):
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
    await _move_checkpoints(pool, view, generation, dict.fromkeys(partitions, (position, 0)))


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
        outcome = await _attempt(pool, view, generation, {hole.partition: chained(events, reached)})
        if isinstance(outcome, Hole):
            raise LogBehind(f"the checkpoint of {view.name} fell below {reached}")
        reached = events[-1].position
    return reached


async def _attempt(pool: "asyncpg.Pool[Any]", view: View[D], generation: int, batch: Batch) -> Applied | Hole:
    """One transaction; nothing is written when there is a hole."""
    async with pool.acquire() as connection, connection.transaction():
        positions = await _lock_checkpoints(connection, view, generation, sorted(batch))
        fresh: dict[int, list[Delivery]] = {}
        for partition, checkpoint in positions.items():
            ordered = in_order(partition, batch[partition], checkpoint)
            if isinstance(ordered, Hole):
                return ordered
            if ordered:
                fresh[partition] = ordered
        if not fresh:
            return Applied()
        moved = {partition: (ordered[-1].event.position, ordered[-1].epoch) for partition, ordered in fresh.items()}
        applied = await _project(connection, view, [delivery.event for delivery in chain(*fresh.values())])
        await _move_checkpoints(connection, view, generation, moved)
        return applied


async def _lock_checkpoints(
    connection: "Connection", view: View[Any], generation: int, partitions: list[int]
) -> dict[int, int]:
    scope = (view.name, view.version, generation)
    rows = await connection.fetch(SQL["lock_checkpoints"], *scope, partitions)
    if len(rows) < len(partitions):
        await connection.execute(SQL["add_checkpoints"], *scope, partitions)
        rows = await connection.fetch(SQL["lock_checkpoints"], *scope, partitions)
    return {row["partition"]: row["position"] for row in rows}


async def _move_checkpoints(
    connection: "Connection | asyncpg.Pool[Any]", view: View[Any], generation: int, moved: dict[int, tuple[int, int]]
) -> None:
    positions = [position for position, _ in moved.values()]
    epochs = [epoch for _, epoch in moved.values()]
    statement = SQL["move_checkpoints"]
    await connection.execute(statement, view.name, view.version, generation, list(moved), positions, epochs)


async def _project(connection: "Connection", view: View[D], events: list[Recorded]) -> Applied:
    keys = list({view.key(event) for event in events})
    rows, broken = await _load(connection, view, keys)
    folded = fold(view, rows, broken, events)
    changes = sorted(folded.changes.items(), key=lambda item: item[1].row.last_position)
    failures = tuple(folded.failures.values())
    if changes:
        await _upsert(connection, view, changes)
        if view.feeds:
            await journal.append(connection, view.feeds, [_news(*change) for change in changes if change[1].says_more])
    if failures:
        await _quarantine(connection, view, failures)
    return Applied(len(events), len(changes), failures)


async def _load(connection: "Connection", view: View[D], keys: list[Key]) -> tuple[dict[Key, Row[D]], set[Key]]:
    owners, doc_keys = [owner for owner, _ in keys], [doc_key for _, doc_key in keys]
    found = await connection.fetch(_statement(view.table, "load"), view.name, view.version, owners, doc_keys)
    rows = {
        (row["owner"], row["doc_key"]): Row(view.decode(row["document"]), row["doc_version"], row["last_position"])
        for row in found
        if row["document"] is not None
    }
    return rows, {(row["owner"], row["doc_key"]) for row in found if row["broken_from"] is not None}


async def _upsert(connection: "Connection", view: View[D], changes: list[tuple[Key, Change[D]]]) -> None:
    columns = zip(
        *(
            (*key, change.text, change.row.doc_version, change.row.last_position, change.projected_at)
            for key, change in changes
        ),
        strict=True,
    )
    await connection.execute(_statement(view.table, "upsert"), *map(list, columns))


async def _quarantine(connection: "Connection", view: View[Any], failures: Sequence[Failure]) -> None:
    columns = zip(*((*failure.key, failure.position, failure.error) for failure in failures), strict=True)
    await connection.execute(SQL["quarantine"], view.name, view.version, *map(list, columns))


def _news(key: Key, change: Change[Any]) -> journal.News:
    owner, doc_key = key
    return journal.News(owner, doc_key, change.row.doc_version, change.row.last_position, change.text)


@cache
def _statement(table: str, name: str) -> str:
    return SQL[name].replace("<documents>", table)
