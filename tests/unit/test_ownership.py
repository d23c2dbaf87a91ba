"""Whose a run is, of which thread, and from where on it is kept, as pure rules (runtime §1.1, §1.4, DEC-2, DEC-38)."""

from datetime import UTC, datetime

import pytest

from producers import runs
from producers.chain import Link
from producers.errors import Conflict, NotFound
from producers.eventlog.commands import Part
from producers.ownership import DECIDER, LOST_THREAD, CreateRun, Ownership, PruneRun, decide, evolve, owned, stand_in
from producers.runs import RequestCancel
from schemas import canonical_json, hashing
from schemas.events import NewEvent, Recorded
from schemas.names import ownership_stream, run_stream
from schemas.runs import RunPruned
from schemas.runs_generated import RunCreated

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CREATE = CreateRun("run_demo", "thr_demo")
CREATED = RunCreated("run_demo", "thr_demo")
HASH = "ab" * 32


def folded(*events: NewEvent) -> Ownership | None:
    ownership = None
    for seq, new in enumerate(events, start=1):
        payload, stream = new.body(), ownership_stream("run_demo")
        envelope = (seq, DECIDER.kind, stream, seq, new.type, new.version, "user:7", payload)
        ownership = evolve(ownership, Recorded(*envelope, hashing.digest(payload), {}, NOON))
    return ownership


def test_a_run_is_created_once() -> None:
    """DEC-2."""
    assert decide(None, CREATE, NOON) == [CREATED]
    assert decide(folded(CREATED), CREATE, NOON) == []


def test_a_run_stays_in_its_thread() -> None:
    """runtime §1.1."""
    with pytest.raises(Conflict):
        decide(folded(CREATED), CreateRun("run_demo", "thr_other"), NOON)


def test_pruning_raises_the_floor_and_never_lowers_it() -> None:
    """DEC-38."""
    assert decide(folded(CREATED), PruneRun(Link(4, HASH)), NOON) == [RunPruned(4, HASH)]
    pruned = folded(CREATED, RunPruned(4, HASH))
    assert pruned is not None
    assert pruned.anchor == Link(4, HASH)
    assert decide(pruned, PruneRun(Link(4, HASH)), NOON) == []
    assert decide(pruned, PruneRun(Link(3, HASH)), NOON) == []


def test_a_run_that_nobody_created_is_not_pruned() -> None:
    with pytest.raises(NotFound):
        decide(None, PruneRun(Link(1, HASH)), NOON)


def test_a_lost_creation_leaves_the_run_to_its_owner() -> None:
    """ADR 11."""
    lost = folded(stand_in(1))
    assert lost is not None
    assert (lost.owner, lost.thread_id) == ("user:7", LOST_THREAD)


def test_a_lost_pruning_moves_nothing() -> None:
    """ADR 11."""
    pruned = folded(CREATED, RunPruned(4, HASH))
    assert folded(CREATED, RunPruned(4, HASH), stand_in(3)) == pruned
    assert folded(CREATED, stand_in(2)) == folded(CREATED)


def test_the_state_is_read_as_it_was_written() -> None:
    pruned = folded(CREATED, RunPruned(4, HASH))
    assert canonical_json.decode_as(canonical_json.in_given_order(pruned), Ownership) == pruned


def test_a_run_is_told_something_when_somebody_owns_it() -> None:
    """Runtime §1.4: `run_not_found`."""
    part = Part(run_stream("run_demo"), "user:7", runs.DECIDER)
    rules, parts = owned("run_demo", part)
    assert parts == (part, Part(ownership_stream("run_demo"), "user:7", DECIDER))
    states = {part.stream: None, ownership_stream("run_demo"): folded(CREATED)}
    [(stream, event)] = rules(states, RequestCancel(), NOON)
    assert (stream, event.type) == (part.stream, "run.cancel_requested")
    with pytest.raises(NotFound):
        rules(dict.fromkeys(states), RequestCancel(), NOON)
