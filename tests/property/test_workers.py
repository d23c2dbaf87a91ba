"""Whatever is commanded in whatever order, a worker keeps its rules (runtime §7.1; DESIGN §4: state = fold)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from producers.errors import Rejection
from producers.workers import (
    DECIDER,
    AppendEvent,
    Command,
    CreateWorker,
    EraseWorker,
    SendRequest,
    Status,
    StopWorker,
    Worker,
)
from readmodels import workers as summaries
from readmodels.workers import Summary
from schemas import canonical_json, hashing
from schemas.daemons import Limits
from schemas.events import NewEvent, OpenEvent, Recorded
from schemas.names import worker_stream
from schemas.times import iso6
from schemas.workers import WorkerRequestReceived, WorkerResponse, WorkerStarted, WorkerStopped
from tests.worker_events import BUSY, STARTED, TURN, approval
from tests.worker_histories import heartbeat as daemon_heartbeat

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
OWNER = "user:41"
STREAM = worker_stream(OWNER, "w:any")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PAYLOADS = st.dictionaries(TEXT, st.none() | st.integers() | TEXT | st.lists(TEXT, max_size=2), max_size=3)
TYPES = st.sampled_from(
    ["worker.event", "worker.heartbeat", "worker.started", "worker.stopped", "worker.request.received", "heartbeat"]
)
HEARTBEATS: list[dict[str, Any]] = [{}, {"busy": BUSY}, {"daemon": "off"}, {"accepts_requests": 1, "busy": 7}]
COMMANDS = st.one_of(
    st.builds(CreateWorker, st.just("w:any"), adapter=st.none() | TEXT, metadata=st.none() | PAYLOADS),
    st.builds(AppendEvent, TYPES, PAYLOADS),
    st.builds(SendRequest, TEXT, TEXT, PAYLOADS),
    st.builds(StopWorker, st.none() | TEXT),
)
OF_DAEMONS = st.sampled_from(
    [
        *(AppendEvent("worker.heartbeat", daemon_heartbeat(**told).body()) for told in HEARTBEATS),
        *(AppendEvent(event.type, event.body()) for event in (TURN, approval("a"), approval("b"))),
        AppendEvent("worker.approval.answered", {"approval_id": "a", "decision": "deny", "cause": "silence"}),
        AppendEvent("worker.limits.set", {"day_tokens": 9}),
        EraseWorker(),
    ]
)


def played(commands: list[Command]) -> list[Recorded]:
    """The events of those commands that were accepted, each decided on the fold of the ones before."""
    events: list[Recorded] = []
    worker: Worker | None = None
    for command in commands:
        try:
            decided = DECIDER.decide(worker, command, NOON)
        except Rejection:
            continue
        for event in recorded(decided, first_seq=len(events) + 1):
            events.append(event)
            worker = DECIDER.evolve(worker, event)
    return events


def recorded(events: Sequence[NewEvent], first_seq: int = 1) -> list[Recorded]:
    """As they come back from the log, a second apart."""
    return [_recorded(seq, new) for seq, new in enumerate(events, start=first_seq)]


def _recorded(seq: int, new: NewEvent) -> Recorded:
    payload = canonical_json.decode(canonical_json.encode(new.body()))
    at, digest = NOON + timedelta(seconds=seq), hashing.digest(payload)
    return Recorded(seq, "worker", STREAM, seq, new.type, new.version, OWNER, payload, digest, {}, at)


def folded(events: list[Recorded]) -> Worker | None:
    worker: Worker | None = None
    for event in events:
        worker = DECIDER.evolve(worker, event)
    return worker


@given(st.lists(COMMANDS, max_size=12))
def test_a_worker_begins_with_its_start_and_takes_nothing_while_stopped(commands: list[Any]) -> None:
    running = False
    for event in played(commands):
        starts = event.type == "worker.started" and event.version > 0
        assert starts or running or event.type == "worker.stopped"
        running = (running or starts) and event.type != "worker.stopped"


STATUSES = set(get_args(Status))
KNOWN = (WorkerStarted, WorkerStopped, WorkerRequestReceived, WorkerResponse)
INGESTED = st.sampled_from(
    ["worker.started", "worker.stopped", "worker.request.received", "worker.response", "worker.x"]
)
RECORDABLE = st.one_of(
    st.builds(OpenEvent, INGESTED, PAYLOADS, st.just(0)),
    st.builds(OpenEvent, INGESTED.filter(lambda name: name != "worker.started"), PAYLOADS, st.integers(1, 5)),
    st.builds(
        WorkerStarted, st.just("running"), TEXT, st.none() | TEXT, st.none() | TEXT, PAYLOADS, st.just("reattach")
    ),
    st.builds(WorkerStopped, TEXT),
    st.builds(WorkerRequestReceived, TEXT, TEXT, PAYLOADS),
    st.builds(WorkerResponse, TEXT, PAYLOADS),
)


@given(st.lists(RECORDABLE, max_size=12))
def test_evolve_takes_every_version_of_every_event(recordable: list[NewEvent]) -> None:
    """Also what no decider of this release would decide: the log may hold it."""
    worker = folded(recorded([STARTED]))
    for event in recorded([STARTED, *recordable])[1:]:
        before, worker = worker, DECIDER.evolve(worker, event)
        assert before is not None
        assert worker.status in STATUSES
        assert worker.updated_at == worker.last_heartbeat_at == event.recorded_at
        assert (worker.worker_id, worker.owner, worker.started_at) == (before.worker_id, OWNER, before.started_at)
        if event.version == 0 and event.type != "worker.stopped":
            assert worker == msgspec.structs.replace(
                before, updated_at=event.recorded_at, last_heartbeat_at=event.recorded_at
            )


@given(st.lists(COMMANDS, max_size=12))
def test_deciding_changes_nothing_and_repeats_itself(commands: list[Any]) -> None:
    """I10: neither the time nor having been asked before makes a difference to what is decided."""
    worker = folded(played(commands))
    before = canonical_json.in_given_order(worker)
    for command in commands:
        decisions = [outcome(worker, command, at) for at in (NOON, NOON, NOON + timedelta(days=400))]
        assert decisions[0] == decisions[1] == decisions[2]
    assert canonical_json.in_given_order(worker) == before


def outcome(worker: Worker | None, command: Command, at: datetime) -> list[Any]:
    try:
        return [(event.type, event.version, event.body()) for event in DECIDER.decide(worker, command, at)]
    except Rejection as rejection:
        return [type(rejection), rejection.message]


@given(st.lists(COMMANDS, max_size=12))
def test_the_stored_state_is_the_fold_and_survives_its_encoding(commands: list[Any]) -> None:
    worker = folded(played(commands))
    if worker is not None:
        assert canonical_json.decode_as(canonical_json.in_given_order(worker), Worker) == worker


@given(st.lists(COMMANDS, max_size=12))
def test_commands_repeated_on_their_own_outcome_are_replays(commands: list[Any]) -> None:
    worker = folded(played([*commands, CreateWorker("w:any")]))
    assert DECIDER.decide(worker, CreateWorker("w:any", adapter="other"), NOON) == []
    stopped = folded(played([*commands, CreateWorker("w:any"), StopWorker()]))
    assert DECIDER.decide(stopped, StopWorker("again"), NOON) == []


@given(st.lists(COMMANDS | OF_DAEMONS, max_size=12))
def test_the_summary_says_what_the_worker_is(commands: list[Any]) -> None:
    """Write side and query side fold the same events to the same facts (SD-9: true after their event)."""
    events = played([CreateWorker("w:any"), *commands])
    worker, summary = folded(events), None
    for event in events:
        summary = summaries.apply(summary, event)
    assert isinstance(summary, Summary)
    assert worker is not None
    assert (summary.status, summary.adapter, summary.metadata) == (worker.status, worker.adapter, worker.metadata)
    assert (summary.latest_seq, summary.event_count) == (len(events), len(events))
    assert (summary.stopped_at is None) == (worker.stopped_at is None)
    assert (summary.usage, summary.limits) == (worker.usage, worker.limits or Limits())
    assert summary.open_approvals == tuple(worker.approvals)
    daemon = worker.daemon
    assert summary.accepts_requests == worker.accepts_requests
    assert summary.daemon_seen_at == (iso6(daemon.seen_at) if daemon else None)
    assert summary.busy == (daemon.busy if daemon else None)
