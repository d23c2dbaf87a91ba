"""What the relay counts."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

RECORDS: Final = Counter("oa_relay_records_total", "Records that Kafka acknowledged.")
SESSIONS: Final = Counter("oa_relay_sessions_total", "Sessions by how they ended.", ["outcome"])
LEADING: Final = Gauge("oa_relay_leading", "1 while this process feeds Kafka.")
LAG_POSITIONS: Final = Gauge("oa_relay_lag_positions", "Committed events that Kafka has not acknowledged.")
LAG_SECONDS: Final = Gauge("oa_relay_lag_seconds", "Age of the oldest event that Kafka has not acknowledged.")
COMMIT_TO_ACK: Final = Histogram(
    "oa_relay_commit_to_ack_seconds",
    "From an event's commit to its acknowledgement, of the oldest event of each page.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.5, 1, 5, 30),
)
