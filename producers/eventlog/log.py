"""The log's write side: concurrent commands are gathered, decided and committed in one transaction (DESIGN §4)."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
import structlog

from producers import metrics
from producers.errors import InvalidRequest, LogUnavailable
from producers.eventlog.batch import Batch
from producers.eventlog.commands import (
    NO_STREAM,
    Decider,
    IdentityKey,
    Item,
    Outcome,
    Part,
    Remembered,
    Rules,
    States,
    StreamHead,
    Submission,
    alone,
)
from producers.eventlog.gathering import Gathering, Waiting
from producers.eventlog.reader import recorded
from producers.eventlog.recent import Recent
from schemas import canonical_json, sql_files
from schemas.cancellation import raise_if_cancelled
from schemas.lost_connections import LOST_CONNECTION
from schemas.names import CONTROL_CHARACTERS, RUN
from schemas.tracing import Spans, begin

S = TypeVar("S")
C = TypeVar("C")
Connection = Any

_SQL = sql_files.load(__file__, "append")
_LOGGER = structlog.get_logger()
_LOCK_FIRST_S = 1.0
_SLOW_COMMIT_S = 0.003
_COMMAND_S = 0.0001
_SMOOTHING = 0.05
_ATTEMPTS = 3
_ATTEMPTS_ALONE = 10
_CACHED_STREAMS = 20_000
_CACHED_COMMANDS = 50_000
_STREAM_MOVED = "OA001"
_SUSPENDED = "OA002"
_CONFLICTS = frozenset({_STREAM_MOVED, "23505", "40001", "40P01"})
_UNREACHABLE_CLASSES = ("08", "53", "57", "58")


class StreamMoved(asyncpg.PostgresError):
    """A version that an answer relied on has changed."""

    sqlstate = _STREAM_MOVED


class NewerState(Exception):
    """A stream's state was written by a newer release; this one refuses to touch it (DESIGN §4)."""


class UnreadableState(Exception):
    """A stream's state is damaged, or its events cannot be folded."""


async def install(connection: Connection) -> None:
    """Create or replace the append function; runs with the migrations."""
    await connection.execute(_SQL["install"])


class EventLog:
    """The only writer of events (DESIGN I4).

    Submissions that come while earlier ones commit form the next batch; no timer waits. Answers, rejections and
    replays included, leave only after the versions they rely on were checked by the same transaction.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        committers: int = 2,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        spans: Spans | None = None,
    ) -> None:
        self._pool = pool
        self._spans = spans
        self._clock = clock
        self._gathering = Gathering(committers)
        self._heads: Recent[str, StreamHead] = Recent(_CACHED_STREAMS)
        self._commands: Recent[IdentityKey, Remembered] = Recent(_CACHED_COMMANDS)
        self._lock_first_until = 0.0
        self._commit_s = 0.0
        self._committers = [asyncio.create_task(self._commit_forever()) for _ in range(committers)]

    @property
    def waiting(self) -> int:
        """Submissions that have no answer yet."""
        return self._gathering.unsettled

    @property
    def answered(self) -> int:
        """How many have ever been answered; one that stands still while some wait is stuck (DESIGN I9)."""
        return self._gathering.released

    async def close(self) -> None:
        """Stop; whoever still waits gets `LogUnavailable`."""
        for committer in self._committers:
            committer.cancel()
        await asyncio.gather(*self._committers, return_exceptions=True)
        _fail(self._gathering.drain(), LogUnavailable("the log is closing"))

    async def execute(
        self,
        decider: Decider[S, C],
        stream: str,
        owner: str,
        items: Sequence[Item[C]],
        *,
        headers: Mapping[str, str] | None = None,
        size: int = 0,
    ) -> Sequence[Outcome[S]]:
        """Decide and commit `items` on `stream`, all or none; one outcome an item, once they are durable (DESIGN I1).

        Raises the decider's `Rejection`, `IdentityConflict`, `InvalidRequest` for names with control characters, or
        `LogUnavailable` (nothing is known; repeat it). `size` is what the caller received, in bytes; it bounds batches.
        """
        parts = (Part(stream, owner, decider),)
        _check_names(parts)
        submission = Submission(parts, alone(decider, stream), items, headers or {}, size, together=False)
        return await self._put(submission)

    async def execute_together(
        self,
        rules: Rules[C],
        parts: Sequence[Part],
        items: Sequence[Item[C]],
        *,
        headers: Mapping[str, str] | None = None,
        size: int = 0,
    ) -> Sequence[Outcome[States]]:
        """As `execute`, for commands over several streams: written together, the versions of the others checked.

        Every stream of `parts` may be read and written; the first one is what the commands are about (ADR 14).
        """
        _check_names(parts)
        return await self._put(Submission(tuple(parts), rules, items, headers or {}, size))

    async def _put(self, submission: Submission) -> Sequence[Outcome[Any]]:
        span = begin(self._spans, "log.append", submission.headers, {"oa.stream": submission.parts[0].stream})
        try:
            return await self._gathering.put(submission)
        finally:
            if span:
                span.end()

    async def _commit_forever(self) -> None:
        while True:
            await self._gathering.ready(alone=self._commit_s > _SLOW_COMMIT_S)
            await asyncio.sleep(0)
            waiting = self._gathering.take()
            if not waiting:  # the other committer was faster
                continue
            try:
                await self._settle(waiting)
            except Exception as error:
                _LOGGER.exception("a batch failed", submissions=len(waiting))
                self._give_up(waiting, error)
            finally:
                self._gathering.release(waiting)
                _fail(waiting, LogUnavailable("the log is closing"))
            raise_if_cancelled()

    async def _settle(self, waiting: list[Waiting]) -> None:
        """Commit the batch: on cached state, then under locks; after that each submission by itself."""
        for attempt in range(_ATTEMPTS if len(waiting) > 1 else _ATTEMPTS_ALONE):
            try:
                return await self._attempt(waiting, lock=attempt > 0 or time.monotonic() < self._lock_first_until)
            except LOST_CONNECTION as error:
                return self._give_up(waiting, LogUnavailable(repr(error)))
            except (NewerState, UnreadableState) as error:
                return await self._isolate(waiting, error)
            except asyncpg.PostgresError as error:
                self._forget(waiting)
                if error.sqlstate not in _CONFLICTS:
                    return await self._settle_refusal(waiting, error)
                metrics.LOG_RETRIES.labels("conflict").inc()
                self._lock_first_until = time.monotonic() + _LOCK_FIRST_S
        return await self._isolate(waiting, LogUnavailable("the stream is too busy"))

    async def _settle_refusal(self, waiting: list[Waiting], error: asyncpg.PostgresError) -> None:
        _LOGGER.error("the log refused a batch", error=repr(error), submissions=len(waiting))
        if (error.sqlstate or "").startswith(_UNREACHABLE_CLASSES) or error.sqlstate == _SUSPENDED:
            return self._give_up(waiting, LogUnavailable(repr(error)))
        return await self._isolate(waiting, error)

    async def _isolate(self, waiting: list[Waiting], error: Exception) -> None:
        if len(waiting) == 1:
            return self._give_up(waiting, error)
        metrics.LOG_RETRIES.labels("isolated").inc()
        for one in waiting:
            await self._settle([one])
        return None

    def _give_up(self, waiting: list[Waiting], error: Exception) -> None:
        self._forget(waiting)
        metrics.LOG_COMMANDS.labels("failed").inc(len(waiting))
        _fail(waiting, error)

    def _forget(self, waiting: Iterable[Waiting]) -> None:
        for submission, _ in waiting:
            for part in submission.parts:
                self._heads.forget(part.stream)

    async def _attempt(self, waiting: list[Waiting], *, lock: bool) -> None:
        submissions = [submission for submission, _ in waiting]
        async with self._pool.acquire() as connection:
            started = time.perf_counter()
            batch = await (self._commit_locked if lock else self._commit_cached)(connection, submissions)
            self._measure(len(waiting), time.perf_counter() - started)
        self._remember(batch)
        if any(event.kind == RUN for event in batch.events):
            metrics.RUN_NOTIFIES.inc()
        _answer(waiting, batch)

    async def _commit_cached(self, connection: Connection, submissions: list[Submission]) -> Batch:
        heads = await self._cached_heads(connection, submissions)
        batch = self._decide(submissions, heads, _known_to(self._commands, submissions))
        if batch.unsure:
            known = await _load_commands(connection, batch.unsure)
            batch = self._decide(submissions, heads, known | _known_to(self._commands, submissions))
        if batch.events:
            batch.placed(await connection.fetchval(_SQL["append"], *batch.columns()))
        elif batch.reads:
            await _check(connection, batch.reads)
        return batch

    async def _commit_locked(self, connection: Connection, submissions: list[Submission]) -> Batch:
        async with connection.transaction():
            deciders = _deciders(submissions)
            heads = await _heads_of(connection, await connection.fetch(_SQL["lock"], sorted(deciders)), deciders)
            identities = [key for submission in submissions for key in submission.identities]
            batch = self._decide(submissions, heads, await _load_commands(connection, identities))
            if batch.events:
                batch.placed(await connection.fetchval(_SQL["append"], *batch.columns()))
            elif batch.reads:
                await _check(connection, batch.reads)
        return batch

    def _decide(
        self,
        submissions: list[Submission],
        heads: Mapping[str, StreamHead],
        known: Mapping[IdentityKey, Remembered],
    ) -> Batch:
        batch = Batch(heads, known, self._clock())
        for submission in submissions:
            batch.decide(submission)
        return batch

    async def _cached_heads(self, connection: Connection, submissions: list[Submission]) -> dict[str, StreamHead]:
        deciders = _deciders(submissions)
        cached = {stream: self._heads.get(stream) for stream in deciders}
        heads = {stream: head for stream, head in cached.items() if head is not None}
        if missing := [stream for stream, head in cached.items() if head is None]:
            heads |= await _heads_of(connection, await connection.fetch(_SQL["load"], missing), deciders)
        return heads

    def _remember(self, batch: Batch) -> None:
        for stream, head in batch.heads.items():
            self._heads.put(stream, head)
        for key, remembered in batch.commands.items():
            self._commands.put(key, remembered)

    def _measure(self, submissions: int, commit_s: float) -> None:
        self._commit_s += (max(commit_s - submissions * _COMMAND_S, 0.0) - self._commit_s) * _SMOOTHING
        metrics.LOG_BATCH_SIZE.observe(submissions)
        metrics.LOG_COMMIT_S.observe(commit_s)


def _known_to(
    commands: Recent[IdentityKey, Remembered], submissions: list[Submission]
) -> dict[IdentityKey, Remembered]:
    found = {key: commands.get(key) for submission in submissions for key in submission.identities}
    return {key: remembered for key, remembered in found.items() if remembered is not None}


async def _load_commands(connection: Connection, keys: Iterable[IdentityKey]) -> dict[IdentityKey, Remembered]:
    wanted = list(keys)
    if not wanted:
        return {}
    rows = await connection.fetch(_SQL["commands"], [key.scope for key in wanted], [key.key for key in wanted])
    return {
        IdentityKey(row["scope"], row["key"]): Remembered(row["fingerprint"], canonical_json.decode(row["answer"]))
        for row in rows
    }


def _check_names(parts: Sequence[Part]) -> None:
    if any(CONTROL_CHARACTERS.search(part.stream) or CONTROL_CHARACTERS.search(part.owner) for part in parts):
        raise InvalidRequest("control characters in a name")


def _deciders(submissions: list[Submission]) -> dict[str, Decider[Any, Any]]:
    """By stream."""
    return {part.stream: part.decider for submission in submissions for part in submission.parts}


async def _heads_of(
    connection: Connection, rows: Sequence[Any], deciders: Mapping[str, Decider[Any, Any]]
) -> dict[str, StreamHead]:
    return {row["stream"]: await head_of(connection, row, deciders[row["stream"]]) for row in rows}


async def head_of(connection: Connection, row: Any, decider: Decider[Any, Any]) -> StreamHead:
    """A row of `streams`, its state refolded when an older release wrote it; raises NewerState, UnreadableState."""
    if row["state_version"] > decider.state_version:
        raise NewerState(f"{row['stream']} has state version {row['state_version']}")
    is_ours = row["state_version"] == decider.state_version
    events = [] if is_ours else await connection.fetch(_SQL["refold"], row["stream"])
    try:
        state = canonical_json.decode_as(row["state"], decider.state) if is_ours else _folded(decider, events)
    except Exception as error:
        raise UnreadableState(f"the state of {row['stream']} cannot be read: {error!r}") from error
    return StreamHead(row["seq"], state, row["owner"])


def _folded(decider: Decider[S, Any], events: Iterable[Any]) -> S | None:
    state = None
    for event in events:
        state = decider.evolve(state, recorded(event))
    return state


async def _check(connection: Connection, reads: Mapping[str, int]) -> None:
    rows = await connection.fetch(_SQL["versions"], list(reads))
    current = {row["stream"]: row["seq"] for row in rows}
    if any(current.get(stream, NO_STREAM.seq) != seq for stream, seq in reads.items()):
        raise StreamMoved("a stream that was read moved on")


def _answer(waiting: list[Waiting], batch: Batch) -> None:
    rejected = sum(isinstance(answer, Exception) for _, answer in batch.answers)
    metrics.LOG_COMMANDS.labels("rejected").inc(rejected)
    metrics.LOG_COMMANDS.labels("accepted").inc(len(waiting) - rejected)
    for (_, future), (_, answer) in zip(waiting, batch.answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def _fail(waiting: Iterable[Waiting], error: Exception) -> None:
    for _, future in waiting:
        if not future.done():
            future.set_exception(error)
