"""Submissions to worker streams, for tests of the log's pure parts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from producers.eventlog.commands import Decider, Identity, IdentityKey, Item, Part, Submission, alone
from producers.workers import DECIDER, AppendEvent, CreateWorker, StopWorker
from schemas import hashing
from schemas.names import worker_stream

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
OWNER = "user:41"


def stream(worker_id: str = "w:a") -> str:
    return worker_stream(OWNER, worker_id)


def submission(*items: Item[Any], worker_id: str = "w:a", size: int = 0) -> Submission:
    return submitted(DECIDER, worker_id, items, size)


def submitted(decider: Decider[Any, Any], worker_id: str, items: Sequence[Item[Any]], size: int = 0) -> Submission:
    """On one stream."""
    part = Part(stream(worker_id), OWNER, decider)
    return Submission((part,), alone(decider, part.stream), items, {"traceparent": "00-1"}, size, together=False)


def create(worker_id: str = "w:a") -> Item[Any]:
    return Item(CreateWorker(worker_id))


def append(content: int = 0, key: str | None = None) -> Item[Any]:
    """An event, with an identity when a key is given."""
    event = AppendEvent("worker.event", {"n": content})
    return Item(event, Identity(IdentityKey("event:test", key), hashing.digest(content)) if key else None)


def stop() -> Item[Any]:
    return Item(StopWorker())
