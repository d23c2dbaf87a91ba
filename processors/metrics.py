"""What the processors count."""

from typing import Final

from prometheus_client import Counter, Gauge

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
