"""The daemon itself: a worker on the edge, Codex here, and the tasks between them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from oa_client.backoff import delays_s, repeated
from oa_client.client import Client
from oa_client.errors import Conflict, OaError, StaleCursor
from oa_client.worker.approvals import Approvals
from oa_client.worker.codex import Codex
from oa_client.worker.inbox import Cursor, Inbox, WorkerStopped, sent
from oa_client.worker.marks import Marks
from oa_client.worker.mirror import SOURCE
from oa_client.worker.outbox import Outbox
from oa_client.worker.requests import Requests
from oa_client.worker.spend import Spend
from oa_client.worker.store import Store
from oa_client.worker.supervision import Supervision
from oa_client.worker.turns import CurrentThread, Turns, TurnSettings
from oa_client.workers import CreatedWorker, Limits, NewEvent, Payload, Worker

_LOG = logging.getLogger(__name__)

ADAPTER = "desktop_bridge"
VERSION = "0.1.0"

_FAREWELL_S = 3.0
_WAITING_AT_MOST = 500
"""Events of a worker before its first daemon; of a longer history some other program must have taken care."""


@dataclass(frozen=True)
class DaemonSettings:
    """`may_exec`: clients may run commands by `command/exec`; `limits` are the owner's own caps."""

    worker_id: str
    turns: TurnSettings
    approval_timeout: timedelta
    may_exec: bool
    limits: Limits
    heartbeat_s: float = 30.0


class Daemon:
    """`now` gives aware datetimes; `session_id` is new for every start; `start_codex` is called again after a crash."""

    def __init__(
        self,
        client: Client,
        store: Store,
        start_codex: Callable[[], Awaitable[Codex]],
        settings: DaemonSettings,
        *,
        session_id: str,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._store = store
        self._settings = settings
        self._session_id = session_id
        self._now = now
        self._beats = 0
        self._is_registered = False
        self._busy_changed = asyncio.Event()
        self._cursor = Cursor(store)
        self._marks = Marks(store)
        self.outbox = Outbox(self._post, store, self.timestamp)
        note = self.outbox.note
        self._approvals = Approvals(settings.turns.approve, settings.approval_timeout, session_id, note=note, now=now)
        self._spend = Spend(store, settings.limits, note=note, interrupt=self._cut_short, now=now)
        self.codex = Supervision(
            start_codex,
            self._turns,
            outbox=self.outbox,
            approvals=self._approvals,
            listeners=(self._approvals.notice, self._spend.notice),
            report=self.report,
            timestamp=self.timestamp,
            version=VERSION,
        )
        self._inbox = Inbox(
            client,
            settings.worker_id,
            session_id,
            post=self._post,
            cursor=self._cursor,
            marks=self._marks,
            outbox=self.outbox,
            requests=Requests(
                self.codex, settings.turns, self._approvals, self._spend, may_exec=settings.may_exec, now=now
            ),
            taken=self.codex.taken,
            timestamp=self.timestamp,
        )

    def _turns(self, codex: Codex) -> Turns:
        """With a new Codex, what ran in the one before has ended."""
        self._spend.lost()
        return Turns(
            codex,
            self._settings.turns,
            self._marks,
            CurrentThread(self._store),
            self._spend,
            report=self.report,
            changed=self._busy_changed.set,
            timestamp=self.timestamp,
        )

    async def run(self) -> str:
        """Mirrors and obeys until somebody stops the worker (returns why), until it is cancelled, or until an error
        that no repetition can mend. The worker itself is left running, for the next daemon."""
        delivering = asyncio.create_task(self.outbox.run())
        try:
            await self._live(delivering)
        except WorkerStopped as stopped:
            return stopped.reason
        finally:
            await self._say_goodbye(delivering)
            self._store.save()

    async def _live(self, delivering: asyncio.Task[NoReturn]) -> NoReturn:
        try:
            created = await self._register()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_outcome(delivering))
                tasks.create_task(self.codex.run())
                tasks.create_task(self._inbox.run(created.latest_seq))
                tasks.create_task(self._beat())
                tasks.create_task(self._disown_approvals())
        except BaseExceptionGroup as failed:
            raise _first(failed) from None
        raise AssertionError("none of them returns")

    async def _register(self) -> CreatedWorker:
        metadata = {"source": SOURCE, "desktop_session_id": self._session_id, "daemon_version": VERSION}
        cwd = str(self._settings.turns.cwd)
        worker_id = self._settings.worker_id
        created = await repeated(
            lambda: self._client.create_worker(worker_id, adapter=ADAPTER, workspace_ref=cwd, metadata=metadata),
            delays_s(),
        )
        there = await self._snapshot()
        self._spend.restore(there.limits, there.usage)
        await self._place_cursor(created.latest_seq, there.consumed_seq)
        self._is_registered = True
        # `oa up --worker` waits for this line
        _LOG.info("worker %s is %s at event %d", worker_id, created.status, created.latest_seq)
        return created

    async def _snapshot(self) -> Worker:
        return await repeated(lambda: self._client.worker(self._settings.worker_id), delays_s())

    async def _disown_approvals(self) -> None:
        """Once the edge knows what the daemon before this one said last."""
        await self.outbox.delivered()
        self._approvals.disown((await self._snapshot()).open_approvals)

    def _cut_short(self, thread_id: str, turn_id: str, why: str) -> None:
        params = {"thread_id": thread_id, "turn_id": turn_id, "error": {"message": why}}
        self.report("worker.error", "turn/interrupt", params)
        if self.codex.turns is not None:
            self.codex.turns.cut_short(thread_id, turn_id)

    async def _place_cursor(self, latest_seq: int, consumed_seq: int | None) -> None:
        """Where it was; without a disk, where the edge was told; for a worker without a daemon so far, as it waits."""
        if (self._cursor.seq or 0) > latest_seq:
            _LOG.warning("the edge forgot this worker, so this daemon forgets what it knew of it")
            self._marks.forget()
            self._cursor.forget()
        if self._cursor.seq is None:
            begins_at = await self._first_cursor(latest_seq) if consumed_seq is None else consumed_seq
            with self._store.durably():
                self._cursor.move(begins_at)

    async def _first_cursor(self, latest_seq: int) -> int:
        """Before what clients sent, when that is all there is; another program's worker goes on after what is there."""
        if latest_seq > _WAITING_AT_MOST:
            return latest_seq
        with suppress(StaleCursor):
            async with aclosing(self._client.recorded(self._settings.worker_id, 0, latest_seq)) as events:
                async for event in events:
                    if event.event_type != "worker.started" and sent(event) is None:
                        return latest_seq
            return 0
        return latest_seq

    async def _beat(self) -> NoReturn:
        while True:
            self._busy_changed.clear()
            await repeated(lambda: self._post([self._heartbeat("on")]), delays_s())
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.heartbeat_s):
                    await self._busy_changed.wait()

    def _heartbeat(self, state: str) -> NewEvent:
        self._beats += 1
        payload = {
            "source": SOURCE,
            "desktop_session_id": self._session_id,
            "occurred_at": self.timestamp(),
            "daemon": state,
            "accepts_requests": True,
            "busy": self.codex.turns.busy if self.codex.turns else None,
            "consumed_seq": self._cursor.seq,
            "codex_version": self.codex.codex_version,
        }
        return NewEvent(f"{self._session_id}:beat:{self._beats}", "worker.heartbeat", payload)

    async def _post(self, events: Sequence[NewEvent]) -> None:
        """Raises WorkerStopped when a conflict means that."""
        try:
            await self._client.post_events(self._settings.worker_id, events)
        except Conflict as conflict:
            if not conflict.reason_code and await self._has_stopped():
                raise WorkerStopped("stopped") from conflict
            raise

    async def _has_stopped(self) -> bool:
        return (await self._client.worker(self._settings.worker_id)).status != "running"

    def report(self, event_type: str, method: str, params: Payload) -> None:
        """An event of the daemon's own, in order with what Codex says."""
        payload = {"source": SOURCE, "method": method, "params": params, "occurred_at": self.timestamp()}
        self.outbox.note(event_type, payload)

    async def _say_goodbye(self, delivering: asyncio.Task[NoReturn]) -> None:
        """Delivers what Codex said last, as far as the edge takes it in time; the rest waits for the next daemon."""
        if self._is_registered and not delivering.done():
            with suppress(TimeoutError, OaError, WorkerStopped):
                async with asyncio.timeout(_FAREWELL_S):
                    await self._all_delivered(delivering)
                    await self._post([self._heartbeat("off")])
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)

    async def _all_delivered(self, delivering: asyncio.Task[NoReturn]) -> None:
        emptied = asyncio.create_task(self.outbox.delivered())
        try:
            await asyncio.wait([delivering, emptied], return_when=asyncio.FIRST_COMPLETED)
        finally:
            emptied.cancel()

    def timestamp(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def _outcome(running: asyncio.Task[NoReturn]) -> NoReturn:
    await asyncio.wait([running])
    running.result()
    raise AssertionError("it never returns")


def _first(failed: BaseException) -> BaseException:
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed
