"""The daemon itself: one Codex, one worker on the edge, and the tasks between them."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from oa_client.backoff import delays_s
from oa_client.client import Client
from oa_client.errors import TRANSIENT, CodexExited, Conflict, OaError
from oa_client.worker.codex import Codex
from oa_client.worker.intents import Acknowledge, Intents, Stop, Turn, acknowledgement
from oa_client.worker.mirror import SOURCE, mirrored
from oa_client.worker.outbox import Outbox
from oa_client.worker.turns import Turns, TurnSettings
from oa_client.workers import CreatedWorker, Payload

_LOG = logging.getLogger(__name__)

ADAPTER = "desktop_bridge"
VERSION = "0.1.0"

_FAREWELL_S = 3.0


@dataclass(frozen=True)
class DaemonSettings:
    worker_id: str
    turns: TurnSettings
    heartbeat_s: float = 30.0


class Daemon:
    """`now` gives aware datetimes; `session_id` is new for every start and part of every event id."""

    def __init__(
        self, client: Client, codex: Codex, settings: DaemonSettings, *, session_id: str, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._codex = codex
        self._settings = settings
        self._session_id = session_id
        self._now = now
        self._intents = Intents()
        self._turns = Turns(codex, settings.turns, self._report_failure)
        self._outbox = Outbox(lambda events: client.post_events(settings.worker_id, events), session_id)

    async def run(self) -> str:
        """Mirrors and obeys until somebody else stops the worker (returns why), until it is cancelled, or until an
        error that no repetition can mend. Codex is closed and the worker stopped on the way out."""
        mirror = asyncio.create_task(self._mirror())
        tasks: list[asyncio.Task[Any]] = [mirror]
        try:
            await self._codex.initialize(version=VERSION)
            created = await self._register()
            jobs = (self._deliver(), self._turns.run(), self._obey(created.latest_seq), self._beat())
            tasks += [asyncio.create_task(job) for job in jobs]
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return str(ended.pop().result())
        finally:
            await self._codex.close()
            if len(tasks) > 1:
                await self._say_goodbye(mirror)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _register(self) -> CreatedWorker:
        worker_id = self._settings.worker_id
        metadata = {"source": SOURCE, "desktop_session_id": self._session_id, "daemon_version": VERSION}
        for delay_s in delays_s():
            try:
                created = await self._client.create_worker(
                    worker_id, adapter=ADAPTER, workspace_ref=str(self._settings.turns.cwd), metadata=metadata
                )
                # `oa up --worker` waits for this line
                _LOG.info("worker %s is %s at event %d", worker_id, created.status, created.latest_seq)
                return created
            except TRANSIENT as error:
                _LOG.warning("not registered: %s; next attempt in %.1f s", error, delay_s)
                await asyncio.sleep(delay_s)
        raise AssertionError("delays_s is endless")

    async def _mirror(self) -> None:
        async for message in self._codex.messages():
            if event := mirrored(message, self._timestamp()):
                await self._outbox.put(*event)
            if "id" in message:
                await self._codex.answer(message, self._settings.turns.decision(message))
            self._turns.notice(message)

    async def _deliver(self) -> str:
        try:
            await self._outbox.run()
        except Conflict:
            if (await self._client.worker(self._settings.worker_id)).status == "running":
                raise
        return "stopped"

    async def _obey(self, cursor: int) -> str:
        async with aclosing(self._client.stream(self._settings.worker_id, cursor)) as events:
            async for event in events:
                match self._intents.of(event):
                    case Acknowledge(handshake_id):
                        ack = acknowledgement(handshake_id, self._session_id, self._timestamp())
                        await self._outbox.put("worker.event", ack)
                    case Turn(text):
                        self._turns.add(text)
                    case Stop(reason):
                        return reason
        raise AssertionError("the stream is endless")

    async def _beat(self) -> None:
        while True:
            beat = {"source": SOURCE, "desktop_session_id": self._session_id, "occurred_at": self._timestamp()}
            await self._outbox.put("worker.heartbeat", beat)
            await asyncio.sleep(self._settings.heartbeat_s)

    async def _report_failure(self, method: str, message: str) -> None:
        payload: Payload = {
            "source": SOURCE,
            "method": method,
            "params": {"error": {"message": message}},
            "occurred_at": self._timestamp(),
        }
        await self._outbox.put("worker.error", payload)

    async def _say_goodbye(self, mirror: asyncio.Task[None]) -> None:
        """Delivers what Codex said last and stops the worker, as far as the edge takes it in time."""
        with suppress(TimeoutError, OaError):
            async with asyncio.timeout(_FAREWELL_S):
                with suppress(CodexExited):
                    await mirror
                await self._outbox.delivered()
                await self._client.stop_worker(self._settings.worker_id, "daemon_stopped")

    def _timestamp(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
