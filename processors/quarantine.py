"""What is parked, beside the log: documents of views and keys of consumers that react, and how each is released."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import asyncpg

from processors.log_source import LogSource
from producers.eventlog.reader import LogReader
from readmodels.catalogue import VIEWS
from readmodels.engine import Failure, LogBehind, View, quarantine, skips, versions
from readmodels.engine.quarantine import Entity, Mark, NotParked
from readmodels.engine.skips import Decision
from schemas import sql_files
from schemas.times import iso6

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Queried = asyncpg.Pool[Any] | asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)

GENERATION: Final = 1
ANSWERED_WITHIN_S: Final = 10.0
LOOK_S: Final = 0.2


class CannotRelease(Exception):
    """Not by this release, or not now; the text says why."""


class ParkedAt(NamedTuple):
    """The event that could not be applied, without its payload, and how many of its stream came after it."""

    position: int
    owner: str
    stream: str
    seq: int
    type: str
    version: int
    digest: bytes
    recorded_at: datetime
    waiting: int


class Parked(NamedTuple):
    """A document; `event` is None when the log does not have it (any more)."""

    mark: Mark
    event: ParkedAt | None


class Stuck(NamedTuple):
    """A key that waits for a reaction to the event at `position`; the processors try it again by themselves."""

    consumer: str
    key: str
    position: int
    error: str
    parked_at: datetime
    tried_at: datetime | None


class ParkedReaction(NamedTuple):
    mark: Stuck
    event: ParkedAt | None


@dataclass(frozen=True)
class ParkedAgain:
    """A release ended there."""

    position: int
    error: str


async def parked(pool: "Queried") -> list[Parked]:
    """Every parked document, by view, version and position."""
    marks = await quarantine.marks(pool)
    events = await _events(pool, [mark.position for mark in marks])
    return [Parked(mark, events.get(mark.position)) for mark in marks]


async def parked_reactions(pool: "Queried") -> list[ParkedReaction]:
    """Every key that waits, by consumer and position."""
    stuck = [Stuck(**row) for row in await pool.fetch(SQL["stuck"])]
    events = await _events(pool, [one.position for one in stuck])
    return [ParkedReaction(one, events.get(one.position)) for one in stuck]


async def everything(pool: "Queried") -> list[Parked | ParkedReaction]:
    return [*await parked(pool), *await parked_reactions(pool)]


def identity(one: Parked | ParkedReaction) -> str:
    """Nothing else that is parked has it."""
    of = f"{one.mark.view}:{one.mark.version}" if isinstance(one, Parked) else one.mark.consumer
    return f"{one.mark.position}:{of}"


def summary(one: Parked | ParkedReaction) -> dict[str, Any]:
    """What is parked, in one line; a reaction's view is its consumer, and its key stands for a document's."""
    return {
        "position": one.mark.position,
        **(_of_document(one) if isinstance(one, Parked) else _of_reaction(one)),
        "error": one.mark.error,
        "waiting": one.event.waiting if one.event else None,
    }


def _of_document(one: Parked) -> dict[str, Any]:
    mark, since = one.mark, iso6(one.mark.marked_at)
    return {"view": mark.view, "version": mark.version, "owner": mark.owner, "doc_key": mark.doc_key, "since": since}


def _of_reaction(one: ParkedReaction) -> dict[str, Any]:
    mark, since, owner = one.mark, iso6(one.mark.parked_at), one.event.owner if one.event else None
    return {"view": mark.consumer, "version": None, "owner": owner, "doc_key": mark.key, "since": since}


def recorded(one: Parked | ParkedReaction) -> dict[str, Any] | None:
    """The event that parked it, without what it says; None when the log does not have it."""
    if (event := one.event) is None:
        return None
    return {
        "type": event.type,
        "version": event.version,
        "stream": event.stream,
        "seq": event.seq,
        "recorded_at": iso6(event.recorded_at),
        "digest": event.digest.hex(),
    }


async def _events(pool: "Queried", positions: Sequence[int]) -> Mapping[int, ParkedAt]:
    return {row["position"]: ParkedAt(**row) for row in await pool.fetch(SQL["events"], positions)}


class Releases:
    """Retries and drops of one view's documents."""

    def __init__(self, pool: "asyncpg.Pool[Any]", view: View[Any], generation: int, source: LogSource) -> None:
        self._pool = pool
        self._view = view
        self._generation = generation
        self._source = source

    async def retry(self, one: Parked) -> Failure | None:
        """What parks the document again, if something does. Raises NotParked and LogBehind."""
        return await quarantine.retry(self._pool, self._view, self._generation, one.mark, self._entity(one))

    async def drop(self, one: Parked, decision: Decision) -> Failure | None:
        """The same, and from now on without the event."""
        entity = self._entity(one)
        return await quarantine.drop(self._pool, self._view, self._generation, one.mark, entity, decision)

    def _entity(self, one: Parked) -> Entity:
        if one.event is None:
            raise LogBehind(f"{one.mark.view} is parked at {one.mark.position}, which the log lacks")
        return self._source.entity(self._view, one.event.stream)


class Quarantine:
    """Releases whatever is parked, with a decision: without the event that parked it. Knows no Kafka."""

    def __init__(
        self, pool: "asyncpg.Pool[Any]", topic_prefix: str = "", answered_within_s: float = ANSWERED_WITHIN_S
    ) -> None:
        self._pool = pool
        self._prefix = topic_prefix
        self._answered_within_s = answered_within_s

    async def release(self, one: Parked | ParkedReaction, decision: Decision | None) -> ParkedAgain | None:
        """What parks it again, if something does. Raises CannotRelease."""
        try:
            if isinstance(one, ParkedReaction):
                return await self._release_reaction(one.mark, decision)
            releases = Releases(self._pool, *await self._scope(one.mark))
            failure = await (releases.drop(one, decision) if decision else releases.retry(one))
            return ParkedAgain(failure.position, failure.error) if failure else None
        except (NotParked, LogBehind) as error:
            raise CannotRelease(str(error)) from None

    async def _scope(self, mark: Mark) -> tuple[View[Any], int, LogSource]:
        if mark.view not in VIEWS:
            raise CannotRelease(f"this release has no view {mark.view}: retry with the one that has")
        told = await versions.told(self._pool, VIEWS[mark.view])
        view = next((view for view in told if view.version == mark.version), None)
        if view is None:
            raise NotParked(f"{mark.view} has no version {mark.version} any more")
        partitions = await self._pool.fetchval(SQL["partitions"], self._prefix + view.topic)
        if not partitions:
            raise CannotRelease(f"the relay has not fed {self._prefix + view.topic} yet")
        return view, GENERATION, LogSource(LogReader(self._pool), view.topic, partitions)

    async def _release_reaction(self, mark: Stuck, decision: Decision | None) -> ParkedAgain | None:
        """The processors react, nobody else: this asks for it, and waits for what they say."""
        if decision and mark.tried_at is None:
            raise CannotRelease(f"{mark.key} has not been tried alone yet, so another event may be the one: retry it")
        async with self._pool.acquire() as connection, connection.transaction():
            asked_at = await connection.fetchval(SQL["ask"], mark.consumer, mark.key, mark.position)
            if asked_at is None:
                raise NotParked(f"{mark.consumer} has nothing parked at {mark.position}")
            if decision:
                await skips.add(connection, mark.consumer, mark.position, decision)
        try:
            async with asyncio.timeout(self._answered_within_s):
                return await self._outcome(mark, asked_at)
        except TimeoutError:
            raise CannotRelease("the processors have not tried it yet: they do as soon as they run") from None

    async def _outcome(self, mark: Stuck, asked_at: datetime) -> ParkedAgain | None:
        while found := await self._pool.fetchrow(SQL["answer"], mark.consumer, mark.key):
            if found["tried_at"] is not None and found["tried_at"] >= asked_at:
                return ParkedAgain(found["position"], found["error"])
            await asyncio.sleep(LOOK_S)
        return None
