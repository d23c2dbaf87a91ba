"""Events on their way to the edge: one order, kept on disk, in batches of what has gathered, until acknowledged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, NoReturn, cast

import msgspec

from oa_client.backoff import delays_s, repeated
from oa_client.errors import Conflict, InvalidInput, Refused
from oa_client.worker.mirror import SOURCE
from oa_client.worker.store import Store
from oa_client.workers import NewEvent, Payload

_LOG = logging.getLogger(__name__)

Post = Callable[[Sequence[NewEvent]], Awaitable[object]]

_MAX_EVENTS = 500
_MAX_BYTES = 900 * 1024
"""Of the 1 MiB that a batch may have (runtime DEC-47)."""

_APART_S = 0.02
"""From one post to the next, so that what streams gathers: 50 posts a second."""

_ENVELOPE_BYTES = 160
"""About what id, type and punctuation add to a payload."""

CAPACITY_BYTES = 256 * 1024 * 1024
_FOR_DELTAS = 7 / 8
"""Of the capacity; the rest is for what cannot be told again."""


class Row(NamedTuple):
    n: int
    event_type: str
    size_bytes: int
    payload: bytes


class _Told(msgspec.Struct):
    method: str | None = None


class Gap(NamedTuple):
    """Where deltas are being left out: the row that says so, which may still be changed until it is posted."""

    n: int
    dropped: int
    since: str


class Outbox:
    """Ids are `<store id>:<n>`: what may have been recorded already is sent again unchanged, also by the next daemon.

    When `capacity_bytes` wait, deltas are left out and counted, as the items they belong to are told whole when they
    are completed; what is still too much is not taken (`put` waits, and with it the reading of Codex).
    """

    def __init__(
        self, post: Post, store: Store, timestamp: Callable[[], str], capacity_bytes: int = CAPACITY_BYTES
    ) -> None:
        self._post = post
        self._store = store
        self._timestamp = timestamp
        self._capacity_bytes = capacity_bytes
        self._id = store.identity
        [(self._count, self._bytes)] = store.read("waiting")
        self._at_most = _MAX_EVENTS
        self._gap: Gap | None = None
        self._replaced = 0
        self._posting_through = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def put(self, event_type: str, payload: Payload) -> None:
        if self._bytes >= self._capacity_bytes * _FOR_DELTAS and _is_delta(payload):
            self._leave_out()
            return
        while self._bytes >= self._capacity_bytes:
            self._emptied.clear()
            await self._emptied.wait()
        self.note(event_type, payload)

    def note(self, event_type: str, payload: Payload) -> int:
        """Takes it also when there is no room; returns its number."""
        encoded = msgspec.json.encode(payload)
        size_bytes = len(encoded) + len(event_type) + _ENVELOPE_BYTES
        n = self._store.write("put_event", event_type, size_bytes, encoded)
        self._count += 1
        self._bytes += size_bytes
        self._filled.set()
        return n

    async def run(self) -> NoReturn:
        """Ends only with an error that no repetition can mend."""
        now = asyncio.get_running_loop().time
        while True:
            started = now()
            if batch := self._gathered():
                await self._deliver(batch)
                await asyncio.sleep(started + _APART_S - now())
            else:
                self._filled.clear()
                await self._filled.wait()

    async def delivered(self) -> None:
        """Returns when everything put so far is acknowledged; `run` must be running."""
        while self._count:
            self._emptied.clear()
            await self._emptied.wait()

    def _gathered(self) -> list[Row]:
        """At least one event, if any waits; more as long as they fit."""
        through, batch_bytes = 0, 0
        for n, size_bytes in self._store.read("first_sizes", self._at_most):
            batch_bytes += size_bytes
            if through and batch_bytes > _MAX_BYTES:
                break
            through = n
        return [Row(*row) for row in self._store.read("events_through", through)]

    async def _deliver(self, batch: list[Row]) -> None:
        """A batch that is refused is halved until the event is found that the edge does not take."""
        self._posting_through = batch[-1].n
        self._store.save()  # a number that the edge has seen must not be given to another event
        events = [self._event(row) for row in batch]
        try:
            await repeated(lambda: self._post(events), delays_s())
        except (InvalidInput, Conflict) as error:
            if len(batch) == 1:
                self._replace(batch[0], error)
            self._at_most = max(1, len(batch) // 2)
        else:
            self._forget(batch)
            self._at_most = min(_MAX_EVENTS, self._at_most * 2)

    def _event(self, row: Row) -> NewEvent:
        """Its payload goes out as it is encoded already."""
        event_id = f"{self._id}:{row.n}"
        payload = cast(Payload, msgspec.Raw(row.payload))
        return NewEvent(f"{event_id}:refused" if row.n == self._replaced else event_id, row.event_type, payload)

    def _forget(self, batch: list[Row]) -> None:
        self._store.write("delivered_through", batch[-1].n)
        self._count -= len(batch)
        self._bytes -= sum(row.size_bytes for row in batch)
        self._emptied.set()

    def _replace(self, row: Row, error: Refused) -> None:
        """In its place goes what was refused and why."""
        if row.n == self._replaced:
            raise error
        _LOG.warning("event %d is left out, because the edge refuses it: %s", row.n, error)
        method = msgspec.json.decode(row.payload, type=_Told).method
        refused = {"event_type": row.event_type, "method": method, "status": error.status, "message": error.message}
        self._rewrite(row.n, self._notice("worker/event_refused", refused))
        self._replaced = row.n

    def _leave_out(self) -> None:
        """One notice stands where the first was left out; another is begun once that one is being posted."""
        if self._gap is None or self._gap.n <= self._posting_through:
            since = self._timestamp()
            n = self.note("worker.event", self._notice("worker/outbox_gap", {"dropped": 1, "since": since}))
            self._gap = Gap(n, 1, since)
            return
        self._gap = self._gap._replace(dropped=self._gap.dropped + 1)
        params = {"dropped": self._gap.dropped, "since": self._gap.since}
        self._rewrite(self._gap.n, self._notice("worker/outbox_gap", params))

    def _rewrite(self, n: int, payload: Payload) -> None:
        self._store.write("rewrite_event", "worker.event", msgspec.json.encode(payload), n)

    def _notice(self, method: str, params: Payload) -> Payload:
        return {"source": SOURCE, "method": method, "params": params, "occurred_at": self._timestamp()}


def _is_delta(payload: Payload) -> bool:
    return str(payload.get("method", "")).lower().endswith("delta")
