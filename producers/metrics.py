"""What the write side counts; `ops` exposes it."""

from prometheus_client import Counter, Gauge, Histogram

LOG_COMMANDS = Counter("oa_log_commands_total", "Submissions answered by the log", ["result"])
LOG_RETRIES = Counter("oa_log_retries_total", "Batches that were decided afresh", ["reason"])
LOG_BATCH_SIZE = Histogram(
    "oa_log_batch_submissions", "Submissions a batch", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
LOG_COMMIT_S = Histogram("oa_log_commit_seconds", "From the first to the last byte of a batch's transaction")
TIMERS_DUE = Gauge("oa_timers_due", "Streams whose time has come and that the last look left as they are")
TIMERS_FIRED = Counter("oa_timers_fired", "Streams that were woken", ["kind"])
TIMERS_FAILED = Counter("oa_timers_failed", "Attempts to wake a stream that failed; it is tried again later", ["kind"])
LOG_SUSPENDED = Gauge("oa_log_suspended", "1 while nobody may go on from the log, as this process saw it last")
