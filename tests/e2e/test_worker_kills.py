"""Daemon, Codex and edge are killed at random while a phone sends: what was sent is what was done, each once."""

import asyncio
import random
import signal
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn

import pytest

from ops.stack import pids
from ops.stack.pids import Pid
from tests.codex_scenes import PINNED
from tests.conftest import Say
from tests.e2e.worker_desk import Desk, codex_of
from tests.local_stack import Operator
from tests.services import eventually

pytestmark = pytest.mark.skipif(not PINNED.launcher.exists(), reason=f"no Codex: run `make {PINNED.target}`")

_APART_S = 0.5
"""From one message to the next."""
_KILLS_APART_S = (1.0, 5.0)
_NEXT_DONE_WITHIN_S = 60.0


class Mayhem:
    """What is killed; `seeded` chooses what and when."""

    def __init__(self, desk: Desk, stack: Operator, seeded: random.Random) -> None:
        self._desk = desk
        self._stack = stack
        self._seeded = seeded
        self._daemon: Process | None = None
        self.killed: Counter[str] = Counter()

    async def keep_a_daemon(self) -> NoReturn:
        """As a service manager does: one that ends is followed by the next."""
        while True:
            async with self._desk.started() as self._daemon:
                await self._daemon.wait()

    async def rage(self, lasting_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(lasting_s):
                while True:
                    await asyncio.sleep(self._seeded.uniform(*_KILLS_APART_S))
                    self._kill(self._seeded.choice(["daemon", "daemon", "codex", "codex", "edge"]))

    def _kill(self, what: str) -> None:
        if victim := self._alive(what):
            victim.send(signal.SIGKILL)
            self.killed[what] += 1

    def _alive(self, what: str) -> Pid | None:
        """None: it is being started."""
        assert self._daemon is not None
        match what:
            case "edge":
                return next(process.pid for process in self._stack.state().processes if process.name == "edge")
            case "codex":
                return next(filter(None, map(pids.of, codex_of(self._daemon))), None)
        return pids.of(self._daemon.pid)


class Sender:
    """Sends what has to be done, each once; what Codex was at when it was killed is told, and so sent again."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.sent: list[str] = []
        self._waiting: dict[str, str] = {}
        self.broken_off = 0

    async def send_until(self, raging: "asyncio.Task[None]") -> None:
        while not raging.done():
            nonce = f"n{len(self.sent)}"
            self.sent.append(nonce)
            await self._send(nonce, nonce)
            await asyncio.sleep(_APART_S)

    async def _send(self, nonce: str, message_id: str) -> None:
        self._waiting[message_id] = nonce
        await self._desk.say(f"run: echo {nonce} >> done.txt", message_id)

    async def repeat_what_was_broken_off(self) -> NoReturn:
        seen = 0
        while True:
            lost = (await self._desk.recorded("worker/turn_lost", seen + 1, 3600))[seen:]
            seen += len(lost)
            for event in lost:
                message_id = event.payload["params"]["message_id"]
                self.broken_off += 1
                if self._waiting[message_id] not in self._desk.written():
                    await self._send(self._waiting[message_id], f"{message_id}-again")


async def everything_done(desk: Desk, sender: Sender) -> None:
    """More may wait than is done while things are killed; as long as it goes on it is waited for."""

    def missing() -> int:
        return len(set(sender.sent) - set(desk.written()))

    while left := missing():
        await eventually(partial(_fewer_than, left, missing), _NEXT_DONE_WITHIN_S)


def _fewer_than(left: int, missing: Callable[[], int]) -> bool:
    return missing() < left


@pytest.mark.parametrize(
    "lasting_s",
    [
        pytest.param(30, marks=pytest.mark.timeout(240)),
        pytest.param(600, marks=[pytest.mark.slow(600), pytest.mark.timeout(1800)]),
    ],
)
async def test_whatever_is_killed_each_message_is_done_once(
    desk: Desk, stack: Operator, seed: int, say: Say, lasting_s: float
) -> None:
    mayhem, sender = Mayhem(desk, stack, random.Random(seed)), Sender(desk)
    keeping = asyncio.create_task(mayhem.keep_a_daemon())
    repeating = asyncio.create_task(sender.repeat_what_was_broken_off())
    try:
        await desk.recorded("worker.heartbeat")
        raging = asyncio.create_task(mayhem.rage(lasting_s))
        await sender.send_until(raging)
        await raging
        await everything_done(desk, sender)
    finally:
        say(f"{dict(mayhem.killed)} killed, {len(sender.sent)} sent, {sender.broken_off} broken off")
        for task in (keeping, repeating):
            task.cancel()
        await asyncio.gather(keeping, repeating, return_exceptions=True)
    assert Counter(desk.written()) == Counter(sender.sent)
