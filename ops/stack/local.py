"""What the local stack is made of: every program, its ports, and the environment ours run in."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ops.settings import StackSettings
from ops.stack import health, postgres, redis
from ops.stack.kafka.broker import Broker
from ops.stack.kafka.jre import java
from ops.stack.postgres import Postgres
from ops.stack.processes import Program, leashed
from ops.stack.redis import Redis

CODEX_PACKAGE = Path(__file__).parents[1] / "codex"
NOT_HANDED_ON = ("OA_DATABASE_URL", "OA_KAFKA_BOOTSTRAP", "OA_REDIS_URL", "OA_URL", "OA_TOKEN", "OA_STUB_URL")
"""A user's own services and accounts are not the local stack's."""


@dataclass(frozen=True)
class Ports:
    """Counted from the edge's port (issue 3 point 8)."""

    edge: int

    @property
    def kafka(self) -> int:
        return self.edge + 1

    @property
    def kafka_controller(self) -> int:
        return self.edge + 2

    @property
    def redis(self) -> int:
        return self.edge + 3

    @property
    def postgres(self) -> int:
        """Names the socket; nothing listens on TCP."""
        return self.edge + 4

    @property
    def relay_health(self) -> int:
        return self.edge + 5

    @property
    def processors_health(self) -> int:
        return self.edge + 6

    @property
    def stub_model(self) -> int:
        return self.edge + 7

    def listening(self) -> dict[str, int]:
        """Every TCP port and whose it is."""
        return {
            "the edge": self.edge,
            "Kafka": self.kafka,
            "Kafka's controller": self.kafka_controller,
            "Redis": self.redis,
            "the relay's health": self.relay_health,
            "the processors' health": self.processors_health,
            "the stub model": self.stub_model,
        }


@dataclass(frozen=True)
class Services:
    """What others made; Redis may be missing."""

    postgres: Postgres
    kafka: Broker
    redis: Redis | None


def services(settings: StackSettings) -> Services:
    ports = Ports(settings.port)
    redis_binary = redis.binary()
    return Services(
        Postgres(postgres.plan_here(settings.data), postgres.binaries(), ports.postgres),
        Broker(java(settings.java_home), settings.cache, settings.data / "kafka", ports.kafka, ports.kafka_controller),
        Redis(redis_binary, ports.redis) if redis_binary else None,
    )


def addresses(services: Services, ports: Ports) -> dict[str, str]:
    """Where the services are, as `secrets.env` keeps it for those who are not started by the stack."""
    return {
        "APP_URL": f"http://127.0.0.1:{ports.edge}",
        "OA_URL": f"http://127.0.0.1:{ports.edge}",
        "OA_DATABASE_URL": services.postgres.dsn(),
        "OA_KAFKA_BOOTSTRAP": services.kafka.bootstrap,
        "OA_REDIS_URL": services.redis.url if services.redis else "",
    }


def environment(inherited: Mapping[str, str], settings: StackSettings) -> dict[str, str]:
    """What our own processes see; secrets and addresses they read from `secrets.env`."""
    ports = Ports(settings.port)
    ours = {name: value for name, value in inherited.items() if name not in NOT_HANDED_ON}
    return {"OA_LOG_FORMAT": "console", **ours} | {
        "OA_PROFILE": "local",
        "OA_DATA_DIR": str(settings.data),
        "OA_PORT": str(settings.port),
        "OA_EDGE_PORT": str(ports.edge),
        "OA_RELAY_HEALTH_PORT": str(ports.relay_health),
        "OA_PROCESSORS_HEALTH_PORT": str(ports.processors_health),
        "PYTHONUNBUFFERED": "1",
    }


def our_programs(settings: StackSettings, environment: Mapping[str, str]) -> list[Program]:
    ports = Ports(settings.port)
    folder = settings.data
    return [
        _served("edge", ports.edge, environment, folder),
        _served("relay", ports.relay_health, environment, folder),
        _served("processors", ports.processors_health, environment, folder),
    ]


def _served(name: str, port: int, environment: Mapping[str, str], folder: Path) -> Program:
    return Program(
        name=name,
        command=leashed([sys.executable, "-m", "ops.commands", "serve", name]),
        ready=_makes_progress(port),
        environment=environment,
        folder=folder,
    )


def worker_programs(settings: StackSettings, environment: Mapping[str, str], folder: Path) -> list[Program]:
    """A local worker (Codex) in `folder`, and the stub model for when Codex has no account."""
    stub_port = Ports(settings.port).stub_model
    stub = Program(
        name="stub-model",
        command=leashed([sys.executable, "-m", "ops.stub_model", "--port", str(stub_port)]),
        ready=_makes_progress(stub_port),
        environment=environment,
    )
    stub_url = f"http://127.0.0.1:{stub_port}/v1"
    worker = Program(
        name="worker",
        command=leashed([str(Path(sys.executable).with_name("oa")), "worker", "--stub-url", stub_url]),
        ready=_at_once,
        says=" is running at event ",
        may_end=True,
        environment={"OA_CODEX_PACKAGE": str(CODEX_PACKAGE), **environment},
        folder=folder,
    )
    return [stub, worker]


async def _at_once() -> bool:
    return True


def _makes_progress(port: int) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        return (await health.ask(port)).ready

    return ready


def answering(program: Program, ports: Ports) -> Program:
    """One of ours that is only waited for until it tells its health, whatever that is."""
    port = health_port(program.name, ports)
    assert port is not None

    async def answers() -> bool:
        return await health.ask(port) is not health.UNREACHABLE

    return replace(program, ready=answers)


def health_port(name: str, ports: Ports) -> int | None:
    """Where one of our processes tells its lag."""
    return {"edge": ports.edge, "relay": ports.relay_health, "processors": ports.processors_health}.get(name)
