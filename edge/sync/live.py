"""The live socket as a part of the edge: sources, hub, sessions and routes put together."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from starlette.routing import BaseRoute
from starlette.websockets import WebSocket

from edge.auth.clock import Clock, system_clock
from edge.auth.sync_claims import SyncClaims
from edge.responses import DATABASE_ERRORS
from edge.sync import metrics
from edge.sync.endpoint import Endpoint, Verify, routes
from edge.sync.framing import Framing
from edge.sync.hub import Hub
from edge.sync.protocol import DRAINING, FAILED, POLICY
from edge.sync.session import Session
from edge.sync.settings import SyncSettings
from edge.sync.topics import DocumentTopic, LogTopic, TopicSource
from edge.sync.websocket import outlet
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail
from readmodels.journal import JournalReader
from readmodels.journal_tail import JournalTail
from schemas import names
from schemas.cancellation import raise_if_cancelled
from schemas.history import History
from schemas.tracing import Spans

Revoked = Callable[[Collection[str]], Awaitable[Mapping[str, float]]]
"""Which of these owners' tokens no longer count: those minted before a time in unix seconds."""

_NOBODY = ""
"""Owns no rows: a token that names nobody we know may connect and sees nothing."""

_LOGGER = structlog.get_logger()
_CLOSES = {
    1000: "client",
    1001: "client",
    1002: "timeout",
    1008: "revoked",
    1011: "failed",
    1012: "drain",
    1013: "slow",
}


def sources(
    log_reader: LogReader,
    log_tail: LogTail,
    journal_reader: JournalReader,
    journal_tail: JournalTail,
    settings: SyncSettings,
    histories: Mapping[str, History],
    now: Clock = system_clock,
) -> list[TopicSource]:
    """All topics; `journal_tail` has to follow all but the log's. `histories` are by topic, where there is one."""
    horizon, unbroken = settings.horizon, History([])
    return [
        LogTopic(log_reader, log_tail, now, horizon, histories.get(names.WORKER_EVENTS, unbroken)),
        *(
            DocumentTopic(topic, journal_reader, journal_tail, now, horizon, histories.get(topic, unbroken))
            for topic in names.SYNC_TOPICS
            if topic != names.WORKER_EVENTS
        ),
    ]


class LiveSync:
    """Every socket of this node; needs running tails, and uvicorn configured by `websocket.UVICORN`."""

    def __init__(
        self,
        topics: Collection[TopicSource],
        verify: Verify,
        revoked: Revoked,
        settings: SyncSettings,
        spans: Spans | None = None,
    ) -> None:
        self._hub = Hub(topics, settings.replay_batch_rows, settings.flush_gap_s, spans)
        self._revoked = revoked
        self._settings = settings
        self._subscription_numbers = itertools.count(1)
        self._sessions: dict[Session, int] = {}
        self.routes: list[BaseRoute] = routes(Endpoint(verify, settings.public_host, self._serve))

    async def run(self) -> None:
        """Close the sockets of revoked principals, every minute, until cancelled (DESIGN §8)."""
        while True:
            await asyncio.sleep(self._settings.recheck_interval_s)
            try:
                await self._recheck()
            except DATABASE_ERRORS as error:
                _LOGGER.warning("revoked principals not checked", error=repr(error))
            raise_if_cancelled()

    def close(self) -> None:
        """Drain: every client reconnects elsewhere and resumes (SD-12)."""
        for session in self._sessions:
            session.outlet.close(DRAINING)
        self._hub.close()

    async def _recheck(self) -> None:
        revoked = await self._revoked({session.owner for session in self._sessions})
        for session, minted_at in list(self._sessions.items()):
            if minted_at < revoked.get(session.owner, 0):
                session.outlet.close(POLICY)

    async def _serve(self, websocket: WebSocket, claims: SyncClaims, framing: Framing) -> None:
        socket = outlet(websocket.scope)
        await websocket.accept()
        socket.buffer_bytes = self._settings.buffer_bytes
        numbers, settings = self._subscription_numbers, self._settings
        owner = _NOBODY if claims.owner is None else claims.owner
        session = Session(socket, owner, claims.scopes, framing, self._hub, numbers, settings)
        socket.on_pong = session.pong
        metrics.CONNECTIONS.labels("open", "ok").inc()
        self._sessions[session] = claims.issued_at
        metrics.ACTIVE.labels("open", "ok").set(len(self._sessions))
        try:
            await self._run(session, websocket)
        finally:
            socket.on_pong = None
            del self._sessions[session]
            metrics.ACTIVE.labels("open", "ok").set(len(self._sessions))

    async def _run(self, session: Session, websocket: WebSocket) -> None:
        """The supervised border of a socket: whatever goes wrong ends this socket only, and its client resumes."""
        code = FAILED

        async def receive() -> str | None:
            nonlocal code
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code", FAILED)
                return None
            text: str = message.get("text", "")  # a binary frame is no frame of ours (sync §5.1)
            return text

        try:
            await session.run(receive)
        except Exception as error:
            _LOGGER.exception("sync socket failed", owner=session.owner, error=repr(error))
            session.outlet.close(FAILED)
        metrics.CONNECTIONS.labels("close", _CLOSES.get(code, "lost")).inc()
