"""Outlets: every notification reaches its owner's webhooks and browsers, in order, at least once (ADR 15).

An outlet is a row with a cursor. Whoever holds its lease sends what follows the cursor, and moves the cursor in the
transaction that notes the attempt; whoever is killed in between sends the same message again, with the same id.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from processors import metrics, outlet_messages
from processors.lanes import OUTAGES
from processors.outlet_messages import NO_LINKS, Links
from processors.outlet_rows import PUSH, WEBHOOK, Attempt, Outlet, OutletRows
from producers import notices, notifications
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from readmodels import approvals
from readmodels.approvals import Approval
from readmodels.journal import JournalReader, JournalRow
from schemas.cancellation import raise_if_cancelled
from schemas.events import Payload
from schemas.names import NOTIFICATIONS, notification_stream

if TYPE_CHECKING:
    import asyncpg

    from processors.senders import Senders

LOGGER = structlog.get_logger()

AT_ONCE: Final = 16
PAGE: Final = 50
GONE: Final = {WEBHOOK: (410,), PUSH: (404, 410)}
"""By kind of outlet: nobody is there any more."""


@dataclass(frozen=True)
class OutletSettings:
    """Without a VAPID key nothing is pushed; without a key of answer links messages have none."""

    links: Links = NO_LINKS
    vapid_private_key: str = ""
    vapid_subject: str = ""
    private_addresses: bool = False
    look_every_s: float = 1.0
    lease: timedelta = timedelta(seconds=30)
    first_pause: timedelta = timedelta(seconds=5)
    longest_pause: timedelta = timedelta(hours=1)
    give_up_after: timedelta = timedelta(days=1)


class Outlets:
    """`name` is the process's: no other has it, nor had it before."""

    def __init__(
        self,
        pool: "asyncpg.Pool[Any]",
        log: EventLog,
        settings: OutletSettings,
        name: str,
        clock: Callable[[], datetime],
        chance: random.Random,
    ) -> None:
        self._pool = pool
        self._log = log
        self._journal = JournalReader(pool)
        self._rows = OutletRows(pool, name, settings.lease)
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._kinds = [WEBHOOK, *([PUSH] if settings.vapid_private_key else [])]
        self._senders: Senders | None = None
        self._under_way = 0

    async def run(self) -> None:
        """For ever; a lost database only postpones."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await self._look(tasks)
                    await asyncio.sleep(self._settings.look_every_s)
        finally:
            if self._senders:
                await self._senders.close()

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        try:
            outlets = await self._rows.claim(self._kinds, AT_ONCE - self._under_way, self._clock())
        except OUTAGES as error:
            LOGGER.warning("cannot look for outlets that wait", error=repr(error))
            raise_if_cancelled()
            return
        if outlets:
            self._under_way += len(outlets)
            senders = await self._loaded()
            for outlet in outlets:
                tasks.create_task(self._serve(outlet, senders))

    async def _loaded(self) -> "Senders":
        if self._senders is None:
            self._senders = await asyncio.to_thread(_senders, self._settings)
        return self._senders

    async def _serve(self, outlet: Outlet, senders: "Senders") -> None:
        """An outlet's supervised border: what goes wrong with it is no other's matter, and comes again."""
        try:
            await self._tell(outlet, senders)
            await self._rows.release(outlet)
        except OUTAGES as error:
            LOGGER.warning("an outlet waits for the database", outlet=outlet.id, error=repr(error))
            raise_if_cancelled()
        except Exception:
            LOGGER.exception("an outlet cannot be served", outlet=outlet.id)
        finally:
            self._under_way -= 1

    async def _tell(self, outlet: Outlet, senders: "Senders") -> None:
        if outlet.test_id:  # sent once, whatever comes of it
            message = outlet_messages.of_test(outlet.test_id, self._clock())
            await self._rows.tested(outlet, await self._attempt(outlet, message, senders), self._clock())
        at = outlet if outlet.is_due else None
        while at:
            page = await self._journal.read_owner(NOTIFICATIONS, at.owner, at.cursor, PAGE)
            at = await self._follow(at, page.rows, senders) if page.rows else None

    async def _follow(self, outlet: Outlet, rows: Sequence[JournalRow], senders: "Senders") -> Outlet | None:
        """The outlet after these rows; None when it is not to go on."""
        at: Outlet | None = outlet
        newest = {row.doc_key: row.watermark for row in rows}
        for row in rows:
            if at:
                at = await self._pass(at, row, newest[row.doc_key] > row.watermark, senders)
        return at

    async def _pass(self, outlet: Outlet, row: JournalRow, is_over: bool, senders: "Senders") -> Outlet | None:
        now, document = self._clock(), row.payload
        if document is None or not senders.wants(outlet, document, is_over, now):
            return await self._rows.move(outlet, row.watermark, None, now)
        approval = await self._approval(row.owner, document)
        message = outlet_messages.of(outlet.id, row, document, approval, self._settings.links)
        attempt = await self._attempt(outlet, message, senders)
        if attempt.error is None:
            return await self._rows.move(outlet, row.watermark, attempt, self._clock())
        await self._fail(outlet, attempt)
        return None

    async def _approval(self, owner: str, document: Payload) -> Approval:
        if not outlet_messages.is_question(document):
            return Approval()
        subject = document["subject"]
        return await approvals.find(self._pool, owner, subject["worker_id"], subject["approval_id"])

    async def _attempt(self, outlet: Outlet, message: Payload, senders: "Senders") -> Attempt:
        clock, at = asyncio.get_running_loop().time, self._clock()
        began = clock()
        status, error = await senders.send(outlet, message, at)
        metrics.OUTLET_ATTEMPTS.labels(outlet.kind, "failed" if error else "delivered").inc()
        return Attempt(message["id"], message["watermark"], at, round((clock() - began) * 1000), status, error)

    async def _fail(self, outlet: Outlet, attempt: Attempt) -> None:
        """Tried again later and later; after a day a browser is forgotten, a webhook's owner told."""
        is_over = attempt.at - (outlet.failing_since or attempt.at) >= self._settings.give_up_after
        gives_up = is_over or attempt.status in GONE[outlet.kind]
        if gives_up and outlet.kind == PUSH:
            await self._rows.remove(outlet)
            return
        if gives_up:
            await self._tell_paused(outlet)
        again_at = attempt.at + self._pause(outlet.failures)
        await self._rows.fail(outlet, attempt, again_at, paused_at=attempt.at if gives_up else None)

    async def _tell_paused(self, outlet: Outlet) -> None:
        raised = notices.webhook_paused(outlet.id)
        stream = notification_stream(outlet.owner, raised.notification_id)
        await self._log.execute(notifications.DECIDER, stream, outlet.owner, [Item(raised)])

    def _pause(self, failures: int) -> timedelta:
        """Twice as long each time, and not when others are tried again."""
        longest: timedelta = min(self._settings.first_pause * 2 ** min(failures, 30), self._settings.longest_pause)
        return longest * self._chance.uniform(0.5, 1.0)


def _senders(settings: OutletSettings) -> "Senders":
    """Loaded when the first outlet waits: most processes never need these 20 MB."""
    from processors.push import VapidKey
    from processors.senders import Senders

    vapid = VapidKey(settings.vapid_private_key, settings.vapid_subject)
    return Senders(vapid, private_addresses=settings.private_addresses)
