"""Whoever claims, answers, wakes and stops in whatever order: each thing sent is taken once and ends once (ADR 13)."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge import worker_identities
from producers.eventlog.batch import Batch
from producers.eventlog.commands import IdentityKey, Item, Remembered, StreamHead
from producers.workers import (
    ANSWERS,
    DECIDER,
    AppendEvent,
    Command,
    CreateWorker,
    SendRequest,
    StopWorker,
    Wake,
    Worker,
    wake_at,
)
from schemas import canonical_json
from schemas.events import Recorded
from tests.submissions import stream, submission
from tests.worker_histories import heartbeat

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
STREAM = stream()
IDS = st.sampled_from(["x", "y"])
DAEMONS = st.sampled_from(["a", "b"])


def claimed(kind: str, claimed_id: str, daemon: str) -> AppendEvent:
    told = {f"{kind}_id": claimed_id, "claim_id": f"{daemon}:claim", "daemon_id": daemon}
    return AppendEvent(f"worker.{kind}.claimed", told | ({"seq": 1} if kind == "message" else {}), expires=True)


def message(message_id: str, minute: int) -> AppendEvent:
    expires_at = (NOON + timedelta(minutes=minute)).isoformat()
    params = {"message_id": message_id, "expires_at": expires_at}
    return AppendEvent("worker.event", {"method": "ios/user_message", "params": params})


def answer(kind: str, request_id: str) -> AppendEvent:
    return AppendEvent(kind, {"request_id": request_id, "response": {}})


STEPS = st.one_of(
    st.builds(claimed, st.sampled_from(["request", "message"]), IDS, DAEMONS),
    st.builds(SendRequest, IDS, st.just("m"), answer_within=st.integers(0, 90).map(lambda n: timedelta(seconds=n))),
    st.builds(answer, st.sampled_from(ANSWERS), IDS),
    st.builds(message, IDS, st.integers(0, 3)),
    st.sampled_from([Wake(), Wake(), StopWorker(), CreateWorker("w:a"), AppendEvent("worker.stopped", {})]),
)
TIMED = st.lists(st.tuples(st.integers(0, 40), STEPS), max_size=25)


class Played:
    """Steps on one log, each with the seconds that pass before it; rejected ones leave nothing behind."""

    def __init__(self, steps: list[tuple[int, Command]]) -> None:
        self.now = NOON
        self.events: list[Recorded] = []
        self._head = StreamHead(0, None)
        self._known: dict[IdentityKey, Remembered] = {}
        self.do(CreateWorker("w:a"))
        self.do(AppendEvent("worker.heartbeat", heartbeat().content))
        for pause_s, command in steps:
            self.now += timedelta(seconds=pause_s)
            self.do(command)

    @property
    def worker(self) -> Worker:
        worker: Worker = self._head.state
        return worker

    def do(self, command: Command) -> None:
        batch = Batch({STREAM: self._head}, self._known, self.now)
        batch.decide(submission(Item(command, _identity(command))))
        self.events += batch.events
        self._head = batch.head(STREAM)
        self._known |= batch.commands

    def of(self, event_type: str) -> list[dict[str, Any]]:
        return [event.payload for event in self.events if event.version and event.type == event_type]


def _identity(command: Command) -> Any:
    match command:
        case AppendEvent():
            return worker_identities.of_claim(STREAM, command.event_type, command.payload)
        case SendRequest():
            return worker_identities.of_request(STREAM, command)
    return None


@given(TIMED)
def test_each_thing_is_claimed_once_and_each_request_ends_once(steps: list[tuple[int, Command]]) -> None:
    played = Played(steps)
    taken = [("request", told["request_id"]) for told in played.of("worker.request.claimed")]
    taken += [("message", told["message_id"]) for told in played.of("worker.message.claimed")]
    assert set(Counter(taken).values()) <= {1}
    asked = Counter(told["request_id"] for told in played.of("worker.request.received"))
    ended = Counter(told["request_id"] for kind in ANSWERS for told in played.of(kind))
    assert asked - ended == Counter(list(played.worker.open_requests))
    assert set(asked.values()) | set(ended.values()) <= {1}


@given(TIMED)
def test_nothing_is_taken_or_answered_after_its_time(steps: list[tuple[int, Command]]) -> None:
    played = Played(steps)
    deadlines = {told["request_id"]: told["deadline"] for told in played.of("worker.request.received")}
    for event in played.events:
        request_id = event.payload.get("request_id")
        in_time = event.type == "worker.request.claimed" or (event.version and event.type == "worker.response")
        if in_time and request_id in deadlines:
            assert event.recorded_at < datetime.fromisoformat(deadlines[request_id])


@given(TIMED)
def test_a_worker_is_woken_when_something_is_due_and_has_nothing_due_afterwards(
    steps: list[tuple[int, Command]],
) -> None:
    played = Played(steps)
    before = len(played.events)
    while (due_at := wake_at(played.worker)) is not None:
        assert due_at.microsecond == 0
        played.now = max(played.now, due_at)
        played.do(Wake())
        assert len(played.events) > before
        before = len(played.events)
    assert (played.worker.open_requests, played.worker.expiring) == ({}, {})


@given(TIMED)
def test_the_stored_state_is_the_fold(steps: list[tuple[int, Command]]) -> None:
    played = Played(steps)
    stored = canonical_json.decode_as(canonical_json.in_given_order(played.worker), Worker)
    worker: Worker | None = None
    for event in played.events:
        worker = DECIDER.evolve(worker, event)
    assert stored == played.worker == worker
