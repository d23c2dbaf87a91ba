"""Events on their way to the edge: order, batches, repetition, what is refused, what is left out when it is full."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest
from oa_client import NewEvent
from oa_client.errors import Conflict, InvalidInput, ServerFailed, Unauthorized, Unreachable
from oa_client.worker.outbox import Outbox
from oa_client.worker.store import Store
from oa_client.workers import Payload

NOON = "2026-02-25T12:00:00.000000Z"


class Edge:
    """Takes batches; answers the first ones with the given errors, and refuses what it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.batches: list[list[NewEvent]] = []
        self.recorded: dict[str, Payload] = {}
        self.refuses: Callable[[Payload], Exception | None] = lambda payload: None
        self.taken: set[str] = set()
        self.is_away = False
        self.reached = asyncio.Event()

    async def post(self, events: Sequence[NewEvent]) -> None:
        await asyncio.sleep(0)
        self.batches.append(list(events))
        self.reached.set()
        if self.is_away:
            await asyncio.Event().wait()
        if self.failures:
            raise self.failures.pop(0)
        payloads = {event.event_id: msgspec.json.decode(msgspec.json.encode(event.payload)) for event in events}
        if self.taken & payloads.keys():
            raise Conflict(409, "conflict", "a known event id with other content")
        for refused in map(self.refuses, payloads.values()):
            if refused:
                raise refused
        self.recorded |= payloads

    def numbers(self) -> list[list[int]]:
        return [[int(event.event_id.rpartition(":")[2]) for event in batch] for batch in self.batches]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store.open(tmp_path / "worker.sqlite")
    yield store
    store.close()


def outbox_of(store: Store, edge: Edge, capacity_bytes: int = 1 << 28) -> Outbox:
    return Outbox(edge.post, store, lambda: NOON, capacity_bytes)


async def deliver(outbox: Outbox) -> None:
    """Until nothing waits any more."""
    running, delivered = asyncio.create_task(outbox.run()), asyncio.create_task(outbox.delivered())
    await asyncio.wait([running, delivered], return_when=asyncio.FIRST_COMPLETED)
    for task in (running, delivered):
        task.cancel()
    outcome, _ = await asyncio.gather(running, delivered, return_exceptions=True)
    if not isinstance(outcome, asyncio.CancelledError):
        raise outcome


def delta(n: int) -> Payload:
    return {"method": "item/agentMessage/delta", "params": {"delta": f"word {n}"}}


async def test_what_waits_goes_out_as_one_batch_in_order(store: Store) -> None:
    edge = Edge()
    outbox = outbox_of(store, edge)
    for n in range(5):
        await outbox.put("worker.event", {"n": n})
    await deliver(outbox)
    assert edge.numbers() == [[1, 2, 3, 4, 5]]
    assert [payload["n"] for payload in edge.recorded.values()] == [0, 1, 2, 3, 4]


async def test_a_batch_is_repeated_with_the_same_ids_until_it_is_acknowledged(store: Store) -> None:
    edge = Edge(Unreachable("cut"), ServerFailed(503, "", "down"))
    outbox = outbox_of(store, edge)
    for n in range(2):
        await outbox.put("worker.event", {"n": n})
    await deliver(outbox)
    assert edge.numbers() == [[1, 2]] * 3


async def test_a_batch_has_at_most_500_events(store: Store) -> None:
    edge = Edge()
    outbox = outbox_of(store, edge)
    for _ in range(1_100):
        await outbox.put("worker.event", {})
    await deliver(outbox)
    assert [len(batch) for batch in edge.batches] == [500, 500, 100]
    assert list(chain(*edge.numbers())) == list(range(1, 1_101))


async def test_a_batch_stays_below_one_mebibyte(store: Store) -> None:
    edge = Edge()
    outbox = outbox_of(store, edge)
    for _ in range(9):
        await outbox.put("worker.event", {"text": "x" * 250_000})
    await deliver(outbox)
    assert list(chain(*edge.numbers())) == list(range(1, 10))
    assert all(len(msgspec.json.encode({"events": batch})) <= 1 << 20 for batch in edge.batches)


async def test_a_refusal_that_no_repetition_mends_ends_the_delivery(store: Store) -> None:
    outbox = outbox_of(store, Edge(Unauthorized(401, "", "Unauthenticated.")))
    await outbox.put("worker.event", {})
    with pytest.raises(Unauthorized):
        await deliver(outbox)


async def test_the_next_daemon_delivers_what_waits_under_the_same_ids(tmp_path: Path) -> None:
    edge = Edge()
    store = Store.open(tmp_path / "kept.sqlite")
    for n in range(3):
        await outbox_of(store, edge).put("worker.event", {"n": n})
    identity = store.identity
    store.close()
    store = Store.open(tmp_path / "kept.sqlite")
    outbox = outbox_of(store, edge)
    await outbox.put("worker.event", {"n": 3})
    await deliver(outbox)
    store.close()
    assert edge.recorded == {f"{identity}:{n + 1}": {"n": n} for n in range(4)}


async def test_a_number_that_the_edge_has_seen_is_never_given_to_another_event(tmp_path: Path) -> None:
    edge = Edge()
    edge.is_away = True
    store = Store.open(tmp_path / "killed.sqlite")
    outbox = outbox_of(store, edge)
    await outbox.put("worker.event", {"n": 0})
    posting = asyncio.create_task(outbox.run())
    await edge.reached.wait()
    posting.cancel()
    store._connection.rollback()  # what the death of its process does
    store.close()
    store = Store.open(tmp_path / "killed.sqlite")
    outbox = outbox_of(store, edge)
    await outbox.put("worker.event", {"n": 1})
    edge.is_away = False
    await deliver(outbox)
    store.close()
    assert [payload["n"] for payload in edge.recorded.values()] == [0, 1]


async def test_what_streams_gathers(store: Store) -> None:
    edge, loop = Edge(), asyncio.get_running_loop()
    outbox = outbox_of(store, edge)
    running = asyncio.create_task(outbox.run())
    started = loop.time()
    for n in range(300):
        await outbox.put("worker.event", delta(n))
        await asyncio.sleep(0.001)
    await outbox.delivered()
    allowed = 2 + (loop.time() - started) / 0.02
    running.cancel()
    assert len(edge.batches) <= allowed
    assert list(chain(*edge.numbers())) == list(range(1, 301))


@pytest.mark.parametrize("error", [InvalidInput(422, "invalid_request", "no"), Conflict(409, "conflict", "no")])
async def test_an_event_that_is_refused_is_replaced_by_what_was_refused_and_the_rest_arrives(
    store: Store, error: Any
) -> None:
    edge = Edge()
    edge.refuses = lambda payload: error if payload.get("method") == "item/completed" else None
    outbox = outbox_of(store, edge)
    for n in range(20):
        await outbox.put("worker.event", {"method": "item/completed" if n == 13 else "item/started", "n": n})
    await deliver(outbox)
    recorded = list(edge.recorded.values())
    assert [payload.get("n") for payload in recorded] == [*range(13), None, *range(14, 20)]
    assert recorded[13]["method"] == "worker/event_refused"
    told = {"event_type": "worker.event", "method": "item/completed", "status": error.status, "message": "no"}
    assert recorded[13]["params"] == told


async def test_what_stands_in_for_an_event_has_an_id_of_its_own(store: Store) -> None:
    edge = Edge()
    edge.taken = {f"{store.identity}:1"}
    outbox = outbox_of(store, edge)
    for n in range(3):
        await outbox.put("worker.event", {"n": n})
    await deliver(outbox)
    assert list(edge.recorded) == [f"{store.identity}:{n}" for n in ("1:refused", "2", "3")]


async def test_an_edge_that_refuses_even_that_ends_the_delivery(store: Store) -> None:
    edge = Edge()
    edge.refuses = lambda payload: InvalidInput(400, "", "nothing at all")
    outbox = outbox_of(store, edge)
    await outbox.put("worker.event", {})
    with pytest.raises(InvalidInput):
        await deliver(outbox)


async def test_when_all_is_full_deltas_are_left_out_and_counted_where_they_were(store: Store) -> None:
    edge = Edge()
    outbox = outbox_of(store, edge, capacity_bytes=8_000)
    for n in range(100):
        await outbox.put("worker.event", delta(n))
    await outbox.put("worker.event", {"method": "item/completed"})
    for n in range(100, 110):
        await outbox.put("worker.event", delta(n))
    await deliver(outbox)
    *kept, gap, completed = edge.recorded.values()
    assert [payload["params"]["delta"] for payload in kept] == [f"word {n}" for n in range(len(kept))]
    assert (gap["method"], gap["params"]) == ("worker/outbox_gap", {"dropped": 110 - len(kept), "since": NOON})
    assert completed["method"] == "item/completed"


async def test_a_gap_that_is_being_posted_is_not_changed_any_more(store: Store) -> None:
    edge = Edge()
    edge.is_away = True
    outbox = outbox_of(store, edge, capacity_bytes=2_000)
    for n in range(20):
        await outbox.put("worker.event", delta(n))
    posting = asyncio.create_task(outbox.run())
    await edge.reached.wait()
    for n in range(20, 30):
        await outbox.put("worker.event", delta(n))
    posting.cancel()
    edge.is_away = False
    await deliver(outbox)
    gaps = [payload["params"]["dropped"] for payload in edge.recorded.values() if "gap" in payload["method"]]
    assert gaps == [20 - (len(edge.recorded) - 2), 10]


async def test_what_is_still_too_much_is_not_taken_until_there_is_room(store: Store) -> None:
    edge = Edge()
    outbox = outbox_of(store, edge, capacity_bytes=2_000)
    for _ in range(4):
        await outbox.put("worker.event", {"method": "item/completed", "text": "x" * 400})
    waiting = asyncio.create_task(outbox.put("worker.event", {"method": "item/completed"}))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await deliver(outbox)
    await waiting
    await deliver(outbox)
    assert len(edge.recorded) == 5
