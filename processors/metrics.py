"""What the processors count."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_KHALA: Final = "openagents_runtime_khala_projection_"
_BUCKETS_MS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000, 30_000)

WRITES: Final = Counter(
    _KHALA + "write_count",
    "Documents written, batches that brought nothing new, documents and batches that failed.",
    ["projection", "result"],
)
WRITE_MS: Final = Histogram(
    _KHALA + "write_duration_ms", "From a batch to its commit.", ["projection", "result"], buckets=_BUCKETS_MS
)
PROJECTION_LAG: Final = Histogram(
    _KHALA + "lag_events",
    "Log positions from the oldest unapplied event, seen once a second.",
    ["projection", "result"],
    buckets=(0, 1, 5, 10, 25, 50, 100, 500, 1_000, 10_000, 100_000),
)
WRITE_FAILURES: Final = Counter(
    _KHALA + "write_failure_count",
    "Documents that an event was refused by, and batches to be tried again.",
    ["projection", "reason_class"],
)
DRIFTS: Final = Counter(
    _KHALA + "drift_count", "Documents that were found to differ from the log.", ["projection", "reason_class"]
)
REPLAYS: Final = Counter(
    _KHALA + "replay_count",
    "Readings of the log for what never arrived, and for what is made anew.",
    ["scope", "result"],
)
REPLAY_MS: Final = Histogram(
    _KHALA + "replay_duration_ms", "From its beginning to its last commit.", ["scope", "result"], buckets=_BUCKETS_MS
)
PARITY_FAILURES: Final = Counter(
    "openagents_runtime_parity_failure_count",
    "Differences that audits found between the log and what was published of it.",
    ["class", "reason_class", "component", "outcome"],
)

_RUNTIME: Final = "openagents_runtime_"
_A_CYCLE: Final = (0, 1, 2, 5, 10, 50, 100, 1_000)

FRAMES_PROCESSED: Final = Counter(
    _RUNTIME + "executor_frame_processed_count", "Frames that passes took.", ["frame_type", "duplicate"]
)
RUNS_STARTED: Final = Counter(_RUNTIME + "executor_run_started_count", "Runs that were taken up.", ["status"])
RUNS_ENDED: Final = Counter(_RUNTIME + "executor_terminal_count", "Runs that passes ended.", ["status", "reason_class"])
PASSES: Final = Counter(_RUNTIME + "executor_run_once_count", "Passes.", ["result", "reason_class"])
PASS_MS: Final = Histogram(
    _RUNTIME + "executor_run_once_duration_ms",
    "From a pass to its commit.",
    ["result", "reason_class"],
    buckets=_BUCKETS_MS,
)
LEASE_OPERATIONS: Final = Counter(
    _RUNTIME + "lease_operation_count", "What became of what executors wanted.", ["action", "result"]
)
JANITOR_CYCLES: Final = Counter(_RUNTIME + "janitor_cycle_count", "Looks at all expired leases.")
JANITOR_SCANNED: Final = Histogram(_RUNTIME + "janitor_cycle_scanned", "Expired leases.", buckets=_A_CYCLE)
JANITOR_RESUMED: Final = Histogram(_RUNTIME + "janitor_cycle_resumed", "Runs taken over.", buckets=_A_CYCLE)
JANITOR_FAILED: Final = Histogram(_RUNTIME + "janitor_cycle_failed", "Runs given up.", buckets=_A_CYCLE)
JANITOR_SKIPPED: Final = Histogram(_RUNTIME + "janitor_cycle_skipped", "Leases left alone.", buckets=_A_CYCLE)
RUNS_RESUMED: Final = Counter(_RUNTIME + "janitor_resumed_count", "Runs taken over.")
RUNS_GIVEN_UP: Final = Counter(_RUNTIME + "janitor_failed_count", "Runs given up.", ["reason_class"])

EVENTS_APPLIED: Final = Counter("oa_projection_events", "Events applied to a view", ["view"])
BATCHES_FAILED: Final = Counter("oa_projection_failures", "Batches that will be tried again", ["view"])
RECORDS_SKIPPED: Final = Counter("oa_projection_unreadable", "Kafka records left to the log to fill in", ["topic"])
DOCUMENTS_BROKEN: Final = Counter("oa_projection_quarantined", "Documents an event could not be applied to", ["view"])
LAG_POSITIONS: Final = Gauge("oa_projection_lag_positions", "Log positions from the oldest unapplied event", ["view"])
LAG_SECONDS: Final = Gauge("oa_projection_lag_seconds", "Age of the oldest unapplied event", ["view"])
DOCUMENTS_PARKED: Final = Gauge("oa_projection_parked_documents", "Documents in quarantine now", ["view"])
AUDIT_POSITION: Final = Gauge("oa_audit_last_position", "Up to where the log was audited without a gap")
AUDIT_DIFFERENCES: Final = Gauge("oa_audit_differences", "Differences that audits found and have not seen gone")
AUDIT_AGREED: Final = Gauge("oa_audit_last_success_timestamp_seconds", "When an audit last found no difference")
OUTLET_ATTEMPTS: Final = Counter("oa_outlet_attempts", "Messages to webhooks and browsers", ["kind", "result"])
REACTIONS_FAILED: Final = Counter("oa_reactions_failed", "Events whose key is parked and tried again", ["consumer"])

for result in ("ok", "error"):
    REPLAYS.labels("partition", result)
for component in ("log", "topic", "journal"):
    PARITY_FAILURES.labels("sync_dual_publish", "audit", component, "different")


def begin_at_zero(view: str) -> None:
    """What is not there yet does not grow when it comes: without a 0 nobody would be told of a first failure."""
    DRIFTS.labels(view, "audit")
    for result in ("ok", "skipped", "error"):
        WRITES.labels(view, result)
    for reason_class in ("connection", "postgres", "refused", "other"):
        WRITE_FAILURES.labels(view, reason_class)


@contextmanager
def replayed(scope: str) -> Iterator[None]:
    """Counts and times a reading of the log, whether it ends well or not."""
    clock = asyncio.get_running_loop().time
    started, result = clock(), "ok"
    try:
        yield
    except Exception:
        result = "error"
        raise
    finally:
        REPLAYS.labels(scope, result).inc()
        REPLAY_MS.labels(scope, result).observe((clock() - started) * 1000)
