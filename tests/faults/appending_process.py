"""Writers that append to shared streams, to be killed; what they sent and what they were told is in a ledger."""

import asyncio
import itertools
import os
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop

from ops.database import open_pool
from producers.errors import LogUnavailable
from producers.eventlog.commands import Identity, IdentityKey, Item
from producers.eventlog.log import EventLog
from producers.workers import DECIDER, AppendEvent, Command, CreateWorker
from schemas import hashing
from schemas.names import worker_stream

OWNER = "user:41"
STREAMS = [worker_stream(OWNER, f"w:{number}") for number in range(40)]
_SIZES = (1, 1, 1, 1, 2, 4)


class Share(msgspec.Struct, frozen=True):
    """What one process writes: `appends` numbered from `first_number`, by so many writers at once."""

    database: str
    ledger: str
    writers: int
    first_number: int
    appends: int
    seed: int


class Sent(NamedTuple):
    """Events that go to one stream together; `seqs` is empty until they are acknowledged."""

    stream: str
    numbers: Sequence[int]
    seqs: Sequence[int] = ()


class Ledger:
    """One line a call, written at once: it outlives the process."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, sent: Sent) -> None:
        os.write(self._file, msgspec.json.encode(sent) + b"\n")


def read_ledger(path: str) -> tuple[list[Sent], list[Sent]]:
    """What was acknowledged, and what was sent and not answered."""
    found = Path(path)
    lines = found.read_bytes().splitlines() if found.exists() else []
    noted = [msgspec.json.decode(line, type=Sent) for line in lines]
    answered = {sent.numbers[0]: sent for sent in noted if sent.seqs}
    unanswered = {sent.numbers[0]: sent for sent in noted if sent.numbers[0] not in answered}
    return list(answered.values()), list(unanswered.values())


def fresh(share: Share, answered: Sequence[Sent], unanswered: Sequence[Sent]) -> Iterator[Sent]:
    """What this process has not sent yet."""
    sent = [number for one in (*answered, *unanswered) for number in one.numbers]
    end = share.first_number + share.appends
    chance = random.Random(share.seed + len(sent))
    number = max(sent, default=share.first_number - 1) + 1
    while number < end:
        size = min(chance.choice(_SIZES), end - number)
        yield Sent(chance.choice(STREAMS), [*range(number, number + size)])
        number += size


async def append(log: EventLog, sent: Sent, ledger: Ledger) -> None:
    """Until it is answered."""
    items: list[Item[Command]] = [_item(number) for number in sent.numbers]
    while True:
        try:
            outcomes = await log.execute(DECIDER, sent.stream, OWNER, items)
        except LogUnavailable:
            continue
        return ledger.note(sent._replace(seqs=[outcome.seq for outcome in outcomes]))


def _item(number: int) -> Item[Command]:
    payload = {"number": number}
    identity = Identity(IdentityKey("event:fault-test", str(number)), hashing.digest(payload))
    return Item(AppendEvent("worker.event", payload), identity)


async def run(share: Share) -> None:
    answered, unanswered = read_ledger(share.ledger)
    ledger = Ledger(share.ledger)
    work = itertools.chain(unanswered, _noted(fresh(share, answered, unanswered), ledger))
    async with open_pool(share.database) as pool:
        log = EventLog(pool)
        for stream in STREAMS:
            await log.execute(DECIDER, stream, OWNER, [Item(CreateWorker(stream.rsplit("/", 1)[1]))])
        await asyncio.gather(*(_write(log, work, ledger) for _ in range(share.writers)))
        await log.close()


def _noted(work: Iterator[Sent], ledger: Ledger) -> Iterator[Sent]:
    for sent in work:
        ledger.note(sent)
        yield sent


async def _write(log: EventLog, work: Iterator[Sent], ledger: Ledger) -> None:
    for sent in work:
        await append(log, sent, ledger)


if __name__ == "__main__":
    uvloop.run(run(msgspec.json.decode(sys.argv[1], type=Share)))
