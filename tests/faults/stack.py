"""A stack whose programs the test holds in its hands: each is started again as soon as it ends."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ops import settings
from ops.settings import StackSettings
from ops.stack import account, local, secrets
from ops.stack.local import Ports
from ops.stack.pids import Pid
from ops.stack.processes import Program, StackError, Supervised
from ops.stack.supervisor import migrated
from tests.services import free_block

Wrap = Callable[[Program], Program]
"""What a test changes about a program before it is started."""

_PAUSE_S = 0.2
_ATTEMPTS = 3
_EMAIL = "you@example.test"


@dataclass
class Stack:
    """The processes by name, and how often each has ended by itself or by a fault."""

    settings: StackSettings
    services: dict[str, Supervised] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    _keeping: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def addresses(self) -> Mapping[str, str]:
        return secrets.read(self.settings.data)

    def pids(self, name: str) -> list[Pid]:
        pid = self.services[name].pid
        return [pid] if pid else []

    def send(self, name: str, number: signal.Signals) -> None:
        for pid in self.pids(name):
            pid.send(number)

    async def start(self, *programs: Program) -> None:
        """All at once; returns when all are ready."""
        for program in programs:
            self.services[program.name] = Supervised(program, self._log)
        await asyncio.gather(*(self.services[program.name].start(_ATTEMPTS) for program in programs))

    def keep(self) -> None:
        """From now on."""
        self._keeping = {name: asyncio.create_task(self._keep(name)) for name in self.services}

    async def _keep(self, name: str) -> None:
        service = self.services[name]
        while True:
            assert service.child
            await service.child.exited()
            self.ends[name] += 1
            await asyncio.sleep(_PAUSE_S)
            with suppress(StackError):  # killed again before it was ready
                await service.start(attempts=1)

    async def stop(self, *names: str) -> None:
        """For good."""
        for name in names:
            if keeping := self._keeping.pop(name, None):
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
            self.send(name, signal.SIGCONT)
            await self.services[name].stop()

    def _log(self, name: str, line: str) -> None:
        self.lines.append(f"{name} | {line}")


def environment() -> dict[str, str]:
    """Ours without the settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OA_")}


@asynccontextmanager
async def running(
    folder: Path, *, worker: bool = False, wrap: Wrap = lambda program: program, redis: bool = True
) -> AsyncIterator[Stack]:
    """Everything is ready when the context begins, and gone when it is over; its output is in `folder`."""
    told = {**environment(), "OA_PORT": str(free_block(first=22_000)), "OA_DATA_DIR": str(folder / "oa")}
    stack = Stack(settings.read(told).stack)
    stack.settings.data.mkdir(parents=True, exist_ok=True)
    try:
        await _start(stack, told, worker=worker, wrap=wrap, redis=redis)
        stack.keep()
        yield stack
    finally:
        await stack.stop(*reversed(stack.services))
        (folder / "stack.log").write_text("\n".join(stack.lines), encoding="utf-8")


async def _start(stack: Stack, told: Mapping[str, str], *, worker: bool, wrap: Wrap, redis: bool) -> None:
    data, services = stack.settings.data, local.services(stack.settings)
    secrets.ensure(data, local.addresses(services, Ports(stack.settings.port)))
    await asyncio.to_thread(services.postgres.prepare)
    await services.kafka.prepare(lambda _line: None)
    programs = [services.postgres.program(), services.kafka.program()]
    if redis and services.redis:
        programs.append(services.redis.program())
    await stack.start(*map(wrap, programs))
    await services.postgres.ensure_database()
    await migrated(services.postgres.dsn(), stack.settings.first_position)
    await account.ensure(services.postgres.dsn(), data, _EMAIL)
    variables = local.environment(told, stack.settings)
    await stack.start(*map(wrap, local.our_programs(stack.settings, variables)))
    if worker:
        for program in local.worker_programs(stack.settings, variables, data):
            await stack.start(wrap(program))
