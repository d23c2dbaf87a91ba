"""What the routes do with budgets: authorize, revoke, hold, settle, and read (runtime §1.8, §3.4, §3.5)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from edge import spend_documents
from edge.spend_bodies import AuthorizeBody, CommitBody, ReconcileBody, ReleaseBody, ReserveBody
from producers import budgets, denials, holds, metrics, spending
from producers.budgets import Authorize, Budget, Revoke
from producers.errors import Forbidden
from producers.eventlog.commands import Item, Outcome, Part, Rules, States
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.recent import Recent
from producers.eventlog.streams import StreamReader
from producers.refusals import Denied
from producers.rulebook import Rulebook
from producers.spending import Reserve, Target
from schemas.names import budget_stream
from schemas.runs_generated import PolicyDecision

_KNOWN_PATHS: Final = 20_000


class Call(NamedTuple):
    """Who calls, about which authorization, and what goes into the events' headers."""

    owner: str
    authorization_id: str
    headers: Mapping[str, str] = {}
    size: int = 0

    @property
    def stream(self) -> str:
        return budget_stream(self.authorization_id)


class Answer(NamedTuple):
    """`data` of the response, and whether nothing had to be written (202 or 200)."""

    data: dict[str, Any]
    replayed: bool


class Spend:
    def __init__(
        self,
        log: EventLog,
        streams: StreamReader,
        reader: LogReader,
        rulebook: Rulebook,
        clock: Callable[[], datetime],
    ) -> None:
        self._log = log
        self._streams = streams
        self._reader = reader
        self._rulebook = rulebook
        self._clock = clock
        self._paths: Recent[str, tuple[str, tuple[str, ...]]] = Recent(_KNOWN_PATHS)

    # --- authorizations ---

    async def authorize(self, call: Call, body: AuthorizeBody) -> Answer:
        """New, or a replay of the same content (runtime §1.10)."""
        parent = body.parent_authorization_id
        above = await self._path(call.owner, parent) if parent else ()
        path = (*above, call.authorization_id)
        command = Authorize(call.authorization_id, path, body.terms(), body.constraints or {}, body.metadata or {})
        return await self._alone(call, command)

    async def revoke(self, call: Call, reason: str | None) -> Answer:
        return await self._alone(call, Revoke(reason))

    async def get(self, call: Call) -> dict[str, Any]:
        return await self.document(await self.existing(call))

    async def existing(self, call: Call) -> Budget:
        """As committed; raises NotFound, Forbidden."""
        snapshot = await self._streams.get(budgets.DECIDER, call.stream)
        budget = budgets.required(snapshot.state if snapshot else None)
        if budget.owner != call.owner:
            raise _not_yours()
        return budget

    async def document(self, budget: Budget) -> dict[str, Any]:
        """Constraints and metadata are in the budget's first event alone."""
        [first] = await self._reader.read_stream(budget_stream(budget.authorization_id), 0, 1)
        return {**spend_documents.authorization(budget), **spend_documents.attached(first.payload)}

    async def authorizations(self, owner: str, limit: int) -> list[dict[str, Any]]:
        """The owner's, last changed first."""
        found = await self._streams.newest(budgets.DECIDER, owner, {}, limit)
        return [spend_documents.authorization(snapshot.state) for snapshot in found]

    # --- reservations ---

    async def reserve(self, call: Call, body: ReserveBody) -> Answer:
        """Held on the whole path; raises Denied, once the run's log says so (ADR 14)."""
        body.command(())  # what cannot be asked is refused before anything is looked up
        command = body.command(await self._path(call.owner, call.authorization_id))
        command = await self._rulebook.consulted(call.owner, command, self._clock())
        try:
            outcome = await self._together(
                call, spending.reserve, spending.reserve_parts(call.owner, command.target), command
            )
        except Denied:
            outcome = await self._denied(call, command)
        return self._allowed(command, outcome)

    async def commit(self, call: Call, body: CommitBody) -> Answer:
        return await self._settle(call, spending.commit, body)

    async def release(self, call: Call, body: ReleaseBody) -> Answer:
        return await self._settle(call, spending.release, body)

    async def require_reconcile(self, call: Call, body: ReconcileBody) -> Answer:
        return await self._settle(call, spending.require_reconcile, body)

    async def open_reservations(self, call: Call, limit: int) -> list[dict[str, Any]]:
        """Those that hold money, last changed first."""
        await self._path(call.owner, call.authorization_id)
        found = [
            snapshot.state
            for status in holds.OPEN
            for snapshot in await self._streams.newest(
                holds.DECIDER, call.owner, {"authorization_id": call.authorization_id, "status": status}, limit
            )
        ]
        newest = sorted(found, key=lambda hold: hold.touched_at, reverse=True)[:limit]
        return [spend_documents.reservation(hold) for hold in newest]

    # --- how ---

    async def _alone(self, call: Call, command: budgets.Command) -> Answer:
        [outcome] = await self._log.execute(
            budgets.DECIDER, call.stream, call.owner, [Item(command)], headers=call.headers, size=call.size
        )
        document = await self.document(outcome.state)
        return Answer({**document, "idempotent_replay": outcome.replayed}, outcome.replayed)

    async def _settle(self, call: Call, rules: Rules[Any], body: CommitBody | ReleaseBody | ReconcileBody) -> Answer:
        command = body.command(await self._path(call.owner, call.authorization_id))
        parts = spending.parts(call.owner, command.target)
        return _answer(command.target, await self._together(call, rules, parts, command))

    async def _together(self, call: Call, rules: Rules[Any], parts: Sequence[Part], command: Any) -> Outcome[States]:
        [outcome] = await self._log.execute_together(
            rules, parts, [Item(command)], headers=call.headers, size=call.size
        )
        return outcome

    async def _denied(self, call: Call, command: Reserve) -> Outcome[States]:
        """Decided once more, with the run, which keeps the denial; meanwhile it may be allowed."""
        try:
            outcome = await self._together(call, denials.reserve, denials.parts(call.owner, command.target), command)
            if outcome.events and outcome.events[0].type == PolicyDecision.type:
                spending.reserve(outcome.state, command, outcome.events[0].recorded_at)
        except Denied as denied:
            decision = denials.denial(denied, command.target, denied.by)
            metrics.observe_decision(decision, settlement_boundary=True)
            raise
        return outcome

    def _allowed(self, command: Reserve, outcome: Outcome[States]) -> Answer:
        answer = _answer(command.target, outcome)
        if not outcome.replayed:
            decision = denials.allowance(command, _budget(command.target, outcome))
            metrics.observe_decision(decision, settlement_boundary=True)
        return answer

    async def _path(self, owner: str, authorization_id: str) -> tuple[str, ...]:
        """From the root; raises NotFound, Forbidden. Owner and path never change, so they are remembered."""
        known = self._paths.get(authorization_id)
        if known is None:
            budget = await self.existing(Call(owner, authorization_id))
            known = budget.owner, budget.path
            self._paths.put(authorization_id, known)
        if known[0] != owner:
            raise _not_yours()
        return known[1]


def _answer(target: Target, outcome: Outcome[States]) -> Answer:
    told = {
        **spend_documents.reservation(outcome.state[target.hold]),
        "budget": spend_documents.snapshot(_budget(target, outcome)),
        "idempotent_replay": outcome.replayed,
    }
    return Answer(told, outcome.replayed)


def _budget(target: Target, outcome: Outcome[States]) -> Budget:
    budget: Budget = outcome.state[budget_stream(target.authorization_id)]
    return budget


def _not_yours() -> Forbidden:
    return Forbidden("the authorization belongs to somebody else")
