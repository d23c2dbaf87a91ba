"""Runs one part of the pipeline again and again, each time to its next commit point, where the process ends.

`python -m tests.faults.dying PART JSON` forks a process a run: first each ends just before its n-th point, n = 1, 2 …,
until one run is over before that; then just after it. Prints how many points there were.
"""

import asyncio
import itertools
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec

from ops.database import open_pool
from processors.log_source import LogSource
from processors.projector import Projector
from producers.eventlog.commands import Identity, IdentityKey, Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.presence import Process
from producers.relay.health import Health
from producers.relay.service import serve
from producers.relay.settings import RelaySettings
from producers.workers import DECIDER, AppendEvent, Command, CreateWorker
from readmodels import engine
from readmodels.workers import SUMMARIES
from schemas import hashing
from schemas.names import worker_stream
from tests.faults.wire import DIED, Death, KafkaWire, PostgresWire, listening
from tests.worker_events import delivered

OWNER = "user:41"
WORKERS = ["w:1", "w:2"]
_NEW = 3
_RUN_WITHIN_S = 30.0
_RELAYED = "select coalesce(min(position), 0) >= (select position from log_head) from relay_progress where topic = $1"


class Where(msgspec.Struct, frozen=True):
    """The services behind the proxies; `ledger` outlives every run. Every `share`-th point, from `first` on."""

    database: str
    socket: str
    ledger: str
    kafka_port: int = 0
    topic_prefix: str = ""
    first: int = 1
    share: int = 1

    @asynccontextmanager
    async def postgres(self, death: Death) -> AsyncIterator[str]:
        """A DSN that leads through the proxy."""
        async with listening(
            lambda: asyncio.open_unix_connection(self.socket), lambda _port: PostgresWire(death)
        ) as port:
            yield f"postgresql://oa@127.0.0.1:{port}{urlsplit(self.database).path}?sslmode=disable"

    @asynccontextmanager
    async def kafka(self, death: Death) -> AsyncIterator[str]:
        async with listening(
            lambda: asyncio.open_connection("127.0.0.1", self.kafka_port),
            lambda port: KafkaWire(death, self.kafka_port, port),
        ) as port:
            yield f"127.0.0.1:{port}"


class Entry(msgspec.Struct, frozen=True):
    """A command was sent (no seq) or acknowledged."""

    worker: str
    number: int
    seq: int | None = None


class Ledger:
    """What one after another sent and was told; every line is written before anything else happens."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def note(self, entry: Entry) -> None:
        with self._path.open("ab", buffering=0) as file:
            file.write(msgspec.json.encode(entry) + b"\n")

    def entries(self) -> list[Entry]:
        if not self._path.exists():
            return []
        return [msgspec.json.decode(line, type=Entry) for line in self._path.read_bytes().splitlines()]

    def unanswered(self) -> list[Entry]:
        answered = {entry.number for entry in self.entries() if entry.seq is not None}
        return [entry for entry in self.entries() if entry.seq is None and entry.number not in answered]

    def next_number(self) -> int:
        return max((entry.number for entry in self.entries()), default=0) + 1


async def commit(where: Where, death: Death) -> None:
    """Two logs of one process, which decide on the same streams and so get in each other's way."""
    ledger = Ledger(where.ledger)
    first = ledger.next_number()
    fresh = [Entry(WORKERS[number % 2], number) for number in range(first, first + 2 * _NEW)]
    for entry in fresh:
        ledger.note(entry)
    async with where.postgres(death) as dsn, open_pool(dsn) as pool:
        logs = [EventLog(pool), EventLog(pool)]
        for worker in WORKERS:
            await logs[0].execute(DECIDER, worker_stream(OWNER, worker), OWNER, [Item(CreateWorker(worker))])
        await asyncio.gather(*(_append(logs[at % 2], entry, ledger) for at, entry in enumerate(ledger.unanswered())))
        for log in logs:
            await log.close()


async def _append(log: EventLog, entry: Entry, ledger: Ledger) -> None:
    payload = {"number": entry.number}
    identity = Identity(IdentityKey("event:dying", str(entry.number)), hashing.digest(payload))
    item = Item(AppendEvent("worker.event", payload), identity)
    [outcome] = await log.execute(DECIDER, worker_stream(OWNER, entry.worker), OWNER, [item])
    ledger.note(Entry(entry.worker, entry.number, outcome.seq))


async def relay(where: Where, death: Death) -> None:
    """Until what was committed before this run is on Kafka and that is written down."""
    async with (
        asyncpg.create_pool(where.database, min_size=1, max_size=1) as direct,
        where.postgres(death) as dsn,
        where.kafka(death) as bootstrap,
    ):
        await _commit_some(direct)
        settings = RelaySettings(dsn, bootstrap, topic_prefix=where.topic_prefix, heartbeat_s=0.05)

        async def over(_health: Callable[[], Health]) -> None:
            while not await direct.fetchval(_RELAYED, f"{where.topic_prefix}{SUMMARIES.topic}"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

        await serve(settings, over, Process("dying", "relay", "here", os.getpid()))


async def project(where: Where, death: Death) -> None:
    """Everything again and something new, of which one event was not delivered."""
    async with (
        asyncpg.create_pool(where.database, min_size=1, max_size=1) as direct,
        where.postgres(death) as dsn,
        open_pool(dsn) as pool,
    ):
        events = [*await LogReader(direct).read_all(0, 1_000_000), *await _commit_some(direct)]
        batch = delivered(events)
        holed = {partition: [*some[:-2], some[-1]] for partition, some in batch.items()}
        await engine.prepare(pool, SUMMARIES)
        projector = Projector(pool, SUMMARIES, 1, LogSource(LogReader(pool), SUMMARIES.topic, 6))
        await projector.apply({partition: some[:-_NEW] for partition, some in batch.items()})
        await projector.apply(holed)


async def _commit_some(direct: "asyncpg.Pool[Any]") -> list[Any]:
    reader, log = LogReader(direct), EventLog(direct)
    head = await reader.head()
    for worker in WORKERS:
        commands: list[Command] = [CreateWorker(worker), *(AppendEvent("worker.event", {}) for _ in range(_NEW))]
        await log.execute(DECIDER, worker_stream(OWNER, worker), OWNER, [Item(command) for command in commands])
    await log.close()
    return await reader.read_all(head.position, 1000)


Part = Callable[[Where, Death], Coroutine[Any, Any, None]]
PARTS: dict[str, Part] = {"commit": commit, "relay": relay, "project": project}


def _run(part: Part, where: Where, death: Death) -> int:
    """The exit code of a process of its own."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        asyncio.run(_in_time(part(where, death)))
    except BaseException:  # noqa: BLE001  # a fork must not become a second parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


async def _in_time(running: Coroutine[Any, Any, None]) -> None:
    async with asyncio.timeout(_RUN_WITHIN_S):
        await running


def main() -> None:
    part, where = PARTS[sys.argv[1]], msgspec.json.decode(sys.argv[2], type=Where)
    for after in (False, True):
        for at in itertools.count(where.first, where.share):
            code = _run(part, where, Death(at, after=after))
            if code != DIED:
                break
        print(f"{(at - 1) // where.share} points, {'after' if after else 'before'}", flush=True)
        if code:
            sys.exit(f"the run that was to end at point {at} ended with {code}")


if __name__ == "__main__":
    main()
