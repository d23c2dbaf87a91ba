"""Faults as actions that say what they need, take away and give back; a seed makes a story of them."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas import names
from schemas.lost_connections import LOST_CONNECTION
from tests.faults.stack import Stack

Act = Callable[[Stack], Awaitable[None]]
Things = frozenset[str]
NOTHING: Things = frozenset()
_LONGEST_PAUSE_S = 4.0
_TOPIC = names.KAFKA_TOPICS[names.WORKER]
_END_CONNECTIONS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid()"
)


@dataclass(frozen=True)
class Action:
    """Can be taken while everything in `needs` is there; afterwards `takes` is gone and `gives` is there."""

    name: str
    act: Act
    needs: Things
    takes: Things = NOTHING
    gives: Things = NOTHING

    def after(self, there: Things) -> Things:
        return (there - self.takes) | self.gives


async def _send(number: signal.Signals, name: str, stack: Stack) -> None:
    stack.send(name, number)


async def _stop(name: str, stack: Stack) -> None:
    await stack.stop(name)


async def _end_connections(stack: Stack) -> None:
    try:
        connection = await asyncpg.connect(stack.addresses["OA_DATABASE_URL"])
        await connection.execute(_END_CONNECTIONS)
        await connection.close()
    except (*LOST_CONNECTION, asyncpg.PostgresError):
        return  # it was killed before; that ended them too


async def _delete_topic(stack: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.addresses["OA_KAFKA_BOOTSTRAP"])
    try:
        await admin.start()
        await admin.delete_topics([_TOPIC])
    except KafkaError:
        return  # the broker is away, or the topic not made again yet
    finally:
        await admin.close()


def _killed(name: str, number: signal.Signals = signal.SIGKILL) -> Action:
    return Action(f"{number.name} {name}", partial(_send, number, name), frozenset({name}))


def _paused(name: str) -> tuple[Action, Action]:
    running, paused = frozenset({name}), frozenset({f"paused {name}"})
    return (
        Action(f"pause {name}", partial(_send, signal.SIGSTOP, name), running, running, paused),
        Action(f"resume {name}", partial(_send, signal.SIGCONT, name), paused, paused, running),
    )


THERE: Things = frozenset({"edge", "relay", "processors", "postgres", "kafka", "redis"})
ACTIONS = (
    *(_killed(name) for name in ("edge", "relay", "processors", "postgres", "kafka")),
    _killed("postgres", signal.SIGQUIT),
    *_paused("relay"),
    *_paused("processors"),
    Action("stop redis", partial(_stop, "redis"), frozenset({"redis"}), takes=frozenset({"redis"})),
    Action("delete the topic", _delete_topic, frozenset({"kafka", "relay"})),
    Action("end all connections", _end_connections, frozenset({"postgres"})),
)


def story(seeded: random.Random, length: int) -> Iterator[Action]:
    """Actions that are possible one after the other; what was paused is resumed at the end."""
    there = THERE
    for _ in range(length):
        action = seeded.choice([action for action in ACTIONS if action.needs <= there])
        there = action.after(there)
        yield action
    yield from (action for action in ACTIONS if action.takes & there and action.name.startswith("resume"))


async def play(stack: Stack, actions: list[Action], seeded: random.Random) -> None:
    for action in actions:
        await action.act(stack)
        await asyncio.sleep(seeded.uniform(0, _LONGEST_PAUSE_S))
