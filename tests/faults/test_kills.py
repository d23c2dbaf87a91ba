"""Each component killed again and again under load: what was acknowledged is everywhere (I1–I5, I8)."""

import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from oa_client.client import Client

from ops.stack import secrets, state
from ops.stack.pids import Pid
from producers.eventlog.reader import LogReader
from tests import local_stack
from tests.faults import kills, stack, steering
from tests.faults.lane import lane
from tests.faults.steering import Phone
from tests.local_stack import OURS, Operator

EVENTS_PER_S = 200
LASTS_S = 60
TOGETHER_KILLS = 5
"""Of each process."""

KILLS = 20


@pytest.fixture
def operator() -> Iterator[Operator]:
    with local_stack.operator(first_port=22_000) as somebody:
        up = somebody.up()
        assert up.returncode == 0, up.stdout + up.stderr
        yield somebody


def processes(operator: Operator, name: str) -> kills.Alive:
    def alive() -> list[Pid]:
        found = state.read(operator.data)
        return [process.pid for process in found.processes if process.name == name and process.pid] if found else []

    return alive


@pytest.mark.invariant("I1")
@pytest.mark.timeout(300)
async def test_what_was_acknowledged_is_everywhere(operator: Operator, seed: int, say: Callable[[str], None]) -> None:
    """Edge, relay and processors at the same time, brought back by `oa up` itself."""
    seeded = random.Random(seed)
    async with lane(operator.state().address, secrets.read(operator.data), seeded) as loaded:
        faults = [
            kills.kill(processes(operator, name), kills.moments_s(seeded, TOGETHER_KILLS, LASTS_S))
            for name in sorted(OURS)
        ]
        await loaded.write_during(faults, EVENTS_PER_S, LASTS_S)
        differences = await loaded.differences(say)
    assert not differences, "\n".join(differences[:20])


@dataclass(frozen=True)
class Killed:
    """What is killed, how, and over how long: longer for what takes longer to work again."""

    component: str
    number: signal.Signals = signal.SIGKILL
    over_s: float = LASTS_S


COMPONENTS = {
    "edge": Killed("edge", over_s=80),
    "relay": Killed("relay"),
    "processors": Killed("processors", over_s=150),
    "kafka": Killed("kafka", over_s=120),
    "postgres-immediate": Killed("postgres", signal.SIGQUIT, over_s=80),
    "postgres-kill": Killed("postgres", over_s=80),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", COMPONENTS)
async def test_a_component_is_killed_twenty_times_and_what_was_acknowledged_is_everywhere(
    name: str, seed: int, say: Callable[[str], None], tmp_path: Path
) -> None:
    seeded, killed = random.Random(seed), COMPONENTS[name]
    async with stack.running(tmp_path) as started, lane(started.url, started.addresses, seeded) as loaded:
        moments = kills.moments_s(seeded, KILLS, killed.over_s)
        fault = kills.kill(lambda: started.pids(killed.component), moments, killed.number)
        await loaded.write_during([fault], EVENTS_PER_S, LASTS_S)
        differences = await loaded.differences(say)
        say(f"ended: {dict(started.ends)}")
    assert not differences, "\n".join(differences[:20])
    assert started.ends[killed.component] >= KILLS


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not steering.has_codex(), reason="no Codex: run `make codex`")
async def test_a_worker_is_killed_twenty_times_and_answers_and_acts_once(
    seed: int, say: Callable[[str], None], tmp_path: Path
) -> None:
    seeded = random.Random(seed)
    async with (
        stack.running(tmp_path, worker=True) as started,
        lane(started.url, started.addresses, seeded) as loaded,
        Client(started.url, started.addresses["OA_LOCAL_TOKEN"]) as client,
    ):
        phone = Phone(client)
        killing = kills.kill(lambda: started.pids("worker"), kills.moments_s(seeded, KILLS, 120))
        await loaded.write_during([phone.steer_until(killing)], EVENTS_PER_S, LASTS_S)
        await started.stop("worker")
        events = await LogReader(loaded.pool).read_all(0, 1_000_000)
        differences = [*phone.differences(events), *await loaded.differences(say)]
    say(f"{len(phone.handshakes)} handshakes, {len(phone.messages)} messages, ended: {dict(started.ends)}")
    assert not differences, "\n".join(differences[:20])
    assert started.ends["worker"] >= KILLS
