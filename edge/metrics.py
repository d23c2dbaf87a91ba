"""What the edge counts of its HTTP requests (runtime §9)."""

from typing import Final

from prometheus_client import Counter, Histogram

_PREFIX: Final = "openagents_runtime_"

REQUESTS: Final = Counter(_PREFIX + "http_request_count", "Answered requests but the probes.", ["status_class"])
REQUEST_MS: Final = Histogram(
    _PREFIX + "http_request_duration_ms",
    "From a request to the beginning of its response.",
    ["status_class"],
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000, 30_000),
)
TOKEN_MINTS: Final = Counter(
    "oa_token_mints", "Tokens for the socket, asked for by who may have them.", ["token", "outcome"]
)

for token in ("sync", "khala"):
    for outcome in ("minted", "unavailable"):
        TOKEN_MINTS.labels(token, outcome)  # a failure that begins the series would not be seen as its growth
