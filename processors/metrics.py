"""What the processors count."""

from typing import Final

from prometheus_client import Counter, Gauge

EVENTS_APPLIED: Final = Counter("oa_projection_events", "Events applied to a view", ["view"])
BATCHES_FAILED: Final = Counter("oa_projection_failures", "Batches that will be tried again", ["view"])
RECORDS_SKIPPED: Final = Counter("oa_projection_unreadable", "Kafka records left to the log to fill in", ["topic"])
DOCUMENTS_BROKEN: Final = Counter("oa_projection_quarantined", "Documents an event could not be applied to", ["view"])
LAG_POSITIONS: Final = Gauge("oa_projection_lag_positions", "Log positions from the oldest unapplied event", ["view"])
LAG_SECONDS: Final = Gauge("oa_projection_lag_seconds", "Age of the oldest unapplied event", ["view"])
