"""Work that goes on together, and work that has to be done in time."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from producers.relay.errors import BrokerUnresponsive

_CANCEL_AGAIN_S: Final = 10.0


async def first_to_end(*works: Coroutine[Any, Any, None]) -> None:
    """The first part to end, or to fail, ends the others. Raises what it raised; the others are over by then."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await _cancel(tasks)


@asynccontextmanager
async def within(timeout_s: float, what: str) -> AsyncIterator[None]:
    """Raises BrokerUnresponsive."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError as error:
        raise BrokerUnresponsive(f"Kafka: {what} took more than {timeout_s:g} s") from error


async def _cancel(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Asks again after a while: `asyncio.wait_for`, which aiokafka uses, swallows a cancellation that comes together
    with the result it waits for (Python 3.11)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_S)
        for task in done:
            task.cancelled() or task.exception()
