"""A stream without an end: windows opened one after the other at the cursor, also after the server was away."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol, TypeVar

from oa_client.backoff import Pauses
from oa_client.errors import TRANSIENT

_LOG = logging.getLogger(__name__)


class Numbered(Protocol):
    @property
    def seq(self) -> int: ...


E = TypeVar("E", bound=Numbered)


async def endless(
    window: Callable[[int], AsyncGenerator[E]], position: int, tail_ms: int, pauses: Pauses
) -> AsyncGenerator[E]:
    """What comes after `position`, each once, in order; a refusal (401, 403, 404, 410) ends it.

    `window` opens the stream behind a seq for `tail_ms`.
    """
    now, delays = asyncio.get_running_loop().time, pauses()
    while True:
        opened, before = now(), position
        try:
            async with aclosing(window(position)) as events:
                async for event in events:
                    if event.seq > position:
                        position, delays = event.seq, pauses()
                        yield event
            if position > before or now() - opened >= tail_ms / 2000:
                delays = pauses()
                continue
            reason = "the stream ended early and empty"
        except TRANSIENT as error:
            reason = str(error)
        delay_s = next(delays)
        _LOG.warning("%s; next attempt in %.1f s", reason, delay_s)
        await asyncio.sleep(delay_s)
