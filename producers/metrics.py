"""What the write side counts; `ops` exposes it."""

from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram

from producers.policy import MODES, Decision

LOG_COMMANDS = Counter("oa_log_commands_total", "Submissions answered by the log", ["result"])
LOG_RETRIES = Counter("oa_log_retries_total", "Batches that were decided afresh", ["reason"])
LOG_BATCH_SIZE = Histogram(
    "oa_log_batch_submissions", "Submissions a batch", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
LOG_COMMIT_S = Histogram("oa_log_commit_seconds", "From the first to the last byte of a batch's transaction")
TIMERS_DUE = Gauge("oa_timers_due", "Streams whose time has come and that the last look left as they are")
TIMERS_FIRED = Counter("oa_timers_fired", "Streams that were woken", ["kind"])
TIMERS_FAILED = Counter("oa_timers_failed", "Attempts to wake a stream that failed; it is tried again later", ["kind"])
RUN_NOTIFIES = Counter("openagents_runtime_run_events_notify_count", "Commits that woke the readers of runs")
LOG_SUSPENDED = Gauge("oa_log_suspended", "1 while nobody may go on from the log, as this process saw it last")

_POLICY: Final = "openagents_runtime_policy_decision_"
_OF_POLICY: Final = ("decision", "authorization_mode", "settlement_boundary")
_SATS: Final = (0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
POLICY_DECISIONS = Counter(_POLICY + "count", "Decisions of policy", _OF_POLICY)
POLICY_SPENT_SATS = Histogram(_POLICY + "spent_sats", "Spent, as decided on", _OF_POLICY, buckets=_SATS)
POLICY_RESERVED_SATS = Histogram(_POLICY + "reserved_sats", "Held, as decided on", _OF_POLICY, buckets=_SATS)
POLICY_REMAINING_SATS = Histogram(_POLICY + "remaining_sats", "Left, as decided on", _OF_POLICY, buckets=_SATS)


def observe_decision(decision: Decision, *, settlement_boundary: bool) -> None:
    """What every decision point tells (DEC-37); what is not a number, or unlimited, is not observed."""
    labels = (decision.decision, _mode(decision.policy.get("authorization_mode")), str(settlement_boundary).lower())
    POLICY_DECISIONS.labels(*labels).inc()
    for name, histogram in _POLICY_SATS.items():
        if isinstance(sats := decision.budget.get(name), int):
            histogram.labels(*labels).observe(sats)


def _mode(written: Any) -> str:
    """A caller does not choose our labels."""
    if written is None:
        return "none"
    return written if isinstance(written, str) and written in MODES else "invalid"


_POLICY_SATS: Final = {
    "spent_sats": POLICY_SPENT_SATS,
    "reserved_sats": POLICY_RESERVED_SATS,
    "remaining_sats": POLICY_REMAINING_SATS,
}
