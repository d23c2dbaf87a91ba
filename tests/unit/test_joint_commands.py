"""Commands over several streams: written together, what was only read is relied on (DESIGN §4, ADR 14)."""

from typing import Any

import pytest

from producers.errors import Conflict, Forbidden
from producers.eventlog.batch import Batch
from producers.eventlog.commands import Identity, IdentityKey, Item, Outcome, Part, StreamHead, Submission
from schemas import hashing
from tests.purses import MARKET, OWNER, Market, Pay, Purse, market, pay, purse
from tests.submissions import NOON

A, B = purse("a"), purse("b")
OPEN = StreamHead(4, Market(is_open=True), OWNER)
CLOSED = StreamHead(4, Market(is_open=False), OWNER)


def paying(coins: int = 3, *parts: Part, identity: Identity | None = None) -> Submission:
    command = Pay(A.stream, B.stream, coins)
    return Submission(parts or (A, B, market()), pay, [Item(command, identity)], {"traceparent": "00-1"})


def decided(*submissions: Submission, open_market: StreamHead = OPEN, coins: int = 10) -> Batch:
    batch = Batch({A.stream: StreamHead(7, Purse(coins), OWNER), MARKET: open_market}, {}, NOON)
    for one in submissions:
        batch.decide(one)
    return batch


def answer(batch: Batch, index: int = 0) -> Outcome[Any]:
    found = batch.answers[index][1]
    assert not isinstance(found, Exception), found
    [outcome] = found
    return outcome


@pytest.mark.invariant("I3")
def test_what_is_written_together_has_its_place_in_every_stream() -> None:
    batch = decided(paying())
    assert [(event.stream, event.seq, event.kind, event.owner) for event in batch.events] == [
        (A.stream, 8, "purse", OWNER),
        (B.stream, 1, "purse", OWNER),
    ]
    assert [event.headers for event in batch.events] == [{"traceparent": "00-1"}] * 2
    assert batch.heads == {A.stream: (8, Purse(7), OWNER), B.stream: (1, Purse(3), OWNER)}


def test_the_outcome_has_all_states_and_the_seq_of_what_the_command_is_about() -> None:
    outcome = answer(decided(paying()))
    assert (outcome.seq, outcome.replayed) == (8, False)
    assert outcome.state == {A.stream: Purse(7), B.stream: Purse(3), MARKET: Market(is_open=True)}
    assert [event.stream for event in outcome.events] == [A.stream, B.stream]


@pytest.mark.invariant("I3")
def test_what_was_only_read_is_relied_on() -> None:
    batch = decided(paying())
    assert (set(batch.writes), batch.reads) == ({A.stream, B.stream}, {MARKET: 4})
    assert batch.columns()[9:11] == (MARKET, "{4}")


@pytest.mark.parametrize(("open_market", "coins"), [(CLOSED, 10), (OPEN, 2)])
def test_a_rejection_writes_nothing_and_relies_on_all_it_may_have_read(open_market: StreamHead, coins: int) -> None:
    batch = decided(paying(), open_market=open_market, coins=coins)
    assert isinstance(batch.answers[0][1], Conflict)
    assert (batch.events, batch.writes) == ([], {})
    assert batch.reads == {A.stream: 7, B.stream: 0, MARKET: 4}


def test_later_submissions_see_what_earlier_ones_wrote() -> None:
    batch = decided(paying(6), paying(6), paying(4))
    assert isinstance(batch.answers[1][1], Conflict)
    assert (answer(batch, 0).seq, answer(batch, 2).seq) == (8, 9)
    assert batch.heads[A.stream].state == Purse(0)


@pytest.mark.invariant("I6")
def test_a_known_identity_pays_once() -> None:
    key = Identity(IdentityKey("money:test", "k"), hashing.digest(3))
    batch = decided(paying(identity=key), paying(identity=key))
    assert [(answer(batch, index).seq, answer(batch, index).replayed) for index in (0, 1)] == [(8, False), (8, True)]
    assert batch.heads[A.stream].state == Purse(7)


@pytest.mark.invariant("I8")
@pytest.mark.parametrize("place", [0, 2])
def test_a_stream_stays_its_owners(place: int) -> None:
    """Of everything a command may touch, also of what it would only read."""
    parts = [A, B, market()]
    parts[place] = parts[place]._replace(owner="user:9")
    batch = decided(paying(3, *parts))
    assert isinstance(batch.answers[0][1], Forbidden)
    assert batch.events == []
