"""Notifications are raised and cleared: by events of budgets and workers, and by a look at who fell silent (ADR 14)."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from processors.consumers import Begin, Feed, Host
from processors.lanes import OUTAGES, Lanes
from processors.reactions import Reactor
from producers import notices
from producers.charging import TURNS
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.notices import STALE_AFTER, OfApproval, OfBudget, OfTurn, OfWorker, Question
from schemas import daemons, sql_files
from schemas.budgets import BudgetFreed, BudgetHeld, BudgetSpent, HoldReserved
from schemas.cancellation import raise_if_cancelled
from schemas.events import Recorded
from schemas.names import BUDGET, KAFKA_TOPICS, WORKER, budget_id_of, notification_stream, worker_id_of
from schemas.workers import WorkerApprovalAnswered, WorkerApprovalRequested, WorkerErased, WorkerStopped

if TYPE_CHECKING:
    import asyncpg

LOGGER = structlog.get_logger()
SQL = sql_files.load(__file__)

LOOK_EVERY_S: Final = 15.0
_ENDS: Final = (WorkerStopped.type, WorkerErased.type)
_OF_BUDGETS: Final = (BudgetHeld.type, BudgetSpent.type, BudgetFreed.type, HoldReserved.type)
_OF_WORKERS: Final = (
    WorkerApprovalRequested.type,
    WorkerApprovalAnswered.type,
    daemons.CHARGING_SET,
    *_ENDS,
)


class Notifier:
    def __init__(self, pool: "asyncpg.Pool[Any]", log: EventLog) -> None:
        self.lanes = Lanes(self.react)
        self._pool = pool
        self._log = log

    def consumers(self) -> Sequence[tuple[str, Begin]]:
        return (KAFKA_TOPICS[BUDGET], self._follow_budgets), (KAFKA_TOPICS[WORKER], self._follow_workers)

    async def _follow_budgets(self, host: Host, feed: Feed) -> Reactor:
        return await Reactor("notifications.budgets", _OF_BUDGETS, self.lanes, host, feed).begin()

    async def _follow_workers(self, host: Host, feed: Feed) -> Reactor:
        return await Reactor("notifications.workers", _OF_WORKERS, self.lanes, host, feed).begin()

    async def react(self, events: Sequence[Recorded]) -> None:
        """Of one budget or one worker: each question is asked once, whatever its number of reasons."""
        questions = dict.fromkeys(question for event in events for question in _asked(event))
        if any(event.type in _ENDS for event in events):
            questions |= dict.fromkeys(await self._of_ended(events[0]))
        for event in events:
            if worker_id := _paid_worker(event):
                questions |= dict.fromkeys(await self._unpaid_before(event, worker_id))
        for question in questions:
            await self._judge(question)

    async def look(self, now: datetime) -> None:
        """For workers that fell silent, and for those that are called lost."""
        for row in await self._pool.fetch(SQL["worth_a_look"], now - STALE_AFTER):
            await self._judge(OfWorker(row["owner"], worker_id_of(row["stream"])))

    async def _of_ended(self, event: Recorded) -> list[Question]:
        """Nobody waits for approvals of a worker that has ended, and nobody misses it."""
        owner, worker_id = event.owner, worker_id_of(event.stream)
        prefix = notification_stream(owner, f"approval/{worker_id}/")
        rows = await self._pool.fetch(SQL["open_of"], owner, prefix)
        approvals = [OfApproval(owner, worker_id, row["stream"].removeprefix(prefix)) for row in rows]
        return [*approvals, OfWorker(owner, worker_id)]

    async def _unpaid_before(self, event: Recorded, worker_id: str) -> list[Question]:
        """Turns of a worker that were not paid until then; one that is interrupted later is another matter."""
        prefix = notification_stream(event.owner, f"turn/{worker_id}/")
        rows = await self._pool.fetch(SQL["open_before"], event.owner, prefix, event.position)
        return [OfTurn(event.owner, worker_id, row["stream"].removeprefix(prefix)) for row in rows]

    async def _judge(self, question: Question) -> None:
        await self._log.execute_together(notices.judge, notices.parts(question), [Item(question)])


class Lookout:
    """Looks now and then for workers that fell silent.

    Not a timer of the log: that would be moved by each heartbeat of each worker, for something that rarely happens.
    """

    def __init__(self, notifier: Notifier, clock: Callable[[], datetime]) -> None:
        self._notifier = notifier
        self._clock = clock

    async def run(self) -> None:
        while True:
            try:
                await self._notifier.look(self._clock())
            except OUTAGES as error:
                LOGGER.warning("cannot look for lost workers", error=repr(error))
                raise_if_cancelled()
            await asyncio.sleep(LOOK_EVERY_S)


def _paid_worker(event: Recorded) -> str | None:
    """Whose turns somebody pays for, or nobody has to, from this event on."""
    if event.type == HoldReserved.type:
        run_id = event.payload.get("run_id", "")
        return run_id.removeprefix(TURNS) if run_id.startswith(TURNS) else None
    return worker_id_of(event.stream) if event.type in (daemons.CHARGING_SET, *_ENDS) else None


def _asked(event: Recorded) -> Iterator[Question]:
    """What was erased has no id: its worker's end clears it."""
    if event.kind == BUDGET:
        yield OfBudget(event.owner, budget_id_of(event.stream))
    elif isinstance(approval_id := event.payload.get("approval_id"), str) and event.version > 0:
        yield OfApproval(event.owner, worker_id_of(event.stream), approval_id)
