"""One of our processes, until it is told to end."""

import asyncio
import gc
import importlib
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

import uvloop

from ops import logs
from ops.settings import Settings
from schemas.tracing import Spans

_ALLOCATIONS_A_COLLECTION: Final = 10_000
"""Hundreds of requests are under way at once; after Python's 700 allocations most of their objects still live."""


class Process(StrEnum):
    EDGE = "edge"
    RELAY = "relay"
    PROCESSORS = "processors"


def run(process: Process, settings: Settings) -> None:
    """Returns after SIGTERM."""
    logs.configure(settings.log)
    served = importlib.import_module(f"ops.serving.{process}")
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_A_COLLECTION)
    with spans_of(settings, process) as spans:
        uvloop.run(_until_told(served.serve(settings, spans)))


@contextmanager
def spans_of(settings: Settings, process: Process) -> Iterator[Spans | None]:
    """What the process tells its spans to: nobody, and nothing is loaded for it, unless an operator named a place."""
    if endpoint := settings.traces_endpoint:
        from ops import traces

        with traces.exported(f"oa-{process}", traces.otlp(endpoint)) as spans:
            yield spans
    else:
        yield None


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Ends the work, in order, at SIGTERM or SIGINT."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return
