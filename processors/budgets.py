"""Spend requests that arrive as frames are answered in their run's log, together with the hold (ADR 14).

What was answered is not answered again, whoever is told of the frame how often: an answer's identity is its frame.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from processors.consumers import Begin, Feed, Host
from processors.lanes import Lanes
from processors.reactions import Reactor
from producers import metrics, spend_frames
from producers.errors import Rejection
from producers.eventlog.commands import Identity, IdentityKey, Item, Outcome, States
from producers.eventlog.log import EventLog
from producers.rulebook import Rulebook
from producers.spend_frames import Asked, SpendRequest
from producers.spending import Reserve, Target
from producers.targets import Targets
from schemas import hashing
from schemas.events import Recorded
from schemas.names import KAFKA_TOPICS, RUN, run_id_of
from schemas.runs_generated import RunFrameConsumed

if TYPE_CHECKING:
    import asyncpg

_SCOPE: Final = "spend:"


class SpendFrames:
    def __init__(self, pool: "asyncpg.Pool[Any]", log: EventLog) -> None:
        self.lanes = Lanes(self.react)
        self._log = log
        self._targets = Targets(pool)
        self._rulebook = Rulebook(pool)

    def consumers(self) -> Sequence[tuple[str, Begin]]:
        return ((KAFKA_TOPICS[RUN], self._follow),)

    async def _follow(self, host: Host, feed: Feed) -> Reactor:
        return await Reactor("budgets.frames", [RunFrameConsumed.type], self.lanes, host, feed).begin()

    async def react(self, events: Sequence[Recorded]) -> None:
        for event in events:
            if spend_frames.is_request(event):
                await self._answer(event)

    async def _answer(self, event: Recorded) -> None:
        asked = await self._asked(event)
        try:
            outcome = await self._submit(event, asked)
        except Rejection as refusal:  # by the log itself: too large, somebody else's
            asked = spend_frames.refused(event, refusal)
            outcome = await self._submit(event, asked)
        if decided := spend_frames.decision(asked, outcome):
            metrics.observe_decision(decided, settlement_boundary=True)

    async def _asked(self, event: Recorded) -> Asked:
        try:
            request = spend_frames.request(event)
            target = await self._target(run_id_of(event.stream), request)
            ledger = request.command(target)
            if isinstance(ledger, Reserve):
                ledger = await self._rulebook.consulted(event.owner, ledger, event.recorded_at)
            return Asked(event.payload["frame_id"], request.operation, target, ledger)
        except Rejection as refusal:
            return spend_frames.refused(event, refusal)

    async def _target(self, run_id: str, request: SpendRequest) -> Target:
        call = request.tool_call_id
        if request.authorization_id:
            return await self._targets.named(request.authorization_id, run_id, call)
        return await self._targets.found(run_id, call, request.autopilot_id)

    async def _submit(self, event: Recorded, asked: Asked) -> Outcome[States]:
        frame_id = asked.frame_id
        identity = Identity(IdentityKey(_SCOPE + event.stream, frame_id), hashing.digest(frame_id))
        [outcome] = await self._log.execute_together(
            spend_frames.answer, asked.parts(event.owner), [Item(asked, identity)], headers=event.headers
        )
        return outcome
