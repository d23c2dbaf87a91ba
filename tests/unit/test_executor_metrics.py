"""What passes and recoveries count: labels are the contract's, and never what a client made up (runtime §9)."""

from collections.abc import Callable

from prometheus_client import REGISTRY

from processors import executor_metrics
from producers.errors import Conflict
from producers.execution import Frame
from producers.loops import seen
from schemas.events import NewEvent
from schemas.names import run_stream
from schemas.runs_generated import LeaseAcquired, RunDelta, RunFinished, RunStarted
from tests.run_histories import RUN_ID, history

PREFIX = "openagents_runtime_"


def grown(work: Callable[[], object], name: str, **labels: str) -> float:
    """By how much a metric is more after it."""
    before = REGISTRY.get_sample_value(PREFIX + name, labels) or 0.0
    work()
    return (REGISTRY.get_sample_value(PREFIX + name, labels) or 0.0) - before


def frame(frame_id: str, frame_type: str) -> Frame:
    return Frame(frame_id, frame_type, {}, seen(frame_type, {}, "ab"))


def test_frames_count_by_type_and_whether_they_came_before() -> None:
    """runtime §9: executor.frame_processed.count"""
    events = history(run_stream(RUN_ID), [RunDelta("hi", "f-1")])
    entries = [frame("f-1", "user_message"), frame("f-2", "made.up"), None]

    def work() -> None:
        executor_metrics.passed(entries, events, ended=False)

    name = "executor_frame_processed_count_total"
    assert grown(work, name, frame_type="user_message", duplicate="false") == 1
    assert grown(work, name, frame_type="other", duplicate="true") == 1


def test_a_pass_counts_what_it_made_of_run_and_lease() -> None:
    """runtime §9: executor.run_started, terminal, run_once; lease.operation"""
    events: list[NewEvent] = [
        RunStarted(),
        RunFinished("failed", "made_up", "x"),
        LeaseAcquired("stolen", "a", "2026-02-20T12:00:30Z", 2),
    ]

    def work() -> None:
        executor_metrics.ran(history(run_stream(RUN_ID), events), 0.01)

    assert grown(work, "executor_run_started_count_total", status="running") == 1
    assert grown(work, "executor_terminal_count_total", status="failed", reason_class="other") == 1
    assert grown(work, "executor_run_once_count_total", result="ok", reason_class="other") == 1
    assert grown(work, "executor_run_once_duration_ms_sum", result="ok", reason_class="other") == 10
    assert grown(work, "lease_operation_count_total", action="acquire", result="stolen") == 1


def test_a_refused_pass_counts_why() -> None:
    """runtime §1.6: outcomes are metric values"""
    refused = Conflict("another executor has the run", reason_code="lease_held")

    def work() -> None:
        executor_metrics.refused(refused, 0.01)

    assert grown(work, "lease_operation_count_total", action="acquire", result="lease_held") == 1
    assert grown(work, "executor_run_once_count_total", result="refused", reason_class="lease_held") == 1


def test_a_look_at_expired_leases_is_summed_up() -> None:
    """runtime §4.3, §9: janitor.*"""

    def work() -> None:
        executor_metrics.swept(resumed=2, failed=1, skipped=3)

    assert grown(work, "janitor_cycle_count_total") == 1
    assert grown(work, "janitor_cycle_scanned_sum") == 6
    assert grown(work, "janitor_resumed_count_total") == 2
    assert grown(work, "janitor_failed_count_total", reason_class="executor_recovery_exhausted") == 1
