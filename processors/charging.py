"""Usage that workers tell is charged to the budgets they are bound to (ADR 14)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from processors.consumers import Begin, Feed, Host
from processors.lanes import Lanes
from processors.reactions import Reactor
from producers import charging, metrics, workers
from producers.charging import Use
from producers.errors import NotFound, Rejection
from producers.eventlog.commands import Identity, IdentityKey, Item
from producers.eventlog.log import EventLog
from producers.eventlog.streams import StreamReader
from producers.targets import Targets
from schemas import daemons, hashing
from schemas.events import Recorded
from schemas.names import KAFKA_TOPICS, WORKER, worker_id_of
from schemas.workers import WorkerTurnUsage

if TYPE_CHECKING:
    import asyncpg

_SCOPE: Final = "charge:"


class Charges:
    def __init__(self, pool: "asyncpg.Pool[Any]", log: EventLog) -> None:
        self.lanes = Lanes(self.react)
        self._log = log
        self._streams = StreamReader(pool)
        self._targets = Targets(pool)

    def consumers(self) -> Sequence[tuple[str, Begin]]:
        return ((KAFKA_TOPICS[WORKER], self._follow),)

    async def _follow(self, host: Host, feed: Feed) -> Reactor:
        types = [daemons.METERED, WorkerTurnUsage.type]
        return await Reactor("charging", types, self.lanes, host, feed).begin()

    async def react(self, events: Sequence[Recorded]) -> None:
        """The binding is the one that the worker has by now."""
        snapshot = await self._streams.get(workers.DECIDER, events[0].stream)
        bound = snapshot.state.charging if snapshot else None
        for event in events:
            if bound and (metered := daemons.metered(event)):
                ended = event.type == WorkerTurnUsage.type
                path = await self._path(bound.authorization_id)
                name = worker_id_of(event.stream)
                await self._charge(event, Use(name, event.owner, event.seq, bound, metered, path, ended))

    async def _path(self, authorization_id: str) -> tuple[str, ...]:
        """None of an authorization that there is not."""
        try:
            return await self._targets.path(authorization_id)
        except NotFound:
            return ()

    async def _charge(self, event: Recorded, use: Use) -> None:
        identity = Identity(IdentityKey(_SCOPE + event.stream, str(event.seq)), hashing.digest(event.seq))
        item = Item(use, identity)
        try:
            [outcome] = await self._log.execute_together(charging.charge, use.parts(), [item], headers=event.headers)
        except Rejection:  # the authorization is somebody else's
            unbound = Use(use.worker_id, use.owner, use.seq, use.charging, use.metered, (), use.ended)
            item = Item(unbound, identity)
            [outcome] = await self._log.execute_together(
                charging.charge, unbound.parts(), [item], headers=event.headers
            )
        if decided := charging.decision(use, outcome):
            metrics.observe_decision(decided, settlement_boundary=True)
