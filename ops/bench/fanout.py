"""`oa bench fanout`: deliveries to 1 000 sockets a CPU-second of the server, beside a naive loop and socket.io."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import uvloop

from edge.sync.framing import Address, Framing
from edge.sync.updates import live_batches, worker_event_update
from ops.bench import live
from ops.bench.crowd import Crowd, Visitor, gathered
from ops.bench.figures import Figure, Run, beside, cpu_s, show
from ops.bench.processes import Served, fresh_postgres, listening
from ops.bench.sockets import masked, path_of, subscribing
from ops.bench.writing import PAYLOAD, Writer
from ops.database import open_pool
from ops.stack import ports
from ops.stack.processes import StackError
from producers.eventlog.log import EventLog
from schemas.events import Recorded
from schemas.names import WORKER, WORKER_EVENTS, user_owner, worker_stream

SOCKETS = 1_000
CASES = ((100, 500), (10, 100))
"""Messages a second, and how many."""
WORKERS = 10
ROUNDS = 3
UNIT = "deliveries/CPU-second"
SUBSCRIBED = b'"current_watermarks":[{'
ROW = b'"doc_key":'
NAIVE = Visitor("/ws", masked(b"join"))
_SOCKETIO = Path(__file__).with_name("socketio")


class Round(NamedTuple):
    """A run for each case."""

    ours: list[Run]
    naive: list[Run]
    socketio: list[Run]


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """What a server cannot deliver in time it delivers later, and it is measured until it has."""
    await asyncio.to_thread(_install)
    rounds = [Round(await _ours(), await _naive(), await _socketio()) for _ in range(ROUNDS)]
    figures = [figure for case in range(len(CASES)) for figure in _figures(case, rounds)]
    return Figure("fanout", figures[0].ours, UNIT, figures[0].peer, figures[0].ratio, cases=figures[1:])


def _figures(case: int, rounds: list[Round]) -> Iterator[Figure]:
    rate, _ = CASES[case]
    yield beside(f"{rate}/s, a naive loop", UNIT, [(one.ours[case], one.naive[case]) for one in rounds])
    yield beside(f"{rate}/s, socket.io", UNIT, [(one.ours[case], one.socketio[case]) for one in rounds])


async def _ours() -> list[Run]:
    """A real edge: events go through the log and its tail; the CPU of the commits is not its own."""
    async with fresh_postgres() as (server, _), open_pool(server.dsn()) as pool, live.edge(server.dsn()) as edge:
        user_id = await live.account(pool, "bench@lane.test")
        log = EventLog(pool)
        writer = Writer(log, user_owner(user_id), WORKERS)
        await writer.create()

        async def publish(rate: int, messages: int) -> None:
            await writer.paced(rate, messages / rate)

        runs = await _measured(joining(edge, user_id), edge.pid, publish)
        await log.close()
    return runs


def joining(edge: live.Edge, user_id: int, sockets: int = SOCKETS) -> Crowd:
    """Sockets that join and follow worker events."""
    visitor = Visitor(path_of(edge.token(user_id, WORKER_EVENTS)), subscribing(WORKER_EVENTS))
    return Crowd(edge.port, [visitor] * sockets, SUBSCRIBED, ROW)


async def _naive() -> list[Run]:
    async with naive() as (port, pid):
        return await _broadcast(Crowd(port, [NAIVE] * SOCKETS, b"joined", ROW), pid)


@asynccontextmanager
async def naive() -> AsyncIterator[Served]:
    [port] = ports.free()
    async with listening("naive", [sys.executable, "-m", "ops.bench.naive", str(port)], port) as pid:
        yield Served(port, pid)


async def _socketio() -> list[Run]:
    [port] = ports.free()
    visitor = Visitor("/socket.io/?EIO=4&transport=websocket", masked(b"40"))
    async with listening("socket.io", ["node", str(_SOCKETIO / "server.js"), str(port)], port) as pid:
        return await _broadcast(Crowd(port, [visitor] * SOCKETS, b'40{"sid"', ROW), pid)


async def _broadcast(crowd: Crowd, pid: int) -> list[Run]:
    """A peer sends the text of one of our frames, made beforehand."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{crowd.port}", timeout=None) as http:

        async def publish(rate: int, messages: int) -> None:
            query = {"messages": messages, "rate": rate}
            (await http.post("/broadcast", params=query, content=_message())).raise_for_status()

        return await _measured(crowd, pid, publish)


async def _measured(crowd: Crowd, pid: int, publish: Callable[[int, int], Awaitable[None]]) -> list[Run]:
    """The server's CPU from the first message of a case until everybody has all of them."""
    runs, total = list[Run](), 0
    async with gathered(crowd) as crowded:
        for rate, messages in CASES:
            before_s = cpu_s(pid)
            await publish(rate, messages)
            total += messages
            await crowded.counted(total)
            runs.append(Run(SOCKETS * messages / (cpu_s(pid) - before_s)))
    return runs


def _message() -> bytes:
    event = Recorded(
        position=1,
        kind=WORKER,
        stream=worker_stream("user:1", "bench:0"),
        seq=2,
        type="worker.event",
        version=0,
        owner="user:1",
        payload=PAYLOAD,
        digest=b"",
        headers={},
        recorded_at=datetime.now(UTC),
    )
    [body] = live_batches(WORKER_EVENTS, [worker_event_update(event)], 1, through=1)
    return Address(Framing.V2, "1").update_batch(body)


def _install() -> None:
    """socket.io as its lock says, into this folder, once."""
    if (_SOCKETIO / "node_modules" / ".package-lock.json").exists():
        return
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise StackError("no npm, so no socket.io to compare with: install Node.js with npm")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    answer = subprocess.run(command, cwd=_SOCKETIO, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise StackError(f"socket.io could not be installed: {answer.stderr.strip()}")
