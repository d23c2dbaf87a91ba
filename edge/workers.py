"""What the public and the signed routes do with workers: commands, snapshots and lists (runtime §2.13–2.16, §7)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from edge import worker_identities
from edge.worker_answers import Answers
from edge.worker_documents import document, listed
from producers import worker_events
from producers.errors import Conflict, Forbidden, InvalidRequest, NotFound
from producers.eventlog.commands import Item, Outcome
from producers.eventlog.log import EventLog
from producers.eventlog.streams import Snapshot, StreamReader
from producers.workers import (
    ANSWERS,
    DECIDER,
    NO_ANSWER,
    AppendEvent,
    Command,
    CreateWorker,
    SendRequest,
    StopWorker,
    Undelivered,
    Wake,
    Worker,
    error_response,
)
from readmodels.workers import WorkerProjection
from schemas.events import Payload, Recorded
from schemas.names import CONTROL_CHARACTERS, worker_stream
from schemas.times import iso6
from schemas.workers import WorkerMessageClaimed, WorkerResponse

DEFAULT_LIMIT = 50
MAX_BATCH = 500


Projections = Callable[[str, Sequence[str]], Awaitable[Mapping[str, WorkerProjection]]]
"""Summaries of an owner's workers by worker id."""


@dataclass(frozen=True)
class WorkerSettings:
    heartbeat_stale_after: timedelta = timedelta(seconds=120)
    answer_within: timedelta = timedelta(seconds=15)


class Call(NamedTuple):
    """Who calls, about which worker, and what goes into the events' headers."""

    owner: str
    worker_id: str
    headers: Mapping[str, str] = {}
    size: int = 0

    @property
    def stream(self) -> str:
        return worker_stream(self.owner, self.worker_id)


class NewEvent(NamedTuple):
    """One item of a batch (DEC-47)."""

    event_id: str
    event_type: str
    payload: Payload


class Answer(NamedTuple):
    """`data` of the response, and whether the command had been accepted before (202 or 200)."""

    data: dict[str, Any]
    replayed: bool


class Workers:
    def __init__(
        self,
        log: EventLog,
        streams: StreamReader,
        projections: Projections,
        answers: Answers,
        settings: WorkerSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._log = log
        self._streams = streams
        self._projections = projections
        self._answers = answers
        self._settings = settings
        self._clock = clock

    async def create(self, call: Call, command: CreateWorker) -> Answer:
        """New, reattached, or a replay while it runs (runtime §2.14)."""
        [outcome] = await self._execute(call, [Item(command)])
        created = {
            "workerId": outcome.state.worker_id,
            "status": outcome.state.status,
            "latestSeq": outcome.seq,
            "idempotentReplay": outcome.replayed,
        }
        return Answer(created, outcome.replayed)

    async def append(self, call: Call, command: AppendEvent) -> Answer:
        identity = worker_identities.of_claim(call.stream, command.event_type, command.payload)
        [outcome] = await self._execute(call, [Item(await self._looked_up(call, command), identity)])
        event = await self._last(call, outcome)
        appended = {
            "worker_id": call.worker_id,
            "seq": event.seq,
            "event_type": event.type,
            "payload": event.payload,
            "occurred_at": iso6(event.recorded_at),
        }
        return Answer(appended, outcome.replayed)

    async def append_batch(self, call: Call, events: Sequence[NewEvent]) -> Answer:
        """In order, all or none; `event_id` is the identity of an event for its worker (DEC-47)."""
        outcomes = await self._execute(call, [await self._identified(call, event) for event in events])
        items = [
            {"event_id": event.event_id, "seq": outcome.seq, "idempotent_replay": outcome.replayed}
            for event, outcome in zip(events, outcomes, strict=True)
        ]
        return Answer({"worker_id": call.worker_id, "events": items}, all(item["idempotent_replay"] for item in items))

    async def request(self, call: Call, command: SendRequest) -> Answer:
        """Echoed, or answered by the daemon before the deadline (runtime §7.2, DEC-45); repeating attaches (DEC-46)."""
        timed = msgspec.structs.replace(
            command, answer_within=self._settings.answer_within, stale_after=self._settings.heartbeat_stale_after
        )
        is_relayed = (await self.existing(call)).state.accepts_requests
        item = Item(timed, worker_identities.of_request(call.stream, timed) if is_relayed else None)
        try:
            [outcome] = await self._execute(call, [item])
        except Undelivered as error:
            response = error_response(command.request_id, error.error_code, error.message)
            return _answered(call, command, response, ok=False)
        last = await self._last(call, outcome)
        answer = last if last.type in ANSWERS else await self._answer(call, last)
        if answer is None or not answer.payload:
            response = error_response(command.request_id, NO_ANSWER, "no answer before the deadline")
            return _answered(call, command, response, ok=False)
        return _answered(call, command, answer.payload["response"], ok=answer.type == WorkerResponse.type)

    async def stop(self, call: Call, command: StopWorker) -> Answer:
        [outcome] = await self._execute(call, [Item(command)])
        stopped = {
            "worker_id": call.worker_id,
            "status": outcome.state.status,
            "idempotent_replay": outcome.replayed,
        }
        return Answer(stopped, outcome.replayed)

    async def snapshot(self, call: Call) -> dict[str, Any]:
        return self._document(await self.existing(call))

    async def list(
        self, owner: str, *, status: str | None, workspace_ref: str | None, limit: int, before: str | None
    ) -> list[dict[str, Any]]:
        """The owner's workers, last changed first, each with how far its summary is (runtime §2.13).

        The next page are those `before` the last worker of this one; who changes meanwhile is on neither, but newer.
        """
        where = {"status": status, "workspace_ref": workspace_ref}
        given = {field: value for field, value in where.items() if value is not None}
        after = None if before is None else worker_stream(owner, before)
        found = await self._streams.newest(DECIDER, owner, given, limit, after)
        projections = await self._projections(owner, [snapshot.state.worker_id for snapshot in found])
        return [listed(self._document(snapshot), projections.get(snapshot.state.worker_id)) for snapshot in found]

    async def existing(self, call: Call) -> Snapshot[Worker]:
        """The caller's worker; raises NotFound, or Forbidden when only somebody else has the id (DEC-44)."""
        _check_name("worker_id", call.worker_id)
        snapshot = await self._streams.get(DECIDER, call.stream)
        if snapshot is None:
            raise await self._absence(call)
        return snapshot

    async def _execute(self, call: Call, items: Sequence[Item[Command]]) -> Sequence[Outcome[Worker]]:
        _check_name("worker_id", call.worker_id)
        try:
            return await self._log.execute(
                DECIDER, call.stream, call.owner, items, headers=call.headers, size=call.size
            )
        except NotFound as error:
            raise await self._absence(call) from error

    async def _absence(self, call: Call) -> Forbidden | NotFound:
        if await self._streams.worker_is_elsewhere(call.worker_id, call.owner):
            return Forbidden("the worker belongs to somebody else")
        return NotFound("no such worker")

    async def _answer(self, call: Call, request: Recorded) -> Recorded | None:
        """At the deadline whoever waits writes what nobody else wrote (ADR 13)."""
        if answer := await self._answers.by_deadline(request):
            return answer
        await self._execute(call, [Item(Wake())])
        return await self._answers.so_far(request)

    async def _identified(self, call: Call, event: NewEvent) -> Item[Command]:
        command = await self._looked_up(call, AppendEvent(event.event_type, event.payload))
        return Item(command, worker_identities.of_event(call.stream, *event))

    async def _looked_up(self, call: Call, command: AppendEvent) -> AppendEvent:
        """A claim of a message, with what its sender said about time: the state forgets messages that have expired."""
        seq = command.payload.get("seq")
        if command.event_type != WorkerMessageClaimed.type or type(seq) is not int or not 0 < seq < 2**63:
            return command
        _check_name("worker_id", call.worker_id)
        message = await self._answers.event(call.stream, seq)
        expires = message is not None and worker_events.expiring(message.type, message.payload, seq) is not None
        return msgspec.structs.replace(command, expires=expires)

    async def _last(self, call: Call, outcome: Outcome[Worker]) -> Recorded:
        """The event that a command ended with; of a replay the one of the first time."""
        if outcome.events:
            return outcome.events[-1]
        event = await self._answers.event(call.stream, outcome.seq)
        if event is None:
            raise Conflict("what was answered first is not kept any more")
        return event

    def _document(self, snapshot: Snapshot[Worker]) -> dict[str, Any]:
        return document(snapshot, self._clock(), self._settings.heartbeat_stale_after)


def _check_name(field: str, text: str) -> None:
    if CONTROL_CHARACTERS.search(text):
        raise InvalidRequest(f"{field} must not contain control characters")


def _answered(call: Call, command: SendRequest, response: Payload, *, ok: bool) -> Answer:
    answered = {"worker_id": call.worker_id, "request_id": command.request_id, "ok": ok, "response": response}
    return Answer(answered, replayed=False)
