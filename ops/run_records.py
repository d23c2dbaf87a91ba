"""What operators do with a run in the log: read it, verify its chain, append to it, prune it (runtime §1.4, DEC-38)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ops.stack.processes import StackError
from producers import chain_walk, inbox, ownership, runs
from producers.chain import Link
from producers.chain_walk import Verified
from producers.errors import LogUnavailable, Rejection
from producers.eventlog import pruning
from producers.eventlog.commands import Item, Part
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.streams import StreamReader
from producers.inbox import Inbox
from producers.ownership import Ownership, PruneRun
from producers.pruning import goes
from producers.runs import AppendRunEvent, Run
from schemas.events import Payload, Recorded
from schemas.names import CONTROL_CHARACTERS, inbox_stream, ownership_stream, run_stream

if TYPE_CHECKING:
    import asyncpg

MAX_TYPE: Final = 255
OPERATOR_HEADER: Final = "oa_operator"
"""Who appended or pruned, in the event's headers."""


class RunRecord(NamedTuple):
    """A run as it is committed; one without events is `created`."""

    run_id: str
    ownership: Ownership
    run: Run
    inbox: Inbox

    @property
    def stream(self) -> str:
        return run_stream(self.run_id)

    @property
    def head(self) -> Link:
        return Link(self.run.latest_seq, self.run.head_hash)

    @property
    def frames_waiting(self) -> int:
        """Those of a run that has ended wait for nothing (runtime §1.3)."""
        return 0 if self.run.is_terminal else max(self.inbox.frames - self.run.cursor, 0)


class RunRecords:
    """The runs of one log; every method raises StackError when there is no such run, or when it is refused."""

    def __init__(self, pool: "asyncpg.Pool[Any]", operator: str) -> None:
        self._pool = pool
        self._reader = LogReader(pool)
        self._streams = StreamReader(pool)
        self._headers = {OPERATOR_HEADER: operator}

    async def read(self, run_id: str) -> RunRecord:
        owned = await self._streams.get(ownership.DECIDER, ownership_stream(run_id))
        if owned is None:
            raise StackError(f"there is no run {run_id}")
        run = await self._streams.get(runs.DECIDER, run_stream(run_id))
        received = await self._streams.get(inbox.DECIDER, inbox_stream(run_id))
        return RunRecord(
            run_id,
            owned.state,
            run.state if run else Run(run_id, owned.state.created_at),
            received.state if received else Inbox(0, 0),
        )

    async def events(self, record: RunRecord, after: int, limit: int) -> list[Recorded]:
        """What is kept behind a seq."""
        return await self._reader.read_stream(record.stream, max(after, record.ownership.anchor.seq), limit)

    async def verify(self, run_id: str) -> Verified:
        """Raises ChainBroken."""
        record = await self.read(run_id)
        return await chain_walk.verify(self._reader, run_id, record.ownership.anchor, record.head)

    async def append(self, run_id: str, event_type: str, payload: Payload) -> int:
        """The event's seq; its version is 0, whatever the type."""
        if not event_type or len(event_type) > MAX_TYPE or CONTROL_CHARACTERS.search(event_type):
            raise StackError(f"a type has 1 to {MAX_TYPE} characters, none of them a control character")
        record = await self.read(run_id)
        part = Part(record.stream, record.ownership.owner, runs.DECIDER)
        rules, parts = ownership.owned(run_id, part)
        async with self._log() as log:
            [outcome] = await log.execute_together(
                rules, parts, [Item(AppendRunEvent(event_type, payload))], headers=self._headers
            )
        return outcome.seq

    async def prune(self, run_id: str, before: int) -> Verified:
        """What is left of a run whose chain holds: its events from `before` on. Raises ChainBroken."""
        await self.verify(run_id)
        record = await self.read(run_id)
        anchor, latest = record.ownership.anchor, record.head.seq
        if not max(anchor.seq, 1) < before <= latest:
            raise StackError(f"{run_id} has the events {anchor.seq + 1} to {latest}: nothing is before {before}")
        floor = await chain_walk.walk(self._reader, run_id, anchor, before - 1)
        async with self._log() as log:
            await log.execute(
                *(ownership.DECIDER, ownership_stream(run_id), record.ownership.owner, [Item(PruneRun(floor))]),
                headers=self._headers,
            )
        async for page in chain_walk.pages(self._reader, record.stream, 0, floor.seq):
            await pruning.blank(self._pool, record.stream, [event.seq for event in page if goes(event)])
        return await self.verify(run_id)

    @asynccontextmanager
    async def _log(self) -> AsyncIterator[EventLog]:
        log = EventLog(self._pool, committers=1)
        try:
            yield log
        except (Rejection, LogUnavailable) as error:
            raise StackError(str(error)) from error
        finally:
            await log.close()
