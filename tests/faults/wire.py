"""Proxies that see every request to Postgres and every write to Kafka, and end this process at one of them.

The code under test runs unchanged in the same process: what it sent and what it heard is what a proxy let through.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple

DIED: Final = 77
"""The exit code of a process that was ended at its point."""

_KAFKA_WRITES: Final = frozenset({0, 19, 22, 24, 26})
"""Produce, CreateTopics, InitProducerId, AddPartitionsToTxn, EndTxn."""

_HOST: Final = b"127.0.0.1"


class Death:
    """Ends the process at its `at`-th commit point: before the request left, or `after` it was carried out."""

    def __init__(self, at: int, *, after: bool) -> None:
        self._left = at
        self._after = after

    def before(self) -> None:
        if not self._after:
            self._pass()

    def after(self) -> None:
        if self._after:
            self._pass()

    def _pass(self) -> None:
        self._left -= 1
        if self._left == 0:
            os._exit(DIED)


class Ends(NamedTuple):
    """One connection: what is read from one side is written to the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class PostgresWire:
    """A request is everything up to Sync; it counts when something is executed. Its answer ends with ReadyForQuery."""

    def __init__(self, death: Death) -> None:
        self._death = death
        self._asked: deque[bool] = deque()

    async def requests(self, ends: Ends) -> None:
        await self._startup(ends)
        request, executes = b"", False
        while True:
            kind, message = await _postgres_message(ends.reader)
            request, executes = request + message, executes or kind in b"EQ"
            if kind in b"SQX":
                self._asked.append(executes)
                if executes:
                    self._death.before()
                executes = False
            if kind in b"SQXH":
                ends.writer.write(request)
                request = b""

    async def _startup(self, ends: Ends) -> None:
        size = await ends.reader.readexactly(4)
        ends.writer.write(size + await ends.reader.readexactly(int.from_bytes(size, "big") - 4))
        self._asked.append(False)

    async def answers(self, ends: Ends) -> None:
        answer = b""
        while True:
            kind, message = await _postgres_message(ends.reader)
            answer += message
            if kind == b"Z" and self._asked.popleft():
                self._death.after()
            if kind == b"Z" or kind == b"R" or not self._asked:
                ends.writer.write(answer)
                answer = b""


class KafkaWire:
    """Requests are answered in order of their correlation ids; brokers are made to say that they live at `port`."""

    def __init__(self, death: Death, broker_port: int, port: int) -> None:
        self._death = death
        self._there = _HOST + broker_port.to_bytes(4, "big")
        self._here = _HOST + port.to_bytes(4, "big")
        self._writes: set[bytes] = set()

    async def requests(self, ends: Ends) -> None:
        while True:
            frame = await _kafka_frame(ends.reader)
            if int.from_bytes(frame[4:6], "big") in _KAFKA_WRITES:
                self._writes.add(frame[8:12])
                self._death.before()
            ends.writer.write(frame)

    async def answers(self, ends: Ends) -> None:
        while True:
            frame = await _kafka_frame(ends.reader)
            if frame[4:8] in self._writes:
                self._writes.remove(frame[4:8])
                self._death.after()
            ends.writer.write(frame.replace(self._there, self._here))


async def _postgres_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(int.from_bytes(head[1:], "big") - 4)


async def _kafka_frame(reader: asyncio.StreamReader) -> bytes:
    size = await reader.readexactly(4)
    return size + await reader.readexactly(int.from_bytes(size, "big"))


Wire = PostgresWire | KafkaWire
Connected = Coroutine[Any, Any, tuple[asyncio.StreamReader, asyncio.StreamWriter]]


@asynccontextmanager
async def listening(connect: Callable[[], Connected], wire: Callable[[int], Wire]) -> AsyncIterator[int]:
    """The port of a proxy to what `connect` reaches; `wire(port)` makes one end of each connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = Ends(*await connect())
        between = wire(port)
        await asyncio.gather(
            _until_gone(between.requests(Ends(reader, there.writer)), there.writer),
            _until_gone(between.answers(Ends(there.reader, writer)), writer),
        )

    server = await asyncio.start_server(serve, _HOST.decode(), 0)
    port: int = server.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        server.close()


async def _until_gone(pumping: Coroutine[Any, Any, None], writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        await pumping
    writer.close()
