"""Walking the hash chain of a run through the log, page by page (runtime §1.4, DEC-38)."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from producers import chain
from producers.chain import Link
from producers.eventlog.reader import LogReader
from schemas.events import Recorded
from schemas.names import run_stream

_PAGE: Final = 1000


class Verified(NamedTuple):
    """A chain that holds: so many events are kept, and this is the hash of the last one."""

    events: int
    head: Link


async def verify(reader: LogReader, run_id: str, anchor: Link, head: Link) -> Verified:
    """From the anchor to the head that the run's state names; raises ChainBroken."""
    reached = await walk(reader, run_id, anchor, head.seq)
    chain.check_end(reached, head)
    return Verified(reached.seq - anchor.seq, reached)


async def walk(reader: LogReader, run_id: str, start: Link, through: int) -> Link:
    """The link at `through`; raises ChainBroken."""
    reached = start
    async for page in pages(reader, run_stream(run_id), start.seq, through):
        reached = chain.walk(run_id, reached, page)
    return reached


async def pages(reader: LogReader, stream: str, after: int, through: int) -> AsyncIterator[Sequence[Recorded]]:
    """The events with `after < seq <= through`."""
    while page := await reader.read_stream(stream, after, _PAGE):
        yield [event for event in page if event.seq <= through]
        after = page[-1].seq
        if after >= through:
            return
