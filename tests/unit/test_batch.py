"""A batch of submissions: what is decided, what is relied on, what goes to Postgres (DESIGN §4; I3, I6)."""

from dataclasses import replace
from typing import Any

import pytest

from producers.errors import Conflict, IdentityConflict, NotFound, TooLarge
from producers.eventlog.batch import MAX_PAYLOAD_BYTES, Batch
from producers.eventlog.commands import IdentityKey, Item, Outcome, Remembered, StreamHead, Submission
from producers.workers import DECIDER, AppendEvent, Worker
from schemas import canonical_json, hashing
from tests.submissions import NOON, OWNER, append, create, stop, stream, submission, submitted

KEY = IdentityKey("event:test", "k")


def decided(*submissions: Submission, heads: dict[str, StreamHead] | None = None) -> Batch:
    batch = Batch(heads or {}, {}, NOON)
    for one in submissions:
        batch.decide(one)
    return batch


def outcomes(batch: Batch, index: int = 0) -> list[Outcome[Worker]]:
    answer = batch.answers[index][1]
    assert not isinstance(answer, Exception)
    return list(answer)


def after(*submissions: Submission) -> dict[str, StreamHead]:
    """The heads as the log keeps them once these were committed."""
    return dict(decided(*submissions).heads)


@pytest.mark.invariant("I3")
def test_seqs_go_on_from_the_head_without_a_gap_also_across_submissions() -> None:
    heads = after(submission(create(), append()))
    batch = decided(submission(append(), append()), submission(append()), heads=heads)
    assert [event.seq for event in batch.events] == [3, 4, 5]
    assert [outcome.seq for outcome in outcomes(batch)] == [3, 4]
    assert batch.heads[stream()].seq == 5


def test_an_event_is_recorded_as_it_was_decided() -> None:
    [event] = decided(submission(create())).events
    [outcome] = outcomes(decided(submission(create())))
    assert (event.position, event.kind, event.stream, event.seq) == (0, "worker", stream(), 1)
    assert (event.type, event.version, event.owner) == ("worker.started", 1, OWNER)
    assert (event.headers, event.recorded_at) == ({"traceparent": "00-1"}, NOON)
    assert event.digest == hashing.digest(event.payload)
    assert outcome.events == (event,)
    assert not outcome.replayed


def test_an_outcome_has_the_events_and_the_state_of_its_command_only() -> None:
    first, second, third = outcomes(decided(submission(create(), append(7), stop())))
    assert [len(outcome.events) for outcome in (first, second, third)] == [1, 1, 1]
    assert second.events[0].payload == {"n": 7}
    assert (first.state.status, second.state.status, third.state.status) == ("running", "running", "stopped")


def test_positions_are_told_in_order_once_they_are_known() -> None:
    batch = decided(submission(create(), append()), submission(create("w:b"), worker_id="w:b"))
    batch.placed(70)
    assert [event.position for event in batch.events] == [71, 72, 73]


def test_a_submission_with_a_rejection_leaves_nothing_behind() -> None:
    batch = decided(submission(create(), append(key="k"), stop(), append()))
    [(_, answer)] = batch.answers
    assert isinstance(answer, Conflict)
    assert (batch.events, batch.writes, batch.heads, batch.commands) == ([], {}, {}, {})
    assert batch.reads == {stream(): 0}


def test_a_rejection_relies_on_the_version_it_was_decided_on() -> None:
    heads = after(submission(create(), stop()))
    batch = decided(submission(append()), heads=heads)
    assert isinstance(batch.answers[0][1], Conflict)
    assert batch.reads == {stream(): 2}


def test_a_command_without_events_is_a_replay_and_relies_on_what_it_read() -> None:
    batch = decided(submission(create()), heads=after(submission(create(), append())))
    [outcome] = outcomes(batch)
    assert (outcome.replayed, outcome.seq, outcome.events) == (True, 2, ())
    assert (batch.reads, batch.writes, batch.events) == ({stream(): 2}, {}, [])


def test_what_is_written_needs_no_check_of_what_was_read() -> None:
    """The write checks its version itself; a version read before it would be wrong after it."""
    first, last = submission(create()), submission(append())
    batch = decided(first, submission(create()), last)
    assert batch.reads == {}
    assert list(batch.writes) == [stream()]
    before_the_write = decided(submission(create()), submission(append()), heads=after(submission(create())))
    assert before_the_write.reads == {stream(): 1}
    assert before_the_write.columns()[9:11] == ("", "{}")


@pytest.mark.invariant("I6")
def test_a_known_identity_answers_what_it_answered_first() -> None:
    heads = after(submission(create(), append(), append()))
    batch = Batch(heads, {KEY: Remembered(hashing.digest(0), {"seq": 2})}, NOON)
    batch.decide(submission(append(key="k")))
    [outcome] = outcomes(batch)
    assert (outcome.seq, outcome.replayed, outcome.events) == (2, True, ())
    assert outcome.state == heads[stream()].state
    assert (batch.events, batch.commands) == ([], {})


@pytest.mark.invariant("I6")
@pytest.mark.parametrize("together", [True, False])
def test_an_identity_repeated_within_a_batch_is_executed_once(together: bool) -> None:
    twice = [append(key="k"), append(key="k")]
    rest = [submission(*twice)] if together else [submission(item) for item in twice]
    batch = decided(submission(create()), *rest)
    assert [event.seq for event in batch.events] == [1, 2]
    answers = [outcome for index in range(1, len(batch.answers)) for outcome in outcomes(batch, index)]
    assert [(outcome.seq, outcome.replayed) for outcome in answers] == [(2, False), (2, True)]
    assert batch.commands == {KEY: Remembered(hashing.digest(0), {"seq": 2})}


@pytest.mark.invariant("I6")
def test_other_content_under_a_known_identity_is_a_conflict() -> None:
    batch = decided(submission(create(), append(1, key="k")), submission(append(2, key="k")))
    assert isinstance(batch.answers[1][1], IdentityConflict)
    assert str(batch.answers[1][1]) == "the same identity came with other content before"
    assert len(batch.events) == 2


@pytest.mark.invariant("I6")
def test_an_identity_behind_a_rejection_is_unsure_until_the_table_was_asked() -> None:
    refused = submission(append(key="k"))
    assert decided(refused).unsure == {KEY}
    assert isinstance(decided(refused).answers[0][1], NotFound)
    known = Batch({}, {KEY: Remembered(hashing.digest(1), {"seq": 1})}, NOON)
    known.decide(refused)
    assert known.unsure == set()


@pytest.mark.invariant("I6")
def test_a_rejection_is_not_remembered() -> None:
    batch = decided(submission(append(key="k")), submission(create()), submission(append(key="k")))
    assert [outcome.replayed for outcome in outcomes(batch, 2)] == [False]


def test_a_payload_may_be_512_kib_of_canonical_json() -> None:
    """`{"text":""}` is eleven bytes."""
    fits = Item(AppendEvent("worker.event", {"text": "x" * (MAX_PAYLOAD_BYTES - 11)}))
    too_large = Item(AppendEvent("worker.event", {"text": "x" * (MAX_PAYLOAD_BYTES - 10)}))
    batch = decided(submission(create(), fits), submission(too_large))
    assert len(batch.events) == 2
    assert isinstance(batch.answers[1][1], TooLarge)
    assert str(batch.answers[1][1]) == "an event's payload may be 524288 bytes of canonical JSON at most"


def test_a_deciders_bug_is_its_callers_and_nobody_elses() -> None:
    class Unheard:
        pass

    batch = decided(submission(create()), submission(Item(Unheard())), submission(append()))
    assert isinstance(batch.answers[1][1], TypeError)
    assert [event.seq for event in batch.events] == [1, 2]


def test_the_columns_are_what_the_append_function_takes() -> None:
    heads = after(submission(create("w:b"), worker_id="w:b"))
    batch = decided(
        submission(create(), append(7, key="k")),
        submission(create("w:b"), worker_id="w:b"),
        submission(append(8)),
        heads=heads,
    )
    now, *columns = batch.columns()
    written, commands, (count, *events) = columns[:10], columns[10:14], columns[14:]
    state = batch.heads[stream()].state
    assert now == NOON
    assert written == [
        stream(),
        "{0}",
        "{3}",
        "worker",
        OWNER,
        canonical_json.in_given_order(state).decode(),
        f"{{{DECIDER.state_version}}}",
        "{NULL}",
        stream("w:b"),
        "{1}",
    ]
    assert commands == ["event:test", "k", hashing.digest(7).hex(), '{"seq":2}']
    digests = "\x1f".join(event.digest.hex() for event in batch.events)
    assert (count, events[0], events[1]) == (3, "worker\x1fworker\x1fworker", "\x1f".join([stream()] * 3))
    assert events[2:6] == [
        "{1,2,3}",
        "worker.started\x1fworker.event\x1fworker.event",
        "{1,0,0}",
        "\x1f".join([OWNER] * 3),
    ]
    assert events[6].split("\x1f")[1:] == ['{"n":7}', '{"n":8}']
    assert events[7] == digests
    assert events[8] == "\x1f".join(['{"traceparent":"00-1"}'] * 3)


def test_a_write_expects_the_version_it_was_decided_on() -> None:
    columns = decided(submission(append(), append()), heads=after(submission(create(), append()))).columns()
    assert columns[2:4] == ("{2}", "{4}")


def test_a_decider_is_told_the_batchs_time() -> None:
    asked: list[Any] = []

    def decide(state: Worker | None, command: object, now: object) -> list[Any]:
        asked.append((state, command, now))
        return []

    decider = replace(DECIDER, decide=decide)
    decided(submitted(decider, "w:a", [Item("anything")]))
    assert asked == [(None, "anything", NOON)]
