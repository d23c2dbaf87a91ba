"""The edge is away for an hour, which a stepped clock makes short: Codex goes on, and nothing is lost or repeated."""

import asyncio
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from oa_client.client import Client
from oa_client.worker.approvals import Approve
from oa_client.worker.codex import Codex
from oa_client.worker.daemon import Daemon, DaemonSettings
from oa_client.worker.installation import environment, native, write_stub_profile
from oa_client.worker.store import Store
from oa_client.worker.turns import TurnSettings
from oa_client.workers import Limits

from tests.codex_scenes import PINNED
from tests.e2e.device import SignedIn
from tests.e2e.worker_desk import Desk, at_a_desk, until
from tests.local_stack import Operator

pytestmark = pytest.mark.skipif(not PINNED.launcher.exists(), reason=f"no Codex: run `make {PINNED.target}`")

HOUR_S = 3600.0
STEP_S = 60.0
SETTLE_S = 0.05
"""Of true time, in which what became due is tried."""
ATTEMPTS = 20
"""At least, of whatever speaks to the edge."""


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop in which time passes as outside, and at once when it is told to."""

    passed_s = 0.0

    def time(self) -> float:
        return super().time() + self.passed_s

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.passed_s)


def test_an_edge_that_is_away_for_an_hour(stack: Operator, owner: SignedIn, tmp_path: Path) -> None:
    loop = SteppedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(an_hour_away(loop, stack, owner, tmp_path))


async def an_hour_away(loop: SteppedLoop, stack: Operator, owner: SignedIn, folder: Path) -> None:
    async with at_a_desk(stack, owner.token, folder) as desk, Client(desk.url, desk.token) as client:
        await desk.client.create_worker(desk.worker_id, adapter="desktop_bridge")
        with closing(Store.open(desk.store())) as store:
            running = asyncio.create_task(daemon(loop, desk, client, store).run())
            async with desk.followed():
                await away(loop, desk)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    beats = [datetime.fromisoformat(beat.payload["occurred_at"]) for beat in desk.of("worker.heartbeat")]
    assert max(beats) - min(beats) >= timedelta(hours=1)
    assert desk.written() == ["meanwhile", "in_the_mailbox", "afterwards"]
    assert [event.seq for event in desk.events] == list(range(1, len(desk.events) + 1))


async def away(loop: SteppedLoop, desk: Desk) -> None:
    await desk.recorded("worker.heartbeat")
    await desk.say("run: sleep 2; echo meanwhile >> done.txt")
    await desk.recorded("turn/started")
    desk.gate.close()
    await until(lambda: desk.written() == ["meanwhile"])
    await desk.say("run: echo in_the_mailbox >> done.txt")
    while loop.passed_s < HOUR_S or desk.gate.turned_away < ATTEMPTS:
        loop.passed_s += STEP_S
        await asyncio.sleep(SETTLE_S)
    assert not desk.of("turn/completed")
    desk.gate.open()
    await desk.recorded("turn/completed", 2)
    await desk.say("run: echo afterwards >> done.txt")
    await desk.recorded("turn/completed", 3)


def daemon(loop: SteppedLoop, desk: Desk, client: Client, store: Store) -> Daemon:
    home = desk.folder / "codex"
    write_stub_profile(home, desk.stub_url)
    binary = native(PINNED.launcher)
    start = partial(Codex.start, binary, cwd=desk.folder, environment=environment({}, home, binary))
    turns = TurnSettings(desk.folder, "danger-full-access", Approve.NEVER)
    settings = DaemonSettings(desk.worker_id, turns, timedelta(minutes=10), False, Limits())
    return Daemon(client, store, start, settings, session_id=str(uuid.uuid4()), now=loop.now)
