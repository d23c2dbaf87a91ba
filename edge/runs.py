"""What the routes do with runs: create, frames, cancel, snapshot, where streams begin (runtime §2.6–2.9)."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from producers import inbox, ownership, runs
from producers.errors import Forbidden, NotFound
from producers.eventlog.commands import Identity, IdentityKey, Item, Part
from producers.eventlog.log import EventLog
from producers.eventlog.recent import Recent
from producers.eventlog.streams import StreamReader
from producers.inbox import ReceiveFrame
from producers.ownership import CreateRun, Ownership
from producers.runs import RequestCancel, Run
from schemas import hashing
from schemas.names import inbox_stream, ownership_stream, run_id_of, run_stream
from schemas.times import iso0

FRAME_SCOPE: Final = "frame:"
"""Of identities that are kept for ever (DESIGN §4)."""
_CACHED_OWNERSHIPS: Final = 20_000


class Call(NamedTuple):
    """Who calls, about which run of which thread, and what goes into the events' headers."""

    owner: str
    run_id: str
    thread_id: str
    headers: Mapping[str, str] = {}
    size: int = 0


class Span(NamedTuple):
    """From where on a run's events are kept, and the newest of them."""

    floor: int
    latest_seq: int


class Runs:
    """Owner and thread of a run never change, so they are remembered; everything else is read as committed."""

    def __init__(self, log: EventLog, streams: StreamReader) -> None:
        self._log = log
        self._streams = streams
        self._ownerships: Recent[str, Ownership] = Recent(_CACHED_OWNERSHIPS)

    async def create(self, call: Call) -> tuple[dict[str, Any], bool]:
        """The run's snapshot, and whether it was there before (DEC-2)."""
        command = CreateRun(call.run_id, call.thread_id)
        [outcome] = await self._log.execute(
            *(ownership.DECIDER, ownership_stream(call.run_id), call.owner, [Item(command)]),
            headers=call.headers,
            size=call.size,
        )
        return await self._snapshot(call, outcome.state), outcome.replayed

    async def require(self, call: Call) -> Ownership:
        """The run is in this thread and the caller's; raises NotFound, Forbidden (runtime §2.3)."""
        found = await self._known(call.run_id)
        if found is None or found.thread_id != call.thread_id:
            raise NotFound("no such run in this thread")
        return _theirs(found, call.owner)

    async def thread_of(self, owner: str, run_id: str) -> str:
        """For those who name a run by its id alone; raises NotFound, Forbidden."""
        found = await self._known(run_id)
        if found is None:
            raise NotFound("no such run")
        return _theirs(found, owner).thread_id

    async def receive(self, call: Call, frame: ReceiveFrame) -> tuple[dict[str, Any], bool]:
        """The answer, and whether the frame was received before; who reads the inbox executes it (runtime §2.7)."""
        stream = inbox_stream(call.run_id)
        fingerprint = hashing.digest([frame.frame_type, frame.payload_hash])
        identity = Identity(IdentityKey(FRAME_SCOPE + stream, frame.frame_id), fingerprint)
        [outcome] = await self._log.execute(
            inbox.DECIDER, stream, call.owner, [Item(frame, identity)], headers=call.headers, size=call.size
        )
        return {"runId": call.run_id, "frameId": frame.frame_id, "status": "accepted"}, outcome.replayed

    async def cancel(self, call: Call, command: RequestCancel) -> tuple[dict[str, Any], bool]:
        """The answer, and whether nothing had to be written (runtime §2.8, DEC-8)."""
        part = Part(run_stream(call.run_id), call.owner, runs.DECIDER)
        rules, parts = ownership.owned(call.run_id, part)
        [outcome] = await self._log.execute_together(
            rules, parts, [Item(command)], headers=call.headers, size=call.size
        )
        status = outcome.state[part.stream].status
        return {"runId": call.run_id, "status": status, "cancelRequested": True}, outcome.replayed

    async def snapshot(self, call: Call) -> dict[str, Any]:
        return await self._snapshot(call, await self.require(call))

    async def list(self, owner: str, *, run_id: str | None, thread_id: str | None, limit: int) -> list[dict[str, Any]]:
        """The owner's runs, last created first, as their snapshots tell of them."""
        found = await self._owned_by(owner, run_id, {"thread_id": thread_id} if thread_id else {}, limit)
        existing = await self._streams.some(runs.DECIDER, [run_stream(name) for name in found])
        seen = {snapshot.state.run_id: snapshot.state for snapshot in existing.values()}
        return [document(name, owned, seen.get(name)) for name, owned in found.items()]

    async def _owned_by(
        self, owner: str, run_id: str | None, where: Mapping[str, str], limit: int
    ) -> dict[str, Ownership]:
        if run_id is None:
            snapshots = await self._streams.newest(ownership.DECIDER, owner, where, limit)
            return {run_id_of(snapshot.stream): snapshot.state for snapshot in snapshots}
        owned = await self._ownership(run_id)
        is_theirs = owned is not None and owned.owner == owner and where.get("thread_id") in (None, owned.thread_id)
        return {run_id: owned} if owned and is_theirs else {}

    async def span(self, call: Call) -> Span:
        """As committed: what is remembered of the ownership may be older than the last pruning."""
        kept = await self._ownership(call.run_id)
        run = await self._streams.get(runs.DECIDER, run_stream(call.run_id))
        return Span(kept.anchor.seq if kept else 0, run.seq if run else 0)

    async def _known(self, run_id: str) -> Ownership | None:
        found = self._ownerships.get(run_id) or await self._ownership(run_id)
        if found is not None:
            self._ownerships.put(run_id, found)
        return found

    async def _ownership(self, run_id: str) -> Ownership | None:
        found = await self._streams.get(ownership.DECIDER, ownership_stream(run_id))
        return found.state if found else None

    async def _snapshot(self, call: Call, owned: Ownership) -> dict[str, Any]:
        """A run without events is `created` (ADR 14)."""
        found = await self._streams.get(runs.DECIDER, run_stream(call.run_id))
        return document(call.run_id, owned, found.state if found else None)


def _theirs(found: Ownership, owner: str) -> Ownership:
    if found.owner != owner:
        raise Forbidden("the run belongs to somebody else")
    return found


def document(run_id: str, owned: Ownership, existing: Run | None) -> dict[str, Any]:
    """The snapshot of a run (runtime §2.9)."""
    run = existing or Run(run_id, owned.created_at)
    return {
        "runId": run_id,
        "threadId": owned.thread_id,
        "status": run.status,
        "latestSeq": run.latest_seq,
        "updatedAt": iso0(run.updated_at),
    }
