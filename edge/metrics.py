"""What the edge counts of its HTTP requests and of run streams (runtime §9)."""

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
_EMIT: Final = _PREFIX + "stream_emit_"
_OF_EMIT: Final = ("event_type", "outcome")
EMITS: Final = Counter(_EMIT + "count", "Events of runs sent to streams.", _OF_EMIT)
EMIT_FRAMES: Final = Histogram(_EMIT + "frames", "Frames of one event.", _OF_EMIT, buckets=(1, 2, 4))

_SESSION: Final = _PREFIX + "stream_session_"
_ENDED: Final = ("outcome",)
_COUNTS: Final = (0, 1, 2, 5, 10, 25, 50, 100, 500, 1_000, 10_000)
SESSIONS: Final = Counter(_SESSION + "count", "Streams of runs: tail_timeout, client_closed, failed.", _ENDED)
SESSION_MS: Final = Histogram(
    _SESSION + "duration_ms", "How long one lasted.", _ENDED, buckets=(10, 100, 1_000, 5_000, 15_000, 60_000, 600_000)
)
SESSION_EVENTS: Final = Histogram(_SESSION + "emitted_events", "Events it sent.", _ENDED, buckets=_COUNTS)
SESSION_CHUNKS: Final = Histogram(_SESSION + "emitted_chunks", "Writes it made of them.", _ENDED, buckets=_COUNTS)
SESSION_WAKEUPS: Final = Histogram(_SESSION + "wakeups", "Events that came while it waited.", _ENDED, buckets=_COUNTS)
SESSION_POLLS: Final = Histogram(_SESSION + "polls", "How often it asked the log.", _ENDED, buckets=_COUNTS)

TOKEN_MINTS: Final = Counter(
    "oa_token_mints", "Tokens for the socket, asked for by who may have them.", ["token", "outcome"]
)

for token in ("sync", "khala"):
    for outcome in ("minted", "unavailable"):
        TOKEN_MINTS.labels(token, outcome)  # a failure that begins the series would not be seen as its growth
