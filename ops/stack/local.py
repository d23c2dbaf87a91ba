"""What the local stack is made of: every program, its ports, and the environment ours run in."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ops.settings import StackSettings
from ops.stack import health, ports, postgres, redis
from ops.stack.kafka.broker import Broker
from ops.stack.kafka.jre import java
from ops.stack.postgres import Postgres
from ops.stack.processes import Program, leashed
from ops.stack.redis import Redis

CODEX_PACKAGE = Path(__file__).parents[1] / "codex"
OURS = {"edge": "OA_EDGE_PORT", "relay": "OA_RELAY_HEALTH_PORT", "processors": "OA_PROCESSORS_HEALTH_PORT"}
"""Our own processes, and the setting that tells each where to answer."""

NOT_HANDED_ON = ("OA_DATABASE_URL", "OA_KAFKA_BOOTSTRAP", "OA_REDIS_URL", "OA_URL", "OA_TOKEN", "OA_STUB_URL")
"""A user's own services and accounts are not the local stack's."""


BLOCK = 20
"""Ports a stack may take: the first eight, and three for each further edge, relay and processors."""
BLOCKS = 50


@dataclass(frozen=True)
class Ports:
    """Counted from the edge's port (issue 3 point 8); `each` is how many edges, relays and processors there are."""

    edge: int
    each: int = 1

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
    def stub_model(self) -> int:
        return self.edge + 7

    def ours(self) -> dict[str, int]:
        """Our processes by name: `edge`, `relay`, `processors`, then `edge-2` and so on."""
        first = {"edge": self.edge, "relay": self.edge + 5, "processors": self.edge + 6}
        names = [f"{kind}-{number}" for number in range(2, self.each + 1) for kind in OURS]
        return first | {name: self.edge + 8 + place for place, name in enumerate(names)}

    def listening(self) -> dict[str, int]:
        """Every TCP port and whose it is."""
        return {
            "Kafka": self.kafka,
            "Kafka's controller": self.kafka_controller,
            "Redis": self.redis,
            "the stub model": self.stub_model,
            **self.ours(),
        }


def with_free_ports(settings: StackSettings) -> StackSettings:
    """On its own ports, else on the next block that nobody listens on, if there is one."""
    blocks = (replace(settings, port=settings.port + number * BLOCK) for number in range(BLOCKS))
    return next((one for one in blocks if not taken(ports_of(one))), settings)


def taken(wanted: Ports) -> dict[str, int]:
    """The ports that somebody listens on, and what they are wanted for."""
    return {whose: port for whose, port in wanted.listening().items() if not ports.is_free(port)}


def ports_of(settings: StackSettings) -> Ports:
    return Ports(settings.port, settings.each)


@dataclass(frozen=True)
class Services:
    """What others made; Redis may be missing."""

    postgres: Postgres
    kafka: Broker
    redis: Redis | None


def services(settings: StackSettings) -> Services:
    at = ports_of(settings)
    redis_binary = redis.binary()
    return Services(
        Postgres(postgres.plan_here(settings.data), postgres.binaries(), at.postgres),
        Broker(java(settings.java_home), settings.cache, settings.data / "kafka", at.kafka, at.kafka_controller),
        Redis(redis_binary, at.redis) if redis_binary else None,
    )


def addresses(services: Services, ports: Ports) -> dict[str, str]:
    """Where the services are, as `secrets.env` keeps it for those who are not started by the stack."""
    return {
        "APP_URL": f"http://127.0.0.1:{ports.edge}",
        "OA_URL": f"http://127.0.0.1:{ports.edge}",
        "OA_DATABASE_URL": services.postgres.dsn(),
        "OA_KAFKA_BOOTSTRAP": services.kafka.bootstrap,
        "OA_REDIS_URL": services.redis.url if services.redis else "",
        "OA_STUB_URL": _stub_url(ports),
    }


def environment(inherited: Mapping[str, str], settings: StackSettings) -> dict[str, str]:
    """What our own processes see; secrets and addresses they read from `secrets.env`."""
    ours = {name: value for name, value in inherited.items() if name not in NOT_HANDED_ON}
    return {"OA_LOG_FORMAT": "console", **ours} | {
        "OA_PROFILE": "local",
        "OA_DATA_DIR": str(settings.data),
        "OA_PORT": str(settings.port),
        "PYTHONUNBUFFERED": "1",
    }


def our_programs(settings: StackSettings, environment: Mapping[str, str]) -> list[Program]:
    named = ports_of(settings).ours().items()
    return [_served(name, port, environment, settings.data) for name, port in named]


def _served(name: str, port: int, environment: Mapping[str, str], folder: Path) -> Program:
    kind = name.partition("-")[0]
    return Program(
        name=name,
        command=leashed([sys.executable, "-m", "ops.serving", kind]),
        ready=_makes_progress(port),
        environment={**environment, OURS[kind]: str(port)},
        folder=folder,
    )


def worker_programs(settings: StackSettings, environment: Mapping[str, str], folder: Path) -> list[Program]:
    """A local worker (Codex) in `folder`, and the stub model for when Codex has no account."""
    stub_port = ports_of(settings).stub_model
    stub = Program(
        name="stub-model",
        command=leashed([sys.executable, "-m", "ops.stub_model", "--port", str(stub_port)]),
        ready=_makes_progress(stub_port),
        environment=environment,
    )
    options = ["--stub-url", _stub_url(ports_of(settings)), "--state", str(settings.data.resolve() / "worker")]
    options += ["--approve", "never"]  # a demonstration has nobody who answers, so it stays in its sandbox
    worker = Program(
        name="worker",
        command=leashed([str(Path(sys.executable).with_name("oa")), "worker", *options]),
        ready=_at_once,
        says=" is running at event ",
        may_end=True,
        environment={"OA_CODEX_PACKAGE": str(CODEX_PACKAGE), **environment},
        folder=folder,
    )
    return [stub, worker]


def _stub_url(ports: Ports) -> str:
    return f"http://127.0.0.1:{ports.stub_model}/v1"


async def _at_once() -> bool:
    return True


def _makes_progress(port: int) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        return (await health.ask(port)).ready

    return ready


def answering(program: Program, port: int) -> Program:
    """One of ours that is only waited for until it tells its health, whatever that is."""

    async def answers() -> bool:
        return await health.ask(port) is not health.UNREACHABLE

    return replace(program, ready=answers)
