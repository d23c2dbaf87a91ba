"""A stack's supervisor: part of `oa up`, or in the background a process of its own, which knows no terminal."""

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ops.errors import OperatorError
from ops.settings import Settings, StackSettings, of_this_process
from ops.stack import account, local
from ops.stack.processes import Log
from ops.stack.supervisor import Supervisor, migrated, suspension

Ready = Callable[[], None]


async def supervise(settings: Settings, stack: StackSettings, worker: bool, log: Log, ready: Ready) -> None:
    """Until a signal ends it; StackError says why it could not."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def prepare(dsn: str) -> str | None:
        await migrated(dsn, stack.first_position)
        await account.ensure(dsn, stack.data, settings.local_email)
        return await suspension(dsn)

    environment = local.environment(settings.values.environment, stack)
    supervisor = Supervisor(
        stack,
        local.services(stack),
        local.our_programs(stack, environment),
        local.worker_programs(stack, environment, Path.cwd()) if worker else (),
        log=log,
        prepare=prepare,
        ready=ready,
    )
    await supervisor.run(stop)


def command(stack: StackSettings, worker: bool) -> list[str]:
    """What starts it in the background; its output is the stack's log."""
    words = [str(stack.data), str(stack.port), str(stack.each), *(["worker"] if worker else [])]
    return [sys.executable, "-m", "ops.stack.supervising", *words]


def _main(data: str, port: str, each: str, *worker: str) -> None:
    settings = of_this_process(Path(data), OA_PORT=port)
    asyncio.run(supervise(settings, replace(settings.stack, each=int(each)), bool(worker), _write, lambda: None))


def _write(name: str, line: str) -> None:
    print(f"{name:<10} | {line}", flush=True)


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except OperatorError as error:
        sys.exit(f"oa: {error}")
