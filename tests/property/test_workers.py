"""Whatever is commanded in whatever order, a worker keeps its rules (runtime §7.1; DESIGN §4: state = fold)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from producers.errors import Rejection
from producers.workers import DECIDER, AppendEvent, Command, CreateWorker, SendRequest, StopWorker, Worker
from readmodels import workers as summaries
from readmodels.workers import Summary
from schemas import canonical_json, hashing
from schemas.events import Recorded
from schemas.names import worker_stream

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
OWNER = "user:41"
STREAM = worker_stream(OWNER, "w:any")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PAYLOADS = st.dictionaries(TEXT, st.none() | st.integers() | TEXT | st.lists(TEXT, max_size=2), max_size=3)
TYPES = st.sampled_from(
    ["worker.event", "worker.heartbeat", "worker.started", "worker.stopped", "worker.request.received", "heartbeat"]
)
COMMANDS = st.one_of(
    st.builds(CreateWorker, st.just("w:any"), adapter=st.none() | TEXT, metadata=st.none() | PAYLOADS),
    st.builds(AppendEvent, TYPES, PAYLOADS),
    st.builds(SendRequest, TEXT, TEXT, PAYLOADS),
    st.builds(StopWorker, st.none() | TEXT),
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
        for new in decided:
            seq = len(events) + 1
            payload = canonical_json.decode(canonical_json.encode(new.payload()))
            at, digest = NOON + timedelta(seconds=seq), hashing.digest(payload)
            events.append(Recorded(seq, "worker", STREAM, seq, new.type, new.version, OWNER, payload, digest, {}, at))
            worker = DECIDER.evolve(worker, events[-1])
    return events


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


@given(st.lists(COMMANDS, max_size=12))
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
