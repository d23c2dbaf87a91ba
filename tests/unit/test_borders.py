"""What may be done in one place only: reading a clock, drawing chance, writing the log, feeding Kafka (I4, I10)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "producers", "readmodels", "processors", "edge")
CLIENT = ROOT / "edge" / "client"
AMBIENT = re.compile(
    r"datetime\.(datetime|date)\.(now|utcnow|today)|uuid\.uuid\d|(random|secrets)\.\w+|os\.urandom"
    r"|time\.(time|monotonic|perf_counter)(_ns)?"
)
AMBIENT_SQL = re.compile(r"\b(now|(?:clock|statement|transaction)_timestamp|random|gen_random_uuid)\(\)")
BORDERS = {
    "edge/app.py": {"random.SystemRandom"},  # the entropy that everything of the edge is handed
    "edge/auth/clock.py": {"datetime.datetime.now"},  # the clock that everything of the edge is handed
    "edge/middleware.py": {"uuid.uuid4"},  # a request's id
    "edge/run_bodies.py": {"uuid.uuid4"},  # a run's id that a request leaves to us
    "edge/spend_bodies.py": {"uuid.uuid4"},  # an authorization's id that a request leaves to us
    "edge/worker_bodies.py": {"uuid.uuid4"},  # ids a request leaves to us, before it is a command
    "processors/app.py": {"random.SystemRandom"},  # the chance that pauses of outlets are drawn from
    "processors/executor.py": {"time.perf_counter"},  # how long a pass takes
    "processors/audit/last.sql": {"now"},  # whose turn it is to audit: one clock for all processors
    "processors/quarantine.sql": {"clock_timestamp"},  # when an operator asked for another attempt
    "processors/reactions.sql": {"now"},  # when an attempt began, by the same clock
    "producers/eventlog/log.py": {
        "datetime.datetime.now",
        "time.monotonic",
        "time.perf_counter",
    },  # its pace
    "producers/eventlog/tail.py": {"random.uniform"},  # when to poll
    "producers/presence.sql": {"now"},  # who runs: one clock for all processes
    "producers/relay/publisher.py": {"random.uniform"},  # when to poll
    "producers/relay/service.py": {"datetime.datetime.now", "time.monotonic"},  # the relay's clocks
    "readmodels/engine/apply.sql": {"now"},  # when a document was marked broken
    "readmodels/engine/skips.sql": {"now"},  # when an operator decided
    "readmodels/engine/versions.sql": {"now"},  # when a digest was verified
    "readmodels/journal.sql": {"clock_timestamp"},  # what the horizon is measured by: one clock for all processors
}
LOG_WRITE = re.compile(
    r"\b(?:insert\s+into|update|delete\s+from|truncate|merge\s+into)\s+(?:only\s+)?(events|streams|commands|log_head)\b",
    re.IGNORECASE,
)


def files(*suffixes: str, rooms: tuple[str, ...] = ROOMS) -> Iterator[tuple[str, str]]:
    """Name and text of every file of the rooms, without the client, which is a distribution of its own."""
    for path in sorted(path for room in rooms for path in (ROOT / room).rglob("*") if path.suffix in suffixes):
        if CLIENT not in path.parents:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def ambient_calls(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    modules = dict(pair for node in nodes for pair in imported(node))
    calls = [ast.unparse(node.func).split(".") for node in nodes if isinstance(node, ast.Call)]
    return {name for root, *rest in calls if AMBIENT.fullmatch(name := ".".join([modules.get(root, root), *rest]))}


def imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """What names in a module stand for."""
    match node:
        case ast.ImportFrom(module=str(module)):
            yield from ((alias.asname or alias.name, f"{module}.{alias.name}") for alias in node.names)
        case ast.Import():
            yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)


@pytest.mark.invariant("I10")
def test_nobody_reads_a_clock_or_draws_chance_but_at_the_named_borders() -> None:
    found = {name: ambient_calls(text) for name, text in files(".py")}
    found |= {name: set(AMBIENT_SQL.findall(text)) for name, text in files(".sql")}
    assert {name: calls for name, calls in found.items() if calls} == BORDERS


@pytest.mark.parametrize(
    "source",
    [
        "import datetime as dt\ndt.datetime.now()",
        "from datetime import datetime\ndatetime.now(UTC)",
        "from uuid import uuid4 as new_id\nnew_id().hex",
        "import random\nrandom.random()",
        "import time\nf(x=lambda: time.time())",
    ],
)
def test_a_read_clock_is_found_however_deep(source: str) -> None:
    assert ambient_calls(source)


@pytest.mark.invariant("I4")
def test_only_the_log_writes_its_tables() -> None:
    found = {name for name, text in files(".py", ".sql", rooms=(*ROOMS, "ops")) if LOG_WRITE.search(text)}
    assert {name for name in found if not name.startswith(("producers/eventlog/", "ops/migrations/"))} == set()
    assert "producers/eventlog/append.sql" in found


@pytest.mark.invariant("I4")
def test_only_the_relay_has_a_producer() -> None:
    found = {name for name, text in files(".py") if re.search(r"AIOKafkaProducer|aiokafka\.producer", text)}
    assert {name for name in found if not name.startswith("producers/relay/")} == set()
    assert "producers/relay/fencing.py" in found
