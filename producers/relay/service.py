"""The relay process: waits to lead, feeds Kafka while it leads, starts over from the partitions when anything fails."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import structlog

from producers import presence
from producers.eventlog import epochs
from producers.eventlog.reader import LogReader
from producers.presence import Process, State
from producers.relay import metrics
from producers.relay.errors import LogBehindPublication, Refusal
from producers.relay.fencing import check_fencing
from producers.relay.health import Health, Oldest, Pulse
from producers.relay.leadership import leadership
from producers.relay.racing import first_to_end
from producers.relay.session import Session
from producers.relay.settings import RelaySettings
from schemas.cancellation import raise_if_cancelled
from schemas.lost_connections import LOST_CONNECTION
from schemas.names import NOTIFY_LOG
from schemas.tracing import Spans

_WATCH_S: Final = 1.0
_PAUSE_FIRST_S: Final = 0.2
_PAUSE_LAST_S: Final = 5.0
_LOGGER = structlog.get_logger()

Expose = Callable[[Callable[[], Health]], Coroutine[Any, Any, None]]
"""Answers `/livez`, `/readyz` and `/metrics` from a health function until cancelled."""


async def serve(settings: RelaySettings, expose: Expose, process: Process, spans: Spans | None = None) -> None:
    """Run the relay process until cancelled; two connections to Postgres."""
    async with asyncpg.create_pool(settings.database_url, min_size=1, max_size=1, reset=_keep) as pool:
        relay = Relay(settings, pool, spans)
        await first_to_end(relay.run(), expose(relay.health), presence.tell(pool, process, relay.state))


async def _keep(_connection: Any) -> None:
    """Nobody changes a session here: no query has to clean up after each page."""


class Relay:
    """One candidate for leadership; `run` goes on until cancelled, `health` tells how it goes."""

    def __init__(self, settings: RelaySettings, pool: asyncpg.Pool, spans: Spans | None = None) -> None:
        self._settings = settings
        self._pool = pool
        self._spans = spans
        self._reader = LogReader(pool)
        self._pulse = Pulse(settings.stuck_after_s, time.monotonic, lambda: datetime.now(UTC))

    def health(self) -> Health:
        return self._pulse.health()

    async def state(self) -> State:
        return State(*self.health())

    async def run(self) -> None:
        """Raises FencingUnavailable at once when this aiokafka cannot be fenced."""
        check_fencing()
        await first_to_end(self._watch_log(), self._lead_again_and_again())

    async def _watch_log(self) -> None:
        while True:
            try:
                await self._look_at_log()
            except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
                _LOGGER.warning("relay cannot see the log", error=repr(error))
            raise_if_cancelled()
            await asyncio.sleep(_WATCH_S)

    async def _look_at_log(self) -> None:
        acknowledged, head = self._pulse.acknowledged, await self._reader.head()
        is_behind = acknowledged is not None and acknowledged < head.position
        events = await self._reader.read_all(acknowledged or 0, 1) if is_behind else []
        self._pulse.saw_log(head.position, Oldest(events[0].position, events[0].recorded_at) if events else None)

    async def _lead_again_and_again(self) -> None:
        pause_s = _PAUSE_FIRST_S
        while True:
            started = time.monotonic()
            outcome = await self._supervised_session()
            raise_if_cancelled()
            metrics.SESSIONS.labels(outcome).inc()
            lasted = outcome == "renewed" or time.monotonic() - started > _PAUSE_LAST_S
            pause_s = _PAUSE_FIRST_S if lasted else min(pause_s * 2, _PAUSE_LAST_S)
            await asyncio.sleep(pause_s)

    async def _supervised_session(self) -> str:
        """The supervised border of the process: whatever ends a session, the next one starts from the partitions."""
        try:
            await self._lead()
        except Refusal as refusal:
            self._pulse.ended(str(refusal), refused=True)
            _LOGGER.error("relay refuses to publish", reason=str(refusal))
            return "refused"
        except Exception as error:  # noqa: BLE001
            self._pulse.ended(repr(error))
            _LOGGER.warning("relay session ended", error=repr(error))
            return "failed"
        return "renewed"

    async def _lead(self) -> None:
        async with leadership(self._settings, self._pulse.standby) as connection:
            wakeup = asyncio.Event()
            await connection.add_listener(NOTIFY_LOG, lambda *_: wakeup.set())
            session = Session(self._settings, self._pool, wakeup, self._pulse, time.monotonic, self._spans)
            try:
                await session.run(connection)
            except LogBehindPublication as refusal:
                await epochs.suspend(self._pool, str(refusal))
                raise
