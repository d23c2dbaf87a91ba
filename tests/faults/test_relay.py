"""Relays that are killed and stopped, brokers that are killed: nothing lost, nothing twice, order kept (DESIGN I4)."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import msgspec
import pytest

from ops.stack import ports
from ops.stack.kafka.broker import Broker
from ops.stack.kafka.jre import java
from ops.stack.processes import Supervised, leashed
from producers.relay.health import Health
from producers.relay.settings import RelaySettings
from tests.conftest import Kafka
from tests.relayed import commit, topic_contents, until, until_relayed

Pool = asyncpg.Pool
REPOSITORY = Path(__file__).parents[2]


class RelayProcess:
    """One relay; `health` is what it told last, also while it is stopped."""

    def __init__(self, settings: RelaySettings, folder: Path) -> None:
        self._told = folder / f"{uuid.uuid4().hex}.health"
        arguments = [msgspec.json.encode(settings).decode(), str(self._told)]
        self._process = subprocess.Popen(
            leashed([sys.executable, "-u", "-m", "tests.faults.relay_process", *arguments]), cwd=REPOSITORY
        )

    def health(self) -> Health:
        if not self._told.exists():
            return Health(False, 0, 0.0, "not started")
        return msgspec.json.decode(self._told.read_bytes(), type=Health)

    def is_stuck(self) -> bool:
        health = self.health()
        return not health.ready and health.lag_positions > 0

    def is_publishing(self) -> bool:
        return self.health().reason == "publishing"

    def is_standby(self) -> bool:
        return self.health().reason == "somebody else leads"

    def send(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def settings(database: str, kafka: Kafka) -> RelaySettings:
    return RelaySettings(
        database,
        kafka.bootstrap,
        topic_prefix=f"{kafka.prefix}{uuid.uuid4().hex[:6]}.",
        leader_lost_after_s=1.5,
        heartbeat_s=0.3,
    )


@contextmanager
def relay(settings: RelaySettings, folder: Path) -> Iterator[RelayProcess]:
    process = RelayProcess(settings, folder)
    try:
        yield process
    finally:
        process.kill()


@asynccontextmanager
async def committing(pool: Pool) -> AsyncIterator[None]:
    """Events all the time, a few at once."""

    async def commit_on() -> None:
        while True:
            await commit(pool, 5)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(commit_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def topic_of(settings: RelaySettings) -> str:
    return f"{settings.topic_prefix}oa.workers"


async def count_of(settings: RelaySettings) -> int:
    contents = await topic_contents(settings.kafka_bootstrap, topic_of(settings))
    return sum(map(len, contents.values()))


async def until_more(settings: RelaySettings, than: int) -> None:
    async with asyncio.timeout(30):
        while await count_of(settings) <= than:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_killed_relay_is_followed_by_another(settings: RelaySettings, pool: Pool, tmp_path: Path) -> None:
    moments = random.Random(3)
    async with committing(pool):
        for _ in range(5):
            with relay(settings, tmp_path) as process:
                await until(process.is_publishing)
                await until_more(settings, await count_of(settings))
                await asyncio.sleep(moments.uniform(0, 0.2))
                process.send(signal.SIGKILL)
    with relay(settings, tmp_path):
        await until_relayed(pool, settings.kafka_bootstrap, topic_of(settings))


async def test_a_standby_takes_over_from_a_killed_leader(settings: RelaySettings, pool: Pool, tmp_path: Path) -> None:
    with relay(settings, tmp_path) as leader:
        await until(leader.is_publishing)
        with relay(settings, tmp_path) as standby:
            await until(standby.is_standby)
            async with committing(pool):
                await until_more(settings, 0)
                leader.kill()
                await until(standby.is_publishing)
            await until_relayed(pool, settings.kafka_bootstrap, topic_of(settings))


@pytest.mark.invariant("I4")
async def test_a_leader_that_was_stopped_and_wakes_up_writes_nothing(
    settings: RelaySettings, pool: Pool, tmp_path: Path
) -> None:
    with relay(settings, tmp_path) as leader:
        await until(leader.is_publishing)
        with relay(settings, tmp_path) as standby:
            await until(standby.is_standby)
            async with committing(pool):
                for paused, other in ((leader, standby), (standby, leader), (leader, standby)):
                    await until_more(settings, await count_of(settings))
                    paused.send(signal.SIGSTOP)
                    await until(other.is_publishing)
                    await until_more(settings, await count_of(settings))
                    paused.send(signal.SIGCONT)
                    await until(paused.is_standby)
            await until_relayed(pool, settings.kafka_bootstrap, topic_of(settings))


@asynccontextmanager
async def own_broker(folder: Path) -> AsyncIterator[tuple[Broker, Supervised]]:
    port, controller_port = ports.free(2)
    broker = Broker(java(None), Path.home() / ".cache" / "oa", folder / "kafka", port, controller_port)
    await broker.prepare(lambda _line: None)
    service = Supervised(broker.program(), lambda _name, _line: None)
    await service.start(attempts=1)
    try:
        yield broker, service
    finally:
        await service.stop()


async def test_a_broker_that_is_killed_and_comes_back(database: str, pool: Pool, tmp_path: Path) -> None:
    async with own_broker(tmp_path) as (broker, service):
        settings = RelaySettings(database, broker.bootstrap, stuck_after_s=1.0, delivery_timeout_s=3.0)
        with relay(settings, tmp_path) as process:
            await until(process.is_publishing)
            async with committing(pool):
                await until_more(settings, 0)
                await _kill(service)
                await until(process.is_stuck)
                await service.start(attempts=1)
                await until(lambda: process.health().ready)
            await until_relayed(pool, settings.kafka_bootstrap, topic_of(settings))
            await until(lambda: process.health() == Health(True, 0, 0.0, "publishing"))


async def _kill(service: Supervised) -> None:
    assert service.child is not None
    assert service.child.pid is not None
    service.child.pid.send(signal.SIGKILL)
    await service.child.exited()
