"""One Codex after another: what it says is mirrored, what it asks is decided, and after a crash the next is started."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import NoReturn, Protocol

from oa_client.backoff import delays_s
from oa_client.errors import CodexExited
from oa_client.worker.codex import Codex
from oa_client.worker.mirror import mirrored
from oa_client.worker.outbox import Outbox
from oa_client.worker.turns import Turns
from oa_client.workers import Payload

_LOG = logging.getLogger(__name__)

_QUICK_S = 60.0
_MAX_QUICK_CRASHES = 5
_INTERRUPTED_WITHIN_S = 1.5
_VERSION = re.compile(r"/(\d\S*)")


class Approvals(Protocol):
    async def decide(self, message: Payload) -> Payload | None:
        """The result for a request of Codex, which waits for it; None when we do not know such requests."""


Listener = Callable[[Payload], None]
"""Is shown every notification and request of Codex, in order."""


class Supervision:
    """`start` starts a Codex, `turns` makes what uses it."""

    def __init__(
        self,
        start: Callable[[], Awaitable[Codex]],
        turns: Callable[[Codex], Turns],
        *,
        outbox: Outbox,
        approvals: Approvals,
        listeners: Sequence[Listener],
        report: Callable[[str, str, Payload], None],
        timestamp: Callable[[], str],
        version: str,
    ) -> None:
        self._start = start
        self._make_turns = turns
        self._outbox = outbox
        self._approvals = approvals
        self._listeners = listeners
        self._report = report
        self._timestamp = timestamp
        self._version = version
        self.codex: Codex | None = None
        self.turns: Turns | None = None
        self.codex_version: str | None = None
        self._is_ready = asyncio.Event()

    async def ready(self) -> tuple[Codex, Turns]:
        """The Codex that runs, or the next one."""
        while self.codex is None or self.turns is None:
            await self._is_ready.wait()
        return self.codex, self.turns

    def taken(self) -> None:
        """There is a new message to run."""
        if self.turns is not None:
            self.turns.taken()

    async def run(self) -> NoReturn:
        """Raises CodexExited when it crashed too often, one time soon after the other."""
        now = asyncio.get_running_loop().time
        quick_crashes, pauses = 0, delays_s()
        while True:
            started = now()
            try:
                await self._run_one()
            except CodexExited as error:
                lived_s = now() - started
                quick_crashes, pauses = (quick_crashes + 1, pauses) if lived_s < _QUICK_S else (1, delays_s())
                params = {"error": {"message": str(error)}, "status": error.status, "crashes": quick_crashes}
                self._report("worker.error", "codex/exited", params)
                if quick_crashes == _MAX_QUICK_CRASHES:
                    raise CodexExited(f"{error}, {quick_crashes} times in a row; it is not started again") from error
                _LOG.warning("%s; it is started again", error)
                await asyncio.sleep(next(pauses))

    async def _run_one(self) -> None:
        codex = await self._start()
        turns = self._make_turns(codex)
        mirror = asyncio.create_task(self._mirror(codex, turns))
        turning = asyncio.create_task(self._turn(codex, turns))
        try:
            await asyncio.wait([mirror, turning], return_when=asyncio.FIRST_COMPLETED)
            if turning.done():
                turning.result()
            await mirror
        finally:
            self.codex = self.turns = None
            self._is_ready.clear()
            await self._wind_down(codex, turns, mirror)
            turning.cancel()
            await asyncio.gather(turning, return_exceptions=True)

    async def _turn(self, codex: Codex, turns: Turns) -> None:
        with suppress(CodexExited):
            initialized = await codex.initialize(version=self._version)
            named = _VERSION.search(str(initialized.get("userAgent")))
            self.codex_version = named and named[1]
            self.codex, self.turns = codex, turns
            self._is_ready.set()
            await turns.run()

    async def _mirror(self, codex: Codex, turns: Turns) -> NoReturn:
        """Raises CodexExited at the end, when nobody needs to decide any more."""
        deciding: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as tasks:
            try:
                async with aclosing(codex.messages()) as messages:
                    async for message in messages:
                        await self._take(message, turns)
                        if "id" in message:
                            task = tasks.create_task(self._decide(codex, message))
                            deciding.add(task)
                            task.add_done_callback(deciding.discard)
            except CodexExited as error:
                exited = error
            for task in deciding:
                task.cancel()
        raise exited

    async def _take(self, message: Payload, turns: Turns) -> None:
        turns.notice(message)
        for listener in self._listeners:
            listener(message)
        if event := mirrored(message, self._timestamp()):
            await self._outbox.put(*event)

    async def _decide(self, codex: Codex, message: Payload) -> None:
        with suppress(CodexExited):
            await codex.answer(message, await self._approvals.decide(message))

    async def _wind_down(self, codex: Codex, turns: Turns, mirror: asyncio.Task[NoReturn]) -> None:
        """Ends what runs, and keeps what Codex says until it has ended, unless there is no room for it."""
        if not mirror.done():
            with suppress(TimeoutError, CodexExited):
                async with asyncio.timeout(_INTERRUPTED_WITHIN_S):
                    await turns.interrupt()
        await codex.close()
        await asyncio.wait([mirror], timeout=_INTERRUPTED_WITHIN_S)
        mirror.cancel()
        await asyncio.gather(mirror, return_exceptions=True)
