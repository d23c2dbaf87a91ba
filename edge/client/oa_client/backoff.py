"""How long to wait between attempts."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from oa_client.errors import TRANSIENT

T = TypeVar("T")
Pauses = Callable[[], Iterator[float]]

_LOG = logging.getLogger(__name__)


def delays_s(first_s: float = 0.2, ceiling_s: float = 5.0) -> Iterator[float]:
    """Endless: doubles from `first_s` up to `ceiling_s`."""
    delay_s = first_s
    while True:
        yield delay_s
        delay_s = min(delay_s * 2, ceiling_s)


async def repeated(call: Callable[[], Awaitable[T]], delays: Iterator[float]) -> T:
    """The call's result; failures that another attempt may mend are raised only when there are no more delays."""
    while True:
        try:
            return await call()
        except TRANSIENT as error:
            delay_s = next(delays, None)
            if delay_s is None:
                raise
            _LOG.warning("%s; next attempt in %.1f s", error, delay_s)
            await asyncio.sleep(delay_s)
