"""Worker events as tests want them: committed, in order, with the envelope the log would give them."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from readmodels.engine import Delivery
from schemas import avro, canonical_json, hashing, kafka_records, names
from schemas.events import NewEvent, OpenEvent, Payload, Recorded
from schemas.partitioning import partition_of
from schemas.workers import WorkerApprovalRequested, WorkerStarted, WorkerTurnUsage

NOON = datetime(2026, 2, 20, 12, 0, 0, 103_104, tzinfo=UTC)
STARTED = WorkerStarted("running", "desktop_bridge", "/desk", "/home/me/.codex", {"model": "stub"})


def heartbeat(payload: Payload | None = None) -> OpenEvent:
    return OpenEvent("worker.heartbeat", payload or {}, version=0)


BUSY = {"what": "turn", "since": "2026-02-20T11:59:00Z", "thread_id": "t", "turn_id": "u"}
TURN = WorkerTurnUsage("t", "u", "completed", 4, 0, 3, 0, 7)


def approval(approval_id: str) -> WorkerApprovalRequested:
    return WorkerApprovalRequested(
        approval_id, "command", "t", "u", "i", ["accept", "deny"], expires_at="2026-02-20T13:00:00Z"
    )


class Log:
    """Gives events their envelope; `events` is the log."""

    def __init__(self, first_position: int = 1) -> None:
        self.events: list[Recorded] = []
        self._next = first_position

    def append(self, worker_id: str, event: NewEvent, *, owner: str = "user:41", kind: str = names.WORKER) -> Recorded:
        return self.append_to(f"{kind}/{owner}/{worker_id}", event, owner)

    def append_to(self, stream: str, event: NewEvent, owner: str) -> Recorded:
        recorded = Recorded(
            position=self._next,
            kind=names.kind_of(stream),
            stream=stream,
            seq=1 + sum(before.stream == stream for before in self.events),
            type=event.type,
            version=event.version,
            owner=owner,
            payload=event.body(),
            digest=hashing.digest(event.body()),
            headers={},
            recorded_at=NOON + timedelta(seconds=self._next),
        )
        self._next += 1
        self.events.append(recorded)
        return recorded

    async def fill(
        self, partition: int, after: int, up_to: int, *, partitions: int = 6, page: int = 3
    ) -> list[Recorded]:
        """The engine's way to the log, in small pages."""
        between = (event for event in self.events if after < event.position <= up_to)
        return [event for event in between if partition_in(event, partitions) == partition][:page]


def partition_in(event: Recorded, partitions: int) -> int:
    return partition_of(names.kafka_key(event.stream), partitions)


def delivered(events: Iterable[Recorded], partitions: int = 6) -> dict[int, list[Delivery]]:
    """What the relay would publish, by partition."""
    batch: dict[int, list[Delivery]] = {}
    for event in events:
        earlier = batch.setdefault(partition_in(event, partitions), [])
        earlier.append(Delivery(event, earlier[-1].event.position if earlier else 0, 1))
    return batch


async def commit(pool: "asyncpg.Pool[Any]", events: Sequence[Recorded]) -> None:
    """Put events into the log's table and move its head."""
    rows = [_columns(event) for event in events]
    async with pool.acquire() as connection, connection.transaction():
        await connection.executemany("insert into events values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)", rows)
        await connection.execute("update log_head set position = greatest(position, $1)", events[-1].position)


def _columns(event: Recorded) -> tuple[Any, ...]:
    payload = canonical_json.encode(event.payload).decode()
    return msgspec.structs.astuple(msgspec.structs.replace(event, payload=payload, headers=json.dumps(event.headers)))


def kafka_record(delivery: Delivery) -> tuple[bytes, bytes, kafka_records.Headers]:
    """Key, value and headers, as the relay writes them."""
    headers = kafka_records.headers(delivery.event, previous=delivery.prev, epoch=delivery.epoch)
    return names.kafka_key(delivery.event.stream), avro.encode(delivery.event), headers
