"""Following a stream ends at its deadline and not before, whatever the loop's timers do."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from edge.event_stream import committed
from producers.eventlog.reader import LogReader
from producers.eventlog.tail import LogTail


class EarlyLoop(asyncio.SelectorEventLoop):
    """Its timers fire up to a millisecond before their time, as uvloop's do, which count in milliseconds."""

    def call_at(self, when: float, callback: Any, *given: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        return super().call_at(when - 0.001, callback, *given, context=context)


class Silence:
    """A log in which nothing happens: its reader, its tail, and what the tail brings."""

    async def read_stream(self, stream: str, after: int, limit: int) -> list[Any]:
        return []

    @contextmanager
    def follow(self, stream: str) -> Iterator["Silence"]:
        yield self

    async def get(self) -> None:
        await asyncio.Event().wait()


async def ended_after_its_deadline_s() -> float:
    silence = Silence()
    deadline = asyncio.get_running_loop().time() + 0.05
    async for _ in committed(cast(LogReader, silence), cast(LogTail, silence), "s", 0, deadline):
        raise AssertionError("there was nothing")
    return asyncio.get_running_loop().time() - deadline


def test_a_timer_that_fires_early_does_not_end_a_stream_before_its_deadline() -> None:
    with asyncio.Runner(loop_factory=EarlyLoop) as runner:
        assert runner.run(ended_after_its_deadline_s()) >= 0
