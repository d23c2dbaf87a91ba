"""The edge of one node: its parts put together, served, and drained (DESIGN §8)."""

import asyncio
import functools
import random
import socket
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import asyncpg
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from edge import health, openapi, registry
from edge.answers import AnswerLinks
from edge.api import (
    local_sign_in,
    mailbox,
    me,
    notifications,
    push_subscriptions,
    sessions,
    sign_in,
    sync_tokens,
    system,
    tokens,
    webhooks,
)
from edge.api import runs as public_runs
from edge.api import spend as public_spend
from edge.api import workers as public_workers
from edge.auth.admins import Admins
from edge.auth.clock import Clock, system_clock, unix_seconds
from edge.auth.mail import Mailer
from edge.auth.rate_limits import Counter
from edge.auth.revocation import revoked_before
from edge.auth.services import AuthSettings, Sweeper, auth_services
from edge.auth.sign_in import LocalSignIn
from edge.auth.sync_claims import Profile, verify
from edge.console import answers, manifest, pages, service_worker
from edge.console import assets as console_assets
from edge.console.assets import Assets
from edge.console.failures import with_pages
from edge.console.rendering import Console
from edge.event_stream import EventStreams
from edge.health import EdgeHealth
from edge.internal import deliveries
from edge.internal import health as signed_health
from edge.internal import runs as signed_runs
from edge.internal import spend as signed_spend
from edge.internal import workers as signed_workers
from edge.internal.health import Release
from edge.middleware import middleware
from edge.openapi import SignedApi
from edge.operations import Operations
from edge.outlets import Outlets, OutletSettings
from edge.registry import PublishedSchemas
from edge.requests import Services
from edge.responses import DATABASE_ERRORS, EXCEPTION_HANDLERS
from edge.run_history import RunHistory
from edge.runs import Runs
from edge.spend import Spend
from edge.spend_history import SpendHistory
from edge.sync.live import LiveSync, sources
from edge.sync.settings import SyncSettings
from edge.sync.topics import Positions, TopicSource
from edge.sync.websocket import UVICORN
from edge.worker_answers import Answers
from edge.workers import Workers, WorkerSettings
from producers import presence
from producers.eventlog import epochs
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.retention import CommandRetention
from producers.eventlog.standing import Standing
from producers.eventlog.streams import StreamReader
from producers.eventlog.tail import LogTail
from producers.eventlog.wakeups import Wakeups
from producers.presence import Process
from producers.rulebook import Rulebook
from readmodels.journal import JournalReader
from readmodels.journal_tail import JournalTail
from readmodels.workers import projections
from schemas import names
from schemas.cancellation import raise_if_cancelled
from schemas.registry import published
from schemas.tracing import Spans

_RETRY_S = 0.5
_FOR_OPERATORS = ("/system", "/api/system", "/static/")
_LOGGER = structlog.get_logger()
_ROUTED = (
    *(signed_workers, signed_runs, public_workers, signed_spend, deliveries),
    *(public_runs, public_spend),
    *(health, sign_in, tokens, sessions, me, sync_tokens, signed_health, registry, openapi),
    *(notifications, webhooks, push_subscriptions, answers, pages, console_assets, manifest, service_worker),
)
"""Busy ones first: a request is compared with one route after the other."""
_JOURNAL_TOPICS = [topic for topic in names.SYNC_TOPICS if topic != names.WORKER_EVENTS]


@dataclass(frozen=True)
class EdgeSettings:
    """What the edge is told; `dev_pages` and `local_sign_in` are the local profile's only."""

    auth: AuthSettings
    host: str = "127.0.0.1"
    port: int = 8750
    release: str = "dev"
    trusted_proxies: tuple[str, ...] = ()
    maintenance: bool = False
    dev_pages: bool = False
    admin_emails: tuple[str, ...] = ()
    local_sign_in: LocalSignIn | None = None
    topic_prefix: str = ""
    sync: SyncSettings = field(default_factory=SyncSettings)
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    outlets: OutletSettings = field(default_factory=OutletSettings)


@dataclass(frozen=True)
class Outside:
    """What the edge reaches beyond itself; a `process` tells that it runs."""

    pool: asyncpg.Pool
    mailer: Mailer
    counter: Counter
    clock: Clock = system_clock
    spans: Spans | None = None
    operations: Operations | None = None
    process: Process | None = None


class Edge:
    """`app` answers while `run` follows the log; `drain` ends what would not end by itself."""

    def __init__(
        self,
        app: Starlette,
        live: LiveSync,
        tail: LogTail,
        log: EventLog,
        runs: Collection[Callable[[], Awaitable[None]]],
    ) -> None:
        self.app = app
        self._live = live
        self._tail = tail
        self._log = log
        self._runs = runs

    async def run(self) -> None:
        """Until cancelled. Each part starts again when it lost the database."""
        async with asyncio.TaskGroup() as group:
            for run in self._runs:
                group.create_task(_again_and_again(run))

    def drain(self) -> None:
        """End event streams and sockets; their clients come back with their cursors."""
        _end_followers(self._tail, self._live)

    async def close(self) -> None:
        """When everything has been answered."""
        await self._log.close()


class Followed(NamedTuple):
    """The log and the journal, and what clients hear of them."""

    reader: LogReader
    tail: LogTail
    journal_reader: JournalReader
    journal_tail: JournalTail
    topics: Collection[TopicSource]


async def build(settings: EdgeSettings, outside: Outside) -> Edge:
    """The parts of one node, at the log's and the journal's present heads."""
    pool, clock = outside.pool, outside.clock
    wakeups = Wakeups(pool)
    head = await LogReader(pool).head()
    followed = await _followed(pool, wakeups, head.position, settings.sync)
    live = _live(settings, followed.topics, outside)
    standing = Standing(followed.reader, head, functools.partial(_end_followers, followed.tail, live))
    log = EventLog(pool, clock=clock, spans=outside.spans)
    routes = _routes(settings, live, with_system=outside.operations is not None)
    edge_health = EdgeHealth(log, followed.reader, followed.tail, followed.journal_reader, followed.journal_tail)
    services = Services(*_services(settings, outside, log, followed), SignedApi(routes, settings.release), edge_health)
    app = Starlette(
        routes=routes,
        middleware=middleware(
            settings.trusted_proxies, functools.partial(_is_closed, settings, standing), outside.spans
        ),
        exception_handlers={kind: with_pages(handler) for kind, handler in EXCEPTION_HANDLERS.items()},
    )
    app.router.redirect_slashes = False
    app.state.services = services
    runs = [standing.run, wakeups.run, followed.tail.run, followed.journal_tail.run, live.run]
    runs += [services.get(Sweeper).run, CommandRetention(pool, clock).run]
    if outside.process:
        runs.append(functools.partial(presence.tell, pool, outside.process, edge_health.state))
    return Edge(app, live, followed.tail, log, runs)


async def _followed(pool: asyncpg.Pool, wakeups: Wakeups, head: int, settings: SyncSettings) -> Followed:
    reader, journal_reader = LogReader(pool), JournalReader(pool)
    tail = LogTail(reader, wakeups.event(names.NOTIFY_LOG), start=head)
    heads = {topic: await journal_reader.head(topic) for topic in _JOURNAL_TOPICS}
    journal_tail = JournalTail(journal_reader, wakeups.event(names.NOTIFY_JOURNAL), heads)
    histories = {names.WORKER_EVENTS: await epochs.history(pool), **await journal_reader.histories()}
    topics = sources(reader, tail, journal_reader, journal_tail, settings, histories)
    return Followed(reader, tail, journal_reader, journal_tail, topics)


def _services(settings: EdgeSettings, outside: Outside, log: EventLog, followed: Followed) -> Iterator[object]:
    """What routes ask for, each by its class."""
    pool, clock, entropy = outside.pool, outside.clock, random.SystemRandom()
    reader, streams = followed.reader, StreamReader(pool)
    yield from auth_services(pool, settings.auth, outside.mailer, outside.counter, clock, entropy)
    told = Answers(reader, followed.tail, clock)
    workers = Workers(log, streams, functools.partial(projections, pool), told, settings.workers, clock)
    spend = Spend(log, streams, reader, Rulebook(pool), clock)
    yield from (workers, Runs(log, streams), RunHistory(pool, reader), spend, SpendHistory(pool, streams, spend, clock))
    yield from (log, EventStreams(reader, followed.tail, streams), Positions(followed.topics))
    yield from (Release(settings.release), PublishedSchemas(published(settings.topic_prefix)))
    yield Outlets(pool, log, settings.outlets, clock, entropy)
    yield AnswerLinks(settings.outlets.answer_link_key, pool, workers, clock)
    yield answers.Attempts(entropy)
    assets, admins = Assets.read(), Admins(settings.admin_emails)
    yield from (assets, admins, Console(assets, admins, pages.PAGES, dev_pages=settings.dev_pages))
    yield from filter(None, (outside.operations, settings.local_sign_in))


class Server(uvicorn.Server):
    """uvicorn that leaves signals to the process and calls `drain` when it accepts no more."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._drain()
        await super().shutdown(sockets)


async def serve(settings: EdgeSettings, outside: Outside) -> None:
    """Answer on `host:port` until cancelled; then finish requests, end streams, and close sockets with 1012."""
    edge = await build(settings, outside)
    config = uvicorn.Config(
        edge.app,
        host=settings.host,
        port=settings.port,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=5,
        backlog=4096,
        **UVICORN,
    )
    server = Server(config, edge.drain)
    serving, running = asyncio.create_task(server.serve()), asyncio.create_task(edge.run())
    try:
        await asyncio.wait([serving, running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await serving
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await edge.close()


def _is_closed(settings: EdgeSettings, standing: Standing, path: str) -> bool:
    """While the log is suspended operators can see why (ADR 11)."""
    return settings.maintenance or (bool(standing.suspended) and not path.startswith(_FOR_OPERATORS))


def _end_followers(tail: LogTail, live: LiveSync) -> None:
    tail.end_followers()
    live.close()


def _routes(settings: EdgeSettings, live: LiveSync, *, with_system: bool) -> list[BaseRoute]:
    local = [*([mailbox] if settings.dev_pages else []), *([local_sign_in] if settings.local_sign_in else [])]
    modules = [*_ROUTED, *([system] if with_system else []), *local]
    return [*(route for module in modules for route in module.routes), *live.routes]


def _live(settings: EdgeSettings, topics: Collection[TopicSource], outside: Outside) -> LiveSync:
    profiles = [Profile.of(settings.auth.sync_token), Profile.of(settings.auth.khala_token)]
    return LiveSync(
        topics,
        lambda token: verify(token, profiles, unix_seconds(outside.clock)),
        functools.partial(revoked_before, outside.pool),
        settings.sync,
        outside.spans,
    )


async def _again_and_again(run: Callable[[], Awaitable[None]]) -> None:
    """The supervised border of a background part."""
    while True:
        try:
            await run()
        except DATABASE_ERRORS as error:
            _LOGGER.warning("a part of the edge starts again", part=repr(run), error=repr(error))
        raise_if_cancelled()
        await asyncio.sleep(_RETRY_S)
