"""Where submissions wait: fair by stream, one batch a stream, batches of a bounded size (DESIGN §4)."""

import asyncio

import pytest

from producers.eventlog.commands import Part, Submission
from producers.eventlog.gathering import Gathering, Waiting
from producers.eventlog.recent import Recent
from producers.workers import DECIDER
from tests.submissions import OWNER, create, stream, submission

MIB = 1024 * 1024


def put(gathering: Gathering, *worker_ids: str, size: int = 0) -> None:
    for worker_id in worker_ids:
        gathering.put(submission(create(worker_id), worker_id=worker_id, size=size))


def put_together(gathering: Gathering, *worker_ids: str) -> None:
    parts = tuple(Part(stream(worker_id), OWNER, DECIDER) for worker_id in worker_ids)
    gathering.put(Submission(parts, lambda states, command, now: [], []))


def taken(batch: list[Waiting]) -> list[str]:
    return [one.stream.rsplit(":", 1)[1] for one, _ in batch]


async def test_streams_are_taken_whole_in_the_order_they_came() -> None:
    gathering = Gathering(1)
    put(gathering, "w:a", "w:b", "w:a")
    assert taken(gathering.take()) == ["a", "a", "b"]
    assert gathering.take() == []


@pytest.mark.invariant("I3")
async def test_a_stream_is_in_one_batch_at_a_time() -> None:
    gathering = Gathering(1)
    put(gathering, "w:a")
    first = gathering.take()
    put(gathering, "w:a", "w:b")
    second = gathering.take()
    assert taken(second) == ["b"]
    gathering.release(first)
    assert taken(gathering.take()) == ["a"]


@pytest.mark.invariant("I3")
async def test_what_needs_two_streams_waits_for_both_and_keeps_its_place() -> None:
    gathering = Gathering(2)
    put(gathering, "w:a", "w:b", "w:x")
    of_a, of_b = gathering.take(), gathering.take()
    assert (taken(of_a), taken(of_b)) == (["a", "b"], ["x"])
    put_together(gathering, "w:c", "w:a")
    put(gathering, "w:c")
    put_together(gathering, "w:x", "w:c")
    assert gathering.take() == []
    gathering.release(of_a)
    assert gathering.take() == []
    gathering.release(of_b)
    assert [*taken(gathering.take()), *taken(gathering.take())] == ["c", "c"]


async def test_streams_that_nothing_holds_together_any_more_part_again() -> None:
    gathering = Gathering(2)
    put_together(gathering, "w:a", "w:b")
    gathering.release(gathering.take())
    put(gathering, "w:a", "w:b")
    assert (taken(gathering.take()), taken(gathering.take())) == (["a"], ["b"])


async def test_a_committer_leaves_its_share_to_the_others() -> None:
    gathering = Gathering(2)
    put(gathering, "w:a", "w:b", "w:c", "w:d", "w:e")
    assert taken(gathering.take()) == ["a", "b", "c"]
    assert taken(gathering.take()) == ["d", "e"]


async def test_what_is_left_of_a_stream_waits_until_its_batch_has_ended() -> None:
    gathering = Gathering(2)
    put(gathering, "w:a", "w:a", "w:a")
    first = gathering.take()
    assert taken(first) == ["a", "a"]
    assert gathering.take() == []
    gathering.release(first)
    assert taken(gathering.take()) == ["a"]


async def test_a_batch_has_at_most_256_submissions() -> None:
    gathering = Gathering(1)
    put(gathering, *[f"w:{number}" for number in range(300)])
    assert len(gathering.take()) == 256
    assert len(gathering.take()) == 44


async def test_a_batch_ends_at_4_mib() -> None:
    gathering = Gathering(1)
    put(gathering, "w:a", "w:a", "w:b", "w:c", size=2 * MIB)
    assert taken(gathering.take()) == ["a", "a"]
    assert taken(gathering.take()) == ["b", "c"]


async def test_a_batch_ends_at_4_mib_within_a_stream_too() -> None:
    gathering = Gathering(1)
    put(gathering, "w:a", "w:a", "w:a", size=2 * MIB)
    assert taken(gathering.take()) == ["a", "a"]


async def test_it_is_told_how_much_waits_and_how_much_has_left() -> None:
    gathering = Gathering(1)
    put(gathering, "w:a", "w:b")
    batch = gathering.take()
    put(gathering, "w:c")
    assert (gathering.unsettled, gathering.released) == (3, 0)
    gathering.release(batch)
    assert (gathering.unsettled, gathering.released) == (1, 2)
    gathering.release(gathering.take())
    assert (gathering.unsettled, gathering.released) == (0, 3)


async def test_ready_waits_for_something_to_take() -> None:
    gathering = Gathering(1)
    ready = asyncio.create_task(gathering.ready(alone=False))
    await asyncio.sleep(0)
    assert not ready.done()
    put(gathering, "w:a")
    await asyncio.wait_for(ready, 5)


async def test_ready_alone_waits_for_the_batch_in_flight() -> None:
    gathering = Gathering(2)
    put(gathering, "w:a", "w:b")
    first = gathering.take()
    await asyncio.wait_for(gathering.ready(alone=False), 5)
    ready = asyncio.create_task(gathering.ready(alone=True))
    await asyncio.sleep(0)
    assert not ready.done()
    gathering.release(first)
    await asyncio.wait_for(ready, 5)


async def test_draining_hands_over_everybody_who_waits() -> None:
    gathering = Gathering(2)
    put(gathering, "w:a", "w:b", "w:a")
    in_flight = gathering.take()
    put(gathering, "w:a", "w:b", "w:c")
    assert len(in_flight) + len(gathering.drain()) == 6
    assert gathering.drain() == []
    assert gathering.unsettled == len(in_flight)


async def test_whoever_submits_waits_for_its_own_answer() -> None:
    gathering = Gathering(1)
    answers = [gathering.put(submission(create(worker_id), worker_id=worker_id)) for worker_id in ("w:a", "w:b")]
    assert [future for _, future in gathering.take()] == answers
    assert not any(answer.done() for answer in answers)


def test_recent_forgets_what_was_not_used_for_longest() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]
    recent.put("a", 4)
    recent.put("d", 5)
    assert [recent.get(key) for key in "acd"] == [4, None, 5]
    recent.forget("a")
    recent.forget("a")
    assert recent.get("a") is None
