"""What of the live socket can be configured (sync §22, §24)."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class SyncSettings:
    """Seconds, rows and bytes; `public_host` None means that `Origin` is not checked (sync §4.3, development)."""

    public_host: str | None = None
    replay_batch_rows: int = 200
    replay_batch_limit_rows: int = 1000
    heartbeat_interval_s: float = 15.0
    heartbeat_timeout_s: float = 60.0
    idle_timeout_s: float = 60.0
    horizon: timedelta = timedelta(hours=24)
    zero_is_no_cursor: bool = True
    buffer_bytes: int = 4 << 20
    drain_timeout_s: float = 30.0
    flush_gap_s: float = 0.005
    recheck_interval_s: float = 60.0
