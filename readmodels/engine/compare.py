"""Compares versions of a view that stand at the same checkpoints (DESIGN I5)."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from readmodels.engine import versions
from readmodels.engine.views import D, View
from schemas import canonical_json, sql_files

if TYPE_CHECKING:
    import asyncpg

SQL = sql_files.load(__file__)
CHECKPOINTS = sql_files.load(__file__, "apply")["checkpoints"]

Pair = tuple[Any, Any]


class Difference(msgspec.Struct, frozen=True):
    """How many rows differ, and the first by key: its fields with both values; `row` alone when one side has none."""

    rows: int
    owner: str
    doc_key: str
    fields: dict[str, Pair]


def scratch(view: View[D], what: str) -> View[D]:
    """A view of its own beside the versions of `view`, for one comparison."""
    return replace(view, name=f"{view.name}_verify_{what}", feeds=None)


async def copy(pool: "asyncpg.Pool[Any]", view: View[Any], into: View[Any], generation: int) -> dict[int, int]:
    """The rows of one moment, whoever writes meanwhile; returns the checkpoints of the same moment."""
    await versions.begin(pool, into, generation, ())
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        rows = await connection.fetch(CHECKPOINTS, view.name, view.version, generation)
        await connection.execute(SQL["copy"].replace("<copy>", into.table).replace("<live>", view.table))
    return {row["partition"]: row["position"] for row in rows}


async def difference(pool: "asyncpg.Pool[Any]", one: View[Any], other: View[Any]) -> Difference | None:
    row = await pool.fetchrow(SQL["differing"].replace("<one>", one.table).replace("<other>", other.table))
    return Difference(row["number"], row["owner"], row["doc_key"], _fields(row)) if row else None


def _fields(row: "asyncpg.Record") -> dict[str, Pair]:
    if row["one"] is None or row["other"] is None:
        return {"row": (_presence(row["one"]), _presence(row["other"]))}
    one, other = (_flat(row[side], row[f"{side}_place"]) for side in ("one", "other"))
    return {name: (one.get(name), other.get(name)) for name in one | other if one.get(name) != other.get(name)}


def _presence(document: str | None) -> str:
    return "missing" if document is None else "there"


def _flat(document: str, place: list[int]) -> dict[str, Any]:
    doc_version, last_position = place
    return {**canonical_json.decode(document), "(doc_version)": doc_version, "(last_position)": last_position}
