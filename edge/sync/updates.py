"""Updates: rows of a topic as the socket carries them, each encoded once (sync §13, §14.1)."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from readmodels.journal import JournalRow
from schemas import names, times
from schemas.events import Recorded
from schemas.hashing import wire_digest

BATCH_BYTES: Final = 900_000
"""Of updates in one message: with envelope and the longest refs it stays below 1 MiB (sync §17, SD-8)."""


class Update(NamedTuple):
    """A row, encoded; `headers` are those of its event, for a topic of the log."""

    watermark: int
    encoded: bytes
    headers: Mapping[str, str] = {}


def worker_event_update(event: Recorded) -> Update:
    """A worker's event: watermark = position, doc_version = seq (SD-3)."""
    worker_id, occurred_at = names.worker_id_of(event.stream), times.iso6(event.recorded_at)
    payload = {
        "workerId": worker_id,
        "worker_id": worker_id,
        "seq": event.seq,
        "eventType": event.type,
        "event_type": event.type,
        "payload": event.payload,
        "occurredAt": occurred_at,
        "occurred_at": occurred_at,
    }
    doc_key = f"runtime/codex_worker_event:{worker_id}:{event.seq}"
    digest = wire_digest(payload)
    return _update(names.WORKER_EVENTS, doc_key, event.seq, payload, digest, event.position, event.headers)


def journal_update(row: JournalRow) -> Update:
    """A row of a document topic; without its payload it is a pointer (sync §13)."""
    payload_hash = base64.b64encode(row.payload_hash).decode("ascii")
    return _update(row.topic, row.doc_key, row.doc_version, row.payload, payload_hash, row.watermark)


def split(updates: Sequence[Update], rows: int) -> Iterator[Sequence[Update]]:
    """Batches of at most `rows` updates and BATCH_BYTES bytes, at least one update each."""
    start = size = 0
    for index, update in enumerate(updates):
        size += len(update.encoded) + 1
        if index > start and (size > BATCH_BYTES or index - start >= rows):
            yield updates[start:index]
            start, size = index, len(update.encoded) + 1
    if start < len(updates):
        yield updates[start:]


def batch(topic: str, updates: Sequence[Update], *, head: int, complete: bool) -> bytes:
    """Payload of one `sync:update_batch`; `head` is what the socket is served through with it (SD-4)."""
    rows = b",".join([update.encoded for update in updates])
    done = b"true" if complete else b"false"
    return b'{"updates":[%b],"replay_complete":%b,"head_watermarks":[{"topic":%b,"watermark":%d}]}' % (
        rows,
        done,
        msgspec.json.encode(topic),
        head,
    )


def live_batches(topic: str, updates: Sequence[Update], rows: int, *, through: int) -> list[bytes]:
    """Payloads that catch up with `through`: the last one says so."""
    parts = list(split(updates, rows))
    unfinished = [batch(topic, part, head=part[-1].watermark, complete=False) for part in parts[:-1]]
    return [*unfinished, batch(topic, parts[-1], head=through, complete=True)]


def _update(
    topic: str,
    doc_key: str,
    doc_version: int,
    payload: Any,
    payload_hash: str,
    watermark: int,
    headers: Mapping[str, str] = {},
) -> Update:
    encoded = _encoded(topic, doc_key, doc_version, payload, payload_hash, watermark)
    if len(encoded) > BATCH_BYTES:
        encoded = _encoded(topic, doc_key, doc_version, None, payload_hash, watermark)
    return Update(watermark, encoded, headers)


def _encoded(topic: str, doc_key: str, doc_version: int, payload: Any, payload_hash: str, watermark: int) -> bytes:
    return msgspec.json.encode(
        {
            "topic": topic,
            "doc_key": doc_key,
            "doc_version": doc_version,
            "payload": payload,
            "payload_hash": payload_hash,
            "watermark": watermark,
            "hydration_required": payload is None,
        }
    )
