"""Runs as tests want them: streams folded from events a second apart, told things at a time of the test's choice."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from producers import leases, runs
from producers.eventlog.commands import Decider
from producers.leases import Lease
from producers.runs import Run
from schemas import hashing
from schemas.events import NewEvent, Recorded
from schemas.names import lease_stream, run_stream

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
RUN_ID = "run_demo"
OWNER = "user:41"


def recorded(stream: str, seq: int, new: NewEvent, at: datetime, payload: dict[str, Any] | None = None) -> Recorded:
    """As it comes back from the log; `payload` is what an erasure left of it."""
    kept = new.body() if payload is None else payload
    digest = hashing.digest(new.body())
    return Recorded(seq, stream.split("/")[0], stream, seq, new.type, new.version, OWNER, kept, digest, {}, at)


def history(stream: str, events: Iterable[NewEvent], start: datetime = NOON) -> list[Recorded]:
    """The events, each a second after the one before it."""
    return [recorded(stream, seq, new, start + timedelta(seconds=seq)) for seq, new in enumerate(events, start=1)]


def folded(decider: Decider[Any, Any], events: Sequence[Recorded]) -> Any:
    state = None
    for event in events:
        state = decider.evolve(state, event)
    return state


def given_run(*events: NewEvent) -> Run | None:
    state: Run | None = folded(runs.DECIDER, history(run_stream(RUN_ID), events))
    return state


def given_lease(*events: NewEvent) -> Lease | None:
    state: Lease | None = folded(leases.DECIDER, history(lease_stream(RUN_ID), events))
    return state


def bodies(events: Iterable[NewEvent]) -> list[dict[str, Any]]:
    """What the events say, each with its type."""
    return [{"type": event.type} | event.body() for event in events]
