"""Erasing what one owner's people wrote into events: payloads go, digests and the facts' order stay (ADR 12)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from producers.eventlog.commands import Decider, Item
from producers.eventlog.log import EventLog
from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg

_SQL = sql_files.load(__file__)


class Erased(NamedTuple):
    """What has become of an owner's streams."""

    told: dict[str, int]
    """By stream the seq of the event that tells of it; what is below has no payload any more."""
    events: int
    position: int
    """Of the last of those events; 0 when there was nothing to erase."""


async def erase(pool: "asyncpg.Pool[Any]", log: EventLog, owner: str, deciders: Iterable[Decider[Any, Any]]) -> Erased:
    """First each stream is told, so that no state that anybody has cached comes back; then payloads and headers go.

    May be repeated, also after it was broken off.
    """
    told: dict[str, int] = {}
    events = position = 0
    for decider in deciders:
        if decider.erase is None:
            continue
        for row in await pool.fetch(_SQL["streams_of_owner"], decider.kind, owner):
            [outcome] = await log.execute(decider, row["stream"], owner, [Item(decider.erase)])
            status = await pool.execute(_SQL["blank"], row["stream"], outcome.seq)
            told[row["stream"]] = outcome.seq
            events += int(status.removeprefix("UPDATE "))
            position = outcome.events[-1].position
    return Erased(told, events, position)
