"""What our processes count of their connections to Postgres (runtime §9)."""

from typing import Final

from prometheus_client import Gauge, Histogram

_PREFIX: Final = "openagents_runtime_db_"
_BUCKETS_MS: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000, 30_000)

QUERY_MS: Final = Histogram(_PREFIX + "query_duration_ms", "From a query to its last row.", buckets=_BUCKETS_MS)
POOL_WAIT_MS: Final = Histogram(_PREFIX + "pool_wait_ms", "Until the pool had a connection.", buckets=_BUCKETS_MS)
POOL_CONNECTIONS: Final = Gauge(_PREFIX + "pool_connections", "Connections of the pool: open, idle.", ["state"])
