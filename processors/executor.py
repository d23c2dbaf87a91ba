"""The executor: takes runs as far as their frames go, pass after pass (runtime §4.1; ADR 14).

What it is told are hints: what is missing of an inbox is read from the log, and what was done already does nothing.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from processors import executor_metrics
from processors.consumers import Begin, Feed, Host
from processors.lanes import Lanes, NotYet, Passenger
from processors.reactions import Reactor
from producers.errors import Conflict
from producers.eventlog.commands import Item, Outcome, States
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.recent import Recent
from producers.execution import Frame, Pass, cursor, execute, frame, parts
from producers.loops import WINDOW, Seen
from producers.runs import Run
from schemas.events import Recorded
from schemas.inbox_generated import FrameReceived
from schemas.names import INBOX, KAFKA_TOPICS, RUN, inbox_stream, lease_stream, run_id_of, run_stream
from schemas.runs_generated import RunCancelRequested, RunExecutorLost
from schemas.tracing import Spans, begin

if TYPE_CHECKING:
    import asyncpg

FRAMES_OF_A_PASS: Final = 64
LEASE_PAUSE_S: Final = 1.0
REMEMBERED: Final = 20_000


class Place(NamedTuple):
    """Where a run is as far as this executor knows: the inbox up to `cursor` is done, `seen` are its last frames."""

    cursor: int = 0
    seen: tuple[Seen, ...] = ()
    ended: bool = False


ENDED: Final = Place(ended=True)


class Executor:
    """`name` is this process's as an owner of leases."""

    def __init__(self, pool: "asyncpg.Pool[Any]", log: EventLog, name: str, spans: Spans | None = None) -> None:
        self.name = name
        self.lanes = Lanes(self.react)
        self._log = log
        self._spans = spans
        self._reader = LogReader(pool)
        self._places: Recent[str, Place] = Recent(REMEMBERED)

    def consumers(self) -> Sequence[tuple[str, Begin]]:
        return (KAFKA_TOPICS[INBOX], self._follow_frames), (KAFKA_TOPICS[RUN], self._follow_requests)

    async def _follow_frames(self, host: Host, feed: Feed) -> Reactor:
        return await Reactor("executor.frames", [FrameReceived.type], self.lanes, host, feed).begin()

    async def _follow_requests(self, host: Host, feed: Feed) -> Reactor:
        types = [RunCancelRequested.type, RunExecutorLost.type]
        return await Reactor("executor.requests", types, self.lanes, host, feed).begin()

    def take_over(self, lost: Recorded) -> None:
        """A run whose lease this executor has got without a pass."""
        self.lanes.put(run_id_of(lost.stream), Passenger(lost, lambda: None, lambda _: None))

    async def react(self, events: Sequence[Recorded]) -> None:
        """Everything that is known of one run, as far as it goes; raises NotYet while another executor has it."""
        received = [event for event in events if event.kind == INBOX]
        work = _Work(run_id_of(events[0].stream), events[0].owner, received, events[-1].headers)
        place = self._places.get(work.run_id) or await self._found(work)
        asked = len(received) < len(events)
        while not place.ended and (asked or place.cursor < work.through):
            entries, more = await self._entries(work, place)
            place = await self._pass(work, place, entries, more=more)
            asked = more
        self._places.put(work.run_id, place)

    async def _found(self, work: "_Work") -> Place:
        """Of a run that this executor does not know; one whose first frame comes now is at its start."""
        if work.received and work.received[0].seq == 1:
            return Place()
        outcome = await self._submit(work, Pass(work.run_id, self.name, 0, ()))
        run, at = _reached(outcome.state, work.run_id)
        if run and run.is_terminal:
            return ENDED
        first = max(at - WINDOW, 0)
        before = await self._reader.read_stream(inbox_stream(work.run_id), first, at - first) if at else []
        return Place(at, tuple(one.seen for one in map(frame, before) if one))

    async def _entries(self, work: "_Work", place: Place) -> tuple[list[Frame | None], bool]:
        """The next of the inbox, and whether there is more: from what was told if that goes on here, else read."""
        ahead = [event for event in work.received if event.seq > place.cursor]
        if not ahead or ahead[0].seq != place.cursor + 1:
            ahead = await self._reader.read_stream(inbox_stream(work.run_id), place.cursor, FRAMES_OF_A_PASS + 1)
        return [frame(event) for event in ahead[:FRAMES_OF_A_PASS]], len(ahead) > FRAMES_OF_A_PASS

    async def _pass(self, work: "_Work", place: Place, entries: Sequence[Frame | None], *, more: bool) -> Place:
        outcome = await self._submit(work, Pass(work.run_id, self.name, place.cursor, entries, place.seen, more))
        run, at = _reached(outcome.state, work.run_id)
        executor_metrics.passed(entries, outcome.events, ended=bool(run and run.is_terminal))
        if run and run.is_terminal:
            return ENDED
        through = place.cursor + len(entries)
        if at < through:  # another history than the one it remembers
            return await self._found(work)
        seen = (*place.seen, *(one.seen for one in entries if one))
        return Place(through, seen[-WINDOW:])

    async def _submit(self, work: "_Work", command: Pass) -> Outcome[States]:
        started = time.perf_counter()
        span = begin(self._spans, "runtime.infer", work.headers, {"oa.run": work.run_id})
        headers = span.headers if span else work.headers
        try:
            [outcome] = await self._log.execute_together(
                execute, parts(work.run_id, work.owner), [Item(command)], headers=headers
            )
        except Conflict as held:
            executor_metrics.refused(held, time.perf_counter() - started)
            raise NotYet(LEASE_PAUSE_S) from held
        finally:
            if span:
                span.end()
        executor_metrics.ran(outcome.events, time.perf_counter() - started)
        return outcome


class _Work(NamedTuple):
    """What was told about a run, in the inbox's order."""

    run_id: str
    owner: str
    received: Sequence[Recorded]
    headers: dict[str, str]

    @property
    def through(self) -> int:
        return self.received[-1].seq if self.received else 0


def _reached(states: States, run_id: str) -> tuple[Run | None, int]:
    run: Run | None = states[run_stream(run_id)]
    return run, cursor(run, states[lease_stream(run_id)])
