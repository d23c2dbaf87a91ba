"""The documents of one thing made anew from its own events, and what that tells of those that were there.

A document beside its fold is judged as a checkpoint is beside a summary (runtime §10.2). Rows and journal are written
in one transaction, under the lock of the partition's checkpoint; a batch that has read what was there looks again. What
is parked is left alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from readmodels import journal
from readmodels.engine import skips
from readmodels.engine.apply import look
from readmodels.engine.fold import Change, Row, fold
from readmodels.engine.quarantine import Entity
from readmodels.engine.views import Document, Key, View, encode, says_the_same
from schemas import hashing, sql_files

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)
PUT = sql_files.load(__file__, "quarantine")["put"]

Reason = Literal["checkpoint_ahead", "idempotent", "summary_hash_mismatch", "projection_version_changed"]
DRIFTS: tuple[Reason, ...] = ("checkpoint_ahead", "summary_hash_mismatch", "projection_version_changed")


class Judged(msgspec.Struct, frozen=True):
    """Whether a document is to be written, why, and how many of its versions behind it was."""

    write: bool
    reason: Reason | None = None
    lag: int = 0


class Remade(msgspec.Struct, frozen=True):
    """How many documents there are, how many were written or removed, and what was found of each that differed."""

    documents: int
    written: int
    reasons: tuple[Reason, ...] = ()


def judge(before: Row[Any] | None, now: Row[Any]) -> Judged:
    """The table of runtime §10.2, for what readers see and the summary that the log gives."""
    if before is None:
        return Judged(True, None, now.doc_version)
    if before.doc_version > now.doc_version:
        return Judged(False, "checkpoint_ahead")
    if before.doc_version < now.doc_version:
        return Judged(True, None, now.doc_version - before.doc_version)
    if _projection_version(before.document) != _projection_version(now.document):
        return Judged(True, "projection_version_changed")
    if summary_hash(before.document) != summary_hash(now.document):
        return Judged(True, "summary_hash_mismatch")
    return Judged(False, "idempotent")


def summary_hash(document: Document) -> str:
    """H of a document without the time of its projection (runtime §10.2, §0.4)."""
    said = {name: value for name, value in msgspec.to_builtins(document).items() if name != "projected_at"}
    return hashing.hex_digest(said)


async def remake(pool: "asyncpg.Pool[Any]", view: View[Any], generation: int, entity: Entity) -> Remade:
    """All documents that an entity's events make, up to the partition's checkpoint, which is locked.

    That forgets what was there, whatever it said: also a document that is ahead of the log is put back, and one that
    its events do not make any more is removed.
    """
    async with pool.acquire() as connection, connection.transaction():
        locked = await connection.fetchrow(SQL["lock"], view.name, view.version, generation, entity.partition)
        made = await _made(connection, view, entity, locked["position"] if locked else 0)
        seen = await look(connection, view, generation, dict.fromkeys(made.keys, entity.partition), [entity.partition])
        left_alone = seen.broken | made.broken
        changes = {
            key: change
            for key, change in made.changes.items()
            if key not in left_alone and seen.rows.get(key) != change.row
        }
        gone = [key for key in seen.rows if key not in made.changes and key not in left_alone]
        await _write(connection, view, changes, gone)
        if locked and locked["journals"] and view.feeds:
            await journal.append(connection, view.feeds, _news(seen.rows, changes))
    reasons = (judge(seen.rows.get(key), change.row).reason for key, change in changes.items())
    return Remade(len(made.changes), len(changes) + len(gone), tuple(one for one in reasons if one in DRIFTS))


@dataclass
class _Made:
    """What the events make: `keys` are also of those documents that they could have made once."""

    changes: dict[Key, Change[Any]] = field(default_factory=dict)
    broken: set[Key] = field(default_factory=set)
    keys: set[Key] = field(default_factory=set)


async def _made(connection: "Connection", view: View[Any], entity: Entity, up_to: int) -> _Made:
    made, seqs = _Made(), dict[str, int]()
    while events := [event for event in await entity.history(seqs) if event.position <= up_to]:
        skipped = await skips.positions(connection, view.name, events[0].position - 1, events[-1].position)
        rows = {key: change.row for key, change in made.changes.items()}
        folded = fold(view, rows, made.broken, events, skipped)
        made.changes |= folded.changes
        made.broken |= folded.failures.keys()
        made.keys |= {view.key(event) for event in events}
        seqs |= {event.stream: event.seq for event in events}
    return made


async def _write(
    connection: "Connection", view: View[Any], changes: Mapping[Key, Change[Any]], gone: Iterable[Key]
) -> None:
    put, remove = (sql.replace("<documents>", view.table) for sql in (PUT, SQL["remove"]))
    rows = [
        (*key, encode(change.row.document), change.row.doc_version, change.row.last_position, change.projected_at)
        for key, change in changes.items()
    ]
    await connection.executemany(put, rows)
    await connection.executemany(remove, gone)


def _news(before: Mapping[Key, Row[Any]], changes: Mapping[Key, Change[Any]]) -> list[journal.News]:
    """In the order of the log; only what readers see a difference in."""
    told = [
        journal.News(*key, change.row.doc_version, change.row.last_position, encode(change.row.document))
        for key, change in changes.items()
        if not says_the_same(before[key].document if key in before else None, change.row.document)
    ]
    return sorted(told, key=lambda news: news.position)


def _projection_version(document: Document) -> str | None:
    return getattr(document, "projection_version", None)
