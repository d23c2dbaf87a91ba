"""Starts the local stack in order, keeps it running, and leaves nothing behind."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import asyncpg

from ops.migrations.runner import migrate
from ops.settings import StackSettings
from ops.stack import leftovers, local, pids, secrets, state
from ops.stack.local import Ports, Services
from ops.stack.processes import Log, Program, StackError, Supervised
from ops.stack.state import Phase, Running, StackState
from producers.eventlog import epochs

Prepare = Callable[[str], Awaitable[str | None]]
"""Work that needs the tables and comes before our processes; gets the DSN, tells why the log is suspended, if it is."""


class Supervisor:
    """One stack in one data folder; `ours` start when the services are there, `last` when ours are."""

    def __init__(
        self,
        settings: StackSettings,
        services: Services,
        ours: Sequence[Program],
        last: Sequence[Program] = (),
        *,
        log: Log,
        prepare: Prepare,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        me = pids.of(os.getpid())
        assert me is not None
        self._settings = settings
        self._services = services
        self._ours = ours
        self._last = last
        self._log = log
        self._prepare = prepare
        self._ready = ready
        self._suspended = ""
        self._state = StackState(supervisor=me, port=settings.port, each=settings.each)
        self._started: list[list[Supervised]] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, keep it running until `stop` is set, end everything; `StackError` says why it could not."""
        with state.only_supervisor(self._settings.data):
            await leftovers.end(self._settings.data)
            try:
                _refuse_taken_ports(local.ports_of(self._settings))
                await self._run(stop)
            except StackError as error:
                await self._stop("failed", str(error))
                raise
            except BaseException:
                await self._stop("stopping", "")
                raise
            await self._stop("stopping", "")
            state.forget(self._settings.data)

    async def _run(self, stop: asyncio.Event) -> None:
        if await _unless(stop, self._start()):
            self._note("ready", self._suspended)
            self._ready()
            await _unless(stop, _together(*(one.keep_running() for group in self._started for one in group)))

    async def _start(self) -> None:
        self.tell("starting Postgres, Kafka and Redis")
        secrets.ensure(self._settings.data, local.addresses(self._services, local.ports_of(self._settings)))
        group: list[Supervised] = []
        self._started.append(group)
        await _together(self._start_postgres(group), self._start_kafka(group), self._start_redis(group))
        if suspended := await self._prepare(self._services.postgres.dsn()):
            self._suspended = suspended
            told = local.ports_of(self._settings).ours()
            self._ours = [local.answering(program, told[program.name]) for program in self._ours]
        await self._start_ours()
        for program in self._last:
            await self._start_dispensable(program)

    async def _start_ours(self) -> None:
        self.tell(f"starting {', '.join(program.name for program in self._ours)}")
        group: list[Supervised] = []
        self._started.append(group)
        await _together(*(self._start_one(program, group) for program in self._ours))

    async def _start_dispensable(self, program: Program) -> None:
        self.tell(f"starting {program.name}")
        group: list[Supervised] = []
        self._started.append(group)
        try:
            await self._start_one(program, group)
        except StackError as error:
            self._started.remove(group)
            await group[0].stop()
            self.tell(f"goes on without {program.name}: {error}")

    async def _start_postgres(self, group: list[Supervised]) -> None:
        await asyncio.to_thread(self._services.postgres.prepare)
        await self._start_one(self._services.postgres.program(), group)
        await self._services.postgres.ensure_database()

    async def _start_kafka(self, group: list[Supervised]) -> None:
        loop = asyncio.get_running_loop()

        def tell(step: str) -> None:
            """From whichever thread does the work; only the loop's may write the state."""
            loop.call_soon_threadsafe(self.tell, step)

        await self._services.kafka.prepare(tell)
        await self._start_one(self._services.kafka.program(), group)

    async def _start_redis(self, group: list[Supervised]) -> None:
        if self._services.redis is None:
            self.tell("no Redis: each process counts its rate limits for itself")
        else:
            await self._start_one(self._services.redis.program(), group)

    async def _start_one(self, program: Program, group: list[Supervised]) -> None:
        one = Supervised(program, self._log, self._changed)
        group.append(one)
        await one.start()

    async def _stop(self, phase: Phase, reason: str) -> None:
        self._note("stopping", reason)
        for group in reversed(self._started):
            await asyncio.gather(*(one.stop() for one in group))
        self._note(phase, reason)

    def tell(self, step: str) -> None:
        """Show the operator what is going on."""
        self._log("oa", step)
        self._note("starting", step)

    def _changed(self) -> None:
        self._note(self._state.phase, self._state.step)

    def _note(self, phase: Phase, step: str) -> None:
        running = tuple(Running(one.program.name, one.pid, one.ready) for group in self._started for one in group)
        self._state = replace(self._state, phase=phase, step=step, processes=running)
        self._state.write(self._settings.data)


async def suspension(dsn: str) -> str | None:
    """Why the log is suspended, if it is (ADR 11); our processes then start, refuse to work, and say so."""
    connection = await asyncpg.connect(dsn)
    try:
        await epochs.check_server(connection)
        return await epochs.suspension(connection)
    finally:
        await connection.close()


async def migrated(dsn: str, first_position: int) -> list[str]:
    """Migrate the database at `dsn`; the names of what was applied."""
    connection = await asyncpg.connect(dsn)
    try:
        return await migrate(connection, first_position=first_position)
    finally:
        await connection.close()


def _refuse_taken_ports(wanted: Ports) -> None:
    for whose, port in local.taken(wanted).items():
        raise StackError(f"port {port} (for {whose}) is taken: choose others with --port or end what listens")


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """All at once; the first failure ends the others."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        await _end(tasks)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether the work ended before `stop` was set, which ends it."""
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return working.done()
    finally:
        await _end([working, stopped])


async def _end(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
