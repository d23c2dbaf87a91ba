"""What the write side counts; `ops` exposes it."""

from prometheus_client import Counter, Histogram

LOG_COMMANDS = Counter("oa_log_commands_total", "Submissions answered by the log", ["result"])
LOG_RETRIES = Counter("oa_log_retries_total", "Batches that were decided afresh", ["reason"])
LOG_BATCH_SIZE = Histogram(
    "oa_log_batch_submissions", "Submissions a batch", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
LOG_COMMIT_S = Histogram("oa_log_commit_seconds", "From the first to the last byte of a batch's transaction")
