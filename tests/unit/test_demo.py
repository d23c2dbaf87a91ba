"""The demonstration's own checks notice what they are there for."""

import pytest
from oa_client.sync import WORKER_EVENTS, Update

from ops.demo import DemoFailed, check_order


def updates(*rows: tuple[int, str, int]) -> list[Update]:
    """Rows of (watermark, worker id, seq)."""
    return [
        Update(
            topic=WORKER_EVENTS,
            doc_key=f"runtime/codex_worker_event:{worker_id}:{seq}",
            doc_version=seq,
            watermark=watermark,
            payload={"workerId": worker_id, "seq": seq, "eventType": "worker.event", "payload": {}, "occurredAt": ""},
        )
        for watermark, worker_id, seq in rows
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(7, "a", 3), (9, "a", 4)],
        [(7, "a", 1), (8, "b", 5), (9, "a", 2), (12, "b", 6)],
    ],
)
def test_holes_between_watermarks_and_several_workers_are_in_order(rows: list[tuple[int, str, int]]) -> None:
    check_order(updates(*rows))


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([(7, "a", 1), (8, "a", 3)], "event 3 came after 1"),
        ([(7, "a", 2), (8, "a", 2)], "event 2 came after 2"),
        ([(8, "a", 1), (7, "a", 2)], "watermarks"),
        ([(7, "a", 1), (7, "b", 1)], "watermarks"),
    ],
)
def test_gaps_repeats_and_disorder_fail(rows: list[tuple[int, str, int]], complaint: str) -> None:
    with pytest.raises(DemoFailed, match=complaint):
        check_order(updates(*rows))
