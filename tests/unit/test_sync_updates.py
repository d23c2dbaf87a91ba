"""Updates and batches as the socket carries them (sync §13–14, §17)."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from edge.sync.updates import BATCH_BYTES, Update, batch, journal_update, live_batches, split, worker_event_update
from edge.sync.websocket import text_frame
from readmodels.journal import JournalRow
from schemas import hashing, names
from schemas.events import Recorded

AT = datetime(2026, 2, 20, 12, 0, 3, 104233, UTC)
MESSAGE_LIMIT = 1 << 20


def event(payload: dict[str, Any], *, position: int = 4711, seq: int = 12) -> Recorded:
    stream = names.worker_stream("user:41", "desktopw:demo")
    return Recorded(
        position, names.WORKER, stream, seq, "worker.event", 1, "user:41", payload, hashing.digest(payload), {}, AT
    )


def row(payload: dict[str, Any] | None, payload_hash: bytes = b"\x00" * 32) -> JournalRow:
    key = "runtime/codex_worker_summary:w1"
    return JournalRow(names.WORKER_SUMMARIES, 90, key, 3, payload, payload_hash, "user:41", 4711)


def test_a_worker_event_is_the_contracts_example_with_its_hash() -> None:
    inner = {"source": "autopilot-desktop", "method": "turn/started", "params": {"turnId": "t9"}}
    update = worker_event_update(event(inner))
    assert update.watermark == 4711
    assert json.loads(update.encoded) == {
        "topic": "runtime.codex_worker_events",
        "doc_key": "runtime/codex_worker_event:desktopw:demo:12",
        "doc_version": 12,
        "payload": {
            "workerId": "desktopw:demo",
            "worker_id": "desktopw:demo",
            "seq": 12,
            "eventType": "worker.event",
            "event_type": "worker.event",
            "payload": inner,
            "occurredAt": "2026-02-20T12:00:03.104233Z",
            "occurred_at": "2026-02-20T12:00:03.104233Z",
        },
        "payload_hash": "keuBDz6OIRPcGeWdw4XP0W9+mPIekqEY/E3RB18iIps=",
        "watermark": 4711,
        "hydration_required": False,
    }


def test_a_document_is_carried_inline_with_the_hash_of_its_row() -> None:
    update = json.loads(journal_update(row({"worker_id": "w1"}, hashing.digest({"worker_id": "w1"}))).encoded)
    assert update["payload"] == {"worker_id": "w1"}
    assert base64.b64decode(update["payload_hash"]) == hashing.digest({"worker_id": "w1"})
    assert (update["watermark"], update["doc_version"], update["hydration_required"]) == (90, 3, False)


def test_a_row_without_payload_is_a_pointer() -> None:
    update = json.loads(journal_update(row(None)).encoded)
    assert update["payload"] is None
    assert update["hydration_required"] is True
    assert len(update["payload_hash"]) == 44


@pytest.mark.parametrize("text", ["naïve ☃ 😀", 'quote " and \\ and /', "\x01\x1f\u2028\x7f", ""])
def test_text_survives(text: str) -> None:
    update = json.loads(worker_event_update(event({"text": text})).encoded)
    assert update["payload"]["payload"] == {"text": text}


def test_a_document_that_no_message_can_carry_becomes_a_pointer() -> None:
    update = journal_update(row({"text": "x" * MESSAGE_LIMIT}))
    assert json.loads(update.encoded)["hydration_required"] is True
    assert len(update.encoded) < 1000


def updates(count: int, size: int = 10) -> list[Update]:
    return [Update(number, b'"%b"' % (b"x" * (size - 2))) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("count", "rows", "sizes"),
    [(0, 2, []), (1, 2, [1]), (2, 2, [2]), (3, 2, [2, 1]), (4, 2, [2, 2]), (3, 1, [1, 1, 1])],
)
def test_batches_are_split_by_rows(count: int, rows: int, sizes: list[int]) -> None:
    assert list(map(len, split(updates(count), rows))) == sizes


@pytest.mark.parametrize("size", [BATCH_BYTES // 3, BATCH_BYTES // 2, BATCH_BYTES - 1, BATCH_BYTES])
def test_batches_are_split_by_bytes_and_none_reaches_a_mebibyte(size: int) -> None:
    everything = updates(7, size)
    parts = list(split(everything, 200))
    assert [update for part in parts for update in part] == everything
    assert all(len(batch(names.WORKER_EVENTS, part, head=7, complete=True)) < MESSAGE_LIMIT for part in parts)


def test_only_the_last_of_several_live_batches_catches_up() -> None:
    bodies = [json.loads(body) for body in live_batches("t", updates(5), 2, through=9)]
    assert [body["replay_complete"] for body in bodies] == [False, False, True]
    assert [body["head_watermarks"] for body in bodies] == [[{"topic": "t", "watermark": at}] for at in (2, 4, 9)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_prepared_frames_are_text_frames(size: int) -> None:
    peer = Protocol(Side.CLIENT)
    peer.receive_data(text_frame(b"x" * size))
    assert peer.events_received() == [Frame(Opcode.TEXT, b"x" * size)]


def test_a_pointer_keeps_everything_but_its_payload() -> None:
    large = row({"text": "x" * BATCH_BYTES})
    update, small = json.loads(journal_update(large).encoded), json.loads(journal_update(row({})).encoded)
    assert update == small | {"payload": None, "hydration_required": True}
    assert (small["topic"], small["doc_key"], small["doc_version"]) == (large.topic, large.doc_key, large.doc_version)


def test_a_batch_may_be_full_to_the_byte() -> None:
    """A comma or bracket besides each update."""
    half = BATCH_BYTES // 2
    fits = [Update(1, b"x" * (half - 1)), Update(2, b"x" * (half - 1))]
    assert [len(part) for part in split(fits, 9)] == [2]
    over = [fits[0], Update(2, b"x" * half)]
    assert [len(part) for part in split(over, 9)] == [1, 1]
    assert [len(part) for part in split([*over, Update(3, b"x" * (half - 1))], 9)] == [1, 1, 1]
    assert [len(part) for part in split([*over, Update(3, b"x" * (half - 2))], 9)] == [1, 2]


def test_each_part_of_several_tells_its_own_last_watermark() -> None:
    updates = [Update(number, b"{}") for number in (3, 5, 8, 9, 12)]
    batches = [json.loads(body) for body in live_batches("t", updates, 2, through=20)]
    assert [one["head_watermarks"][0]["watermark"] for one in batches] == [5, 9, 20]
    assert [one["replay_complete"] for one in batches] == [False, False, True]
