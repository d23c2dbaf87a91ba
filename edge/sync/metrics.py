"""Metrics of the live socket (runtime §9)."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_PREFIX: Final = "openagents_runtime_sync_"

CONNECTIONS: Final = Counter(_PREFIX + "socket_connection_count", "Sockets by what happened.", ["action", "status"])
ACTIVE: Final = Gauge(_PREFIX + "socket_connection_active", "Open sockets.", ["action", "status"])
HEARTBEATS: Final = Counter(_PREFIX + "socket_heartbeat_count", "Heartbeats with a ping.", ["status"])
RECONNECTS: Final = Counter(
    _PREFIX + "socket_reconnect_count", "Subscribed topics with a cursor: resumed, stale, beyond_head.", ["status"]
)
TIMEOUTS: Final = Counter(_PREFIX + "socket_timeout_count", "Channels and sockets that fell silent.", ["status"])
REPLAY_LAG: Final = Histogram(
    _PREFIX + "replay_lag_events",
    "Rows that a replay sent.",
    ["event_type", "status"],
    buckets=(0, 1, 10, 50, 200, 1_000, 10_000, 100_000),
)
CATCHUP: Final = Histogram(
    _PREFIX + "replay_catchup_duration_ms",
    "From a subscribe to its reply.",
    ["status"],
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000, 30_000),
)
